"""What is measured of a classifier's calibration, its conformal sets and its refusal, typed; a part of `components.scores`."""

from pydantic import BaseModel, ConfigDict


class _Figures(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True, allow_inf_nan=False)


class Estimate(_Figures):
    """A figure and its 95 % interval."""

    value: float
    low: float
    high: float


class Bin(_Figures):
    """Images that a model is equally sure of: mean probability of the diagnosis that it names, and how many of them are right."""

    images: int
    confidence: float
    accuracy: float


class Coverage(_Figures):
    """How often the set holds the true diagnosis.

    Attributes:
        images: how many were judged.
        covered: images whose set holds the true diagnosis.
        share: of them, with its binomial interval, which counts images of one lesion as the fewer that they are worth.
        mean_size: mean number of diagnoses in a set.
        empty: images whose set is empty.
    """

    images: int
    covered: int
    share: Estimate
    mean_size: float
    empty: int


class SplitCalibration(_Figures):
    """Calibration on one split.

    Attributes:
        ece_before: calibration error without the temperature, 0 to 1; see `components.evaluate.calibration.calibration_error`.
        ece: the same with it.
        reliability_before, reliability: what a reliability diagram shows, from the least sure images to the surest.
        coverage: of the sets, over all images.
        classes: the same of the images of each diagnosis, by code; those of enough lesions.
    """

    ece_before: Estimate
    ece: Estimate
    reliability_before: list[Bin]
    reliability: list[Bin]
    coverage: Coverage
    classes: dict[str, Coverage]


class Calibration(_Figures):
    """Calibration of a classifier.

    Attributes:
        temperature: of its bundle.
        level: share of the images whose set should hold the true diagnosis.
        val: on the images that temperature and thresholds were chosen on, cross-fitted: each image is calibrated by what was fitted
            on the others. With folds these are out-of-fold predictions, of single members.
        test: on test, as the bundle answers.
    """

    temperature: float
    level: float
    val: SplitCalibration
    test: SplitCalibration

    @property
    def ece(self) -> Estimate:
        """Calibration error of what the bundle answers, on test."""
        return self.test.ece


class ProbeScores(_Figures):
    """Pictures of one kind that should be refused: area under the ROC curve against images of test, and share that is refused."""

    pictures: int
    auc: float
    refused: float


class RefusalScores(_Figures):
    """Refusal of a classifier.

    Attributes:
        promised: share of images like those that judged it which it should refuse.
        images: images of test that were looked at.
        refused: share of them that it refuses.
        far: by kind, and `all`: pictures without skin; see `components.evaluate.probes`.
        near: the same of what nearly is an image of a lesion.
    """

    promised: float
    images: int
    refused: float
    far: dict[str, ProbeScores]
    near: dict[str, ProbeScores]


def flat_refusal(refusal: RefusalScores) -> dict[str, float]:
    """The main figures under the names that MLflow shows."""
    figures = {"test/refused": refusal.refused}
    for distance, kinds in (("far", refusal.far), ("near", refusal.near)):
        figures |= {f"refusal/{distance}_auc": kinds["all"].auc, f"refusal/{distance}_refused": kinds["all"].refused}
    return figures


def flat_calibration(calibration: Calibration) -> dict[str, float]:
    """Every figure under the name that MLflow shows: `test/debiased_ece`, `test/coverage`, `test/MEL/coverage`."""
    figures = {"temperature": calibration.temperature}
    for split in ("val", "test"):
        measured: SplitCalibration = getattr(calibration, split)
        for name, estimate in (("debiased_ece_before", measured.ece_before), ("debiased_ece", measured.ece)):
            figures |= {f"{split}/{name}": estimate.value}
            figures |= {f"{split}/{name}_low": estimate.low, f"{split}/{name}_high": estimate.high}
        for prefix, coverage in (("", measured.coverage), *((f"{code}/", one) for code, one in measured.classes.items())):
            figures |= {f"{split}/{prefix}coverage": coverage.share.value, f"{split}/{prefix}set_size": coverage.mean_size}
    return figures
