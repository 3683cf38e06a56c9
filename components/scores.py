"""What is measured of a model, typed; `scores.json` is written and read here alone.

`flat` gives the same figures under the names that MLflow shows: `test/macro_f1`, `val/MEL/recall`, `test/dice`; the ends of a
figure's 95 % interval stand beside it: `test/macro_f1_low`, `test/macro_f1_high`.
"""

from pathlib import Path
from typing import Annotated, Literal

from pydantic import BaseModel, ConfigDict, Field, ValidationError

from components.calibration_scores import Calibration, RefusalScores, flat_calibration, flat_refusal
from components.errors import DatasetError
from components.files import write_text

SCORES_FILE = "scores.json"
SCHEMA_VERSION: Literal[2] = 2


DICE_CHANGE = 0.1
"""Least change of an image's Dice that counts as forgotten or learned."""


class _Figures(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True, allow_inf_nan=False)


class Interval(_Figures):
    """Where a figure lies with 95 % confidence: bootstrap over groups, see `components/evaluate/bootstrap.py`."""

    low: float
    high: float

    def __str__(self) -> str:
        return f"{self.low:.2f} to {self.high:.2f}"


class Difference(Interval):
    """How much higher a figure is for the second of two models on the same images: `value`, and its 95 % interval."""

    value: float


class Averages(_Figures):
    """Precision, recall and F1, averaged one way, each 0 to 1."""

    precision: float
    recall: float
    f1: float


class ClassScores(Averages):
    """One diagnosis against the rest, each figure 0 to 1.

    Attributes:
        support: images that truly show it.
        specificity: share of the other images that are not taken for it; None where there are no others.
        auc: area under the ROC curve; None where the diagnosis, or all else, is absent.
        average_precision: mean precision over the recall steps, not interpolated; None as `auc` is.
    """

    support: int
    specificity: float | None
    auc: float | None
    average_precision: float | None


class BinaryScores(_Figures):
    """Malignant (see `components/lesions.py`) against benign, each figure 0 to 1.

    The probability is the sum over the malignant diagnoses; sensitivity and specificity are those of deciding at 0.5.
    """

    auc: float
    average_precision: float
    sensitivity: float
    specificity: float


class ClassificationScores(_Figures):
    """A classifier on one split.

    Attributes:
        images: how many were judged.
        accuracy: share of images whose most probable diagnosis is the true one.
        balanced_accuracy: mean recall of the diagnoses that the split holds.
        micro: over all decisions; with one label an image, each of its figures equals accuracy.
        macro: mean over the diagnoses that the split holds, each counting the same.
        weighted: mean over diagnoses, weighted by support.
        macro_auc: mean one-vs-rest area under the ROC curve over the diagnoses that have one; None where none has.
        macro_average_precision: the same of average precision.
        melanoma_sensitivity: highest share of the melanomas found at any threshold of their probability whose specificity is at
            least `evaluate.melanoma_specificity`. The threshold is one of this same split's ROC curve: it tells how well
            melanomas can be ranked, not what a threshold chosen beforehand would reach. None where MEL, or all else, is absent.
        malignant: malignant against benign; None where one of the two is absent.
        brier: mean over images of the sum over diagnoses of (probability - truth) squared, 0 to 2, less is better (Brier 1950).
        ece: how far confidence lies from accuracy, 0 to 1, less is better: of the most probable diagnosis, over 15 bins of equally
            many images (Guo 2017). It is never 0 by chance, so that a perfect model on few images seems badly calibrated.
        classes: by diagnosis code, all eight.
        confusion: images by true (row) and predicted (column) diagnosis, in the order of `classes`.
        intervals: of each figure that has one, by its flat name: `macro_f1`, `MEL/recall`, `malignant/auc`.
    """

    images: int
    accuracy: float
    balanced_accuracy: float
    micro: Averages
    macro: Averages
    weighted: Averages
    macro_auc: float | None
    macro_average_precision: float | None
    melanoma_sensitivity: float | None
    malignant: BinaryScores | None
    brier: float
    ece: float
    classes: dict[str, ClassScores]
    confusion: list[list[int]]
    intervals: dict[str, Interval] = {}


class OverlapScores(_Figures):
    """How masks agree, each figure 0 to 1. `f1` is Dice under its other name, since the report lists both."""

    dice: float
    jaccard: float
    sensitivity: float
    specificity: float
    precision: float
    f1: float
    global_accuracy: float


class ImageOverlapScores(OverlapScores):
    """Means over images, of those figures too that only an image has.

    Attributes:
        thresholded_jaccard: Jaccard, an image below 0.65 counting as 0 (ISIC 2018).
        boundary_f1: F1 of the outlines, see `components/boundary.py` (Csurka 2013).
    """

    thresholded_jaccard: float
    boundary_f1: float


class SegmentationScores(_Figures):
    """A segmenter on one split.

    Attributes:
        images: how many were judged.
        empty_predictions: images in which the model found no lesion at all.
        per_image: mean over images, each counting the same (as the report and the ISIC challenge do).
        pooled: over all pixels of all images together, so that large lesions count more.
        intervals: of each figure, by its flat name: `dice`, `pooled/dice`.
    """

    images: int
    empty_predictions: int
    per_image: ImageOverlapScores
    pooled: OverlapScores
    intervals: dict[str, Interval] = {}


class Agreement(_Figures):
    """A figure as we compute it, and as the official ISIC scorer does."""

    ours: float
    theirs: float

    @property
    def difference(self) -> float:
        """How far the two are apart, at least 0."""
        return abs(self.ours - self.theirs)


OFFICIAL_TOLERANCE = 1e-6
"""Most that a figure of ours may differ from the official scorer's."""


class OfficialAgreement(_Figures):
    """What the official ISIC scorer makes of the answers on test; see `components/evaluate/official.py`.

    Attributes:
        figures: by flat name (`balanced_accuracy`, `MEL/auc`, `dice`), each 0 to 1.
        left_out: names of figures that cannot be compared, since test does not have them, or the scorer has another rule.
    """

    figures: dict[str, Agreement]
    left_out: list[str]

    @property
    def largest_difference(self) -> float:
        """Of all figures, at least 0; more than `OFFICIAL_TOLERANCE` is a fault of ours or theirs."""
        return max((figure.difference for figure in self.figures.values()), default=0.0)


class Slice(_Figures):
    """Images of test that share something: `sex`, `female`.

    Attributes:
        dimension: what they share; see `components/evaluate/dimensions.py`.
        value: which of its values.
        images, lesions: how many; the latter are groups, see `components/groups.py`.
        figure: flat name of what is measured: `malignant/auc`, `dice`.
        score: the figure, 0 to 1; None where the slice has none (no malignant image, or no benign one).
        interval: where it lies with 95 % confidence; None: it has none.
        judged: whether slice and rest have lesions enough for their gap to be judged.
    """

    dimension: str
    value: str
    images: int
    lesions: int
    figure: str
    score: float | None
    interval: Interval | None
    judged: bool

    @property
    def label(self) -> str:
        """As people write it: `sex female`."""
        return f"{self.dimension} {self.value}"


class Gap(_Figures):
    """How much lower the figure of a slice is than that of the other images of its dimension.

    Attributes:
        dimension, value: the slice.
        figure: flat name of what is measured.
        gap: figure of the rest - figure of the slice; below 0 where the slice is the better one.
        low, high: where it lies with 95 % confidence, for all judged slices at once.
        slices: how many were judged.
    """

    dimension: str
    value: str
    figure: str
    gap: float
    low: float
    high: float
    slices: int


class Explanation(_Figures):
    """How much of what speaks for a classifier's answers lies on the lesion, see `components/evaluate/explanation.py`.

    Attributes:
        images, lesions: how many it was asked of; the latter are groups.
        on_lesion: share of the Grad-CAM map, mean over images, 0 to 1.
        interval: of the mean, 95 %.
        lesion_share: of the picture that the lesion covers, mean, 0 to 1: what a map that is spread evenly would have.
    """

    images: int
    lesions: int
    on_lesion: float
    interval: Interval
    lesion_share: float


class _ParentScores(_Figures):
    """Whom the figures are of.

    `other_size`: whether its own images were of another size than those that judge, so that it may look worse than it is.
    """

    digest: str
    name: str
    data_version: str
    other_size: bool = False


class ClassifierParent(_ParentScores):
    """The model that a classifier was trained on from, judged on the same images, and what training on took and gave.

    Attributes:
        digest: SHA-256 of its bundle.json.
        name: its name.
        data_version: of the data that it was trained on.
        val, test: its figures; val is None where the new model was trained with folds, and both learned from val.
        forgotten: by diagnosis code, all eight: images of test that it has right and the new model has wrong.
        learned: the reverse.
    """

    val: ClassificationScores | None
    test: ClassificationScores
    forgotten: dict[str, int]
    learned: dict[str, int]


class SegmenterParent(_ParentScores):
    """The model that a segmenter was trained on from; as `ClassifierParent`.

    `forgotten` and `learned` are images of test whose Dice fell, or rose, by more than `DICE_CHANGE`.
    """

    val: SegmentationScores | None
    test: SegmentationScores
    forgotten: int
    learned: int


VAL_ROWS: Literal["val"] = "val"
OUT_OF_FOLD_ROWS: Literal["out of fold"] = "out of fold"


class _ModelScores(_Figures):
    """Whom the figures are of.

    `val_rows`: which images the figures of val are of: `val`, or `out of fold`: all of train and val, each judged by members of the
    model that did not learn from it (a model trained with folds learned from val).

    `official`: what the official ISIC scorer makes of the same answers to test.

    `slices`: parts of test, and `largest_gap` the one that lags behind the rest most surely; None: none was judged.
    """

    name: str
    architecture: str
    parameters_total: int
    val_rows: Literal["val", "out of fold"] = VAL_ROWS
    official: OfficialAgreement | None = None
    slices: tuple[Slice, ...] = ()
    largest_gap: Gap | None = None


class ClassifierScores(_ModelScores):
    """A classifier on both splits that it did not learn from.

    `explanation` is None where it cannot be told where it looks, `calibration` and `refusal` where its bundle has none.
    """

    task: Literal["classification"] = "classification"
    val: ClassificationScores
    test: ClassificationScores
    explanation: Explanation | None = None
    parent: ClassifierParent | None = None
    calibration: Calibration | None = None
    refusal: RefusalScores | None = None


class SegmenterScores(_ModelScores):
    """A segmenter on both splits that it did not learn from."""

    task: Literal["segmentation"] = "segmentation"
    val: SegmentationScores
    test: SegmentationScores
    parent: SegmenterParent | None = None


ModelScores = Annotated[ClassifierScores | SegmenterScores, Field(discriminator="task")]


class Scores(_Figures):
    """All that the evaluate step measured.

    Attributes:
        data_version: of the dataset that the models were judged on.
        phantom: whether its images were drawn, so that the figures say nothing about skin.
        test_sets: task → what tells its test set apart (`components.evaluate.test_set`).
        models: by name.
        melanoma_specificity: at which the share of melanomas found was measured; 0.9 where it was not noted yet.
    """

    schema_version: Literal[2] = SCHEMA_VERSION
    data_version: str
    phantom: bool
    test_sets: dict[str, str]
    models: dict[str, ModelScores]
    melanoma_specificity: float = 0.9

    def classifiers(self) -> list[ClassifierScores]:
        """The classifiers, in the order in which they were judged."""
        return [model for model in self.models.values() if isinstance(model, ClassifierScores)]

    def segmenters(self) -> list[SegmenterScores]:
        """The segmenters, in the order in which they were judged."""
        return [model for model in self.models.values() if isinstance(model, SegmenterScores)]


def write_scores(folder: Path, scores: Scores) -> None:
    """Write `scores.json` into the evaluate step's output."""
    write_text(folder / SCORES_FILE, scores.model_dump_json(indent=2) + "\n")


def read_scores(folder: Path) -> Scores:
    """Read `scores.json` of the evaluate step's output.

    Raises:
        DatasetError: it is absent, or not what `write_scores` writes.
    """
    path = folder / SCORES_FILE
    try:
        return Scores.model_validate_json(path.read_bytes())
    except FileNotFoundError as error:
        raise DatasetError(f"{path}: does not exist; evaluate the models first") from error
    except ValidationError as error:
        problem = error.errors()[0]
        where = ".".join(str(part) for part in problem["loc"]) or "the file"
        raise DatasetError(f"{path}: {where} is not as this program writes it ({problem['msg']}); evaluate again") from error


def flat(model: ClassifierScores | SegmenterScores) -> dict[str, float]:
    """Every figure of a model under one flat name; those that do not exist (None) are left out."""
    figures: dict[str, float | None] = {}
    for split in ("val", "test"):
        scores: ClassificationScores | SegmentationScores = getattr(model, split)
        named = _classification(scores) if isinstance(scores, ClassificationScores) else _segmentation(scores)
        figures |= {f"{split}/{name}": value for name, value in named.items()}
        for name, interval in scores.intervals.items():
            figures |= {f"{split}/{name}_low": interval.low, f"{split}/{name}_high": interval.high}
    if model.official is not None:
        figures["test/official_difference"] = model.official.largest_difference
    if model.largest_gap is not None:
        gap = model.largest_gap
        figures |= {"test/slice/gap": gap.gap, "test/slice/gap_low": gap.low, "test/slice/gap_high": gap.high}
        figures["test/slice/judged"] = gap.slices
    if isinstance(model, ClassifierScores) and model.explanation is not None:
        told = model.explanation
        figures |= {"test/on_lesion": told.on_lesion, "test/lesion_share": told.lesion_share}
        figures |= {"test/on_lesion_low": told.interval.low, "test/on_lesion_high": told.interval.high}
    if model.parent is not None:
        figures |= _against(model.parent)
    if isinstance(model, ClassifierScores) and model.calibration is not None:
        figures |= flat_calibration(model.calibration)
    if isinstance(model, ClassifierScores) and model.refusal is not None:
        figures |= flat_refusal(model.refusal)
    return {name: float(value) for name, value in figures.items() if value is not None}


def _classification(scores: ClassificationScores) -> dict[str, float | None]:
    figures: dict[str, float | None] = {
        "images": scores.images,
        "accuracy": scores.accuracy,
        "balanced_accuracy": scores.balanced_accuracy,
        "macro_auc": scores.macro_auc,
        "macro_average_precision": scores.macro_average_precision,
        "melanoma_sensitivity": scores.melanoma_sensitivity,
        "brier": scores.brier,
        "ece": scores.ece,
    }
    if scores.malignant is not None:
        figures |= {f"malignant/{measure}": value for measure, value in scores.malignant.model_dump().items()}
    for name in ("micro", "macro", "weighted"):
        averages: Averages = getattr(scores, name)
        figures |= {f"{name}_{measure}": value for measure, value in averages.model_dump().items()}
    for code, one in scores.classes.items():
        figures |= {f"{code}/{measure}": value for measure, value in one.model_dump().items()}
    return figures


def _segmentation(scores: SegmentationScores) -> dict[str, float | None]:
    figures: dict[str, float | None] = {"images": scores.images, "empty_predictions": scores.empty_predictions}
    figures |= scores.per_image.model_dump()
    return figures | {f"pooled/{measure}": value for measure, value in scores.pooled.model_dump().items()}


def _against(parent: ClassifierParent | SegmenterParent) -> dict[str, float | None]:
    """The parent's main figures, and what was forgotten and learned on test."""
    judged = {split: scores for split in ("val", "test") if (scores := getattr(parent, split)) is not None}
    if isinstance(parent, SegmenterParent):
        figures: dict[str, float | None] = {"test/forgotten": parent.forgotten, "test/learned": parent.learned}
        return figures | {f"parent/{split}/dice": scores.per_image.dice for split, scores in judged.items()}
    figures = {"test/forgotten": sum(parent.forgotten.values()), "test/learned": sum(parent.learned.values())}
    for code in parent.forgotten:
        figures |= {f"test/{code}/forgotten": parent.forgotten[code], f"test/{code}/learned": parent.learned[code]}
    for split, scores in judged.items():
        figures |= {f"parent/{split}/balanced_accuracy": scores.balanced_accuracy, f"parent/{split}/macro_f1": scores.macro.f1}
    return figures
