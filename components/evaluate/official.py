"""What the official ISIC scorer (`isic-challenge-scoring`) makes of a model's answers on test, beside what we make of them.

submission/<model>.csv                          classifier, in ISIC 2019's format: image, MEL … SCC, UNK (which we never say: 0)
submission/<model>/<image>_segmentation.png     segmenter, in ISIC 2018's format: 0 | 255, at the image's own size
scored/<model>/<image>_segmentation.png         the same at the size at which images were stored, where our own figures are taken
scored/ground_truth.csv, ground_truth/          the truth, in the same formats, masks at the stored size

What is in `submission/` can be sent to the challenge. The scorer reads its tables, and the masks in `scored/`: true masks at the
images' own size are not in a preprocessed dataset. Two things of it we do ourselves: it reads predictions with a call that pandas 3
no longer has, and it finds masks by ISIC's own image numbers, which not every source has.
"""

from collections.abc import Sequence
from pathlib import Path

import cv2
import numpy as np
import numpy.typing as npt
import pandas as pd
from isic_challenge_scoring import metrics
from isic_challenge_scoring.classification import ClassificationMetric, ClassificationScore
from isic_challenge_scoring.load_csv import parse_truth_csv, sort_rows, validate_rows
from isic_challenge_scoring.load_image import ImagePair
from isic_challenge_scoring.segmentation import SegmentationScore

from components.evaluate.classification import measure_classification
from components.files import write_text, writing
from components.lesions import CODES, Split
from components.mask import Flags, scale_mask
from components.predictions import probabilities_of
from components.scores import Agreement, OfficialAgreement, SegmentationScores

SUBMISSION = "submission"
SCORED = "scored"
_TRUTH = "ground_truth"
_UNKNOWN = "UNK"
_NOT_SCORED = "ISIC_0035068"
"""An image of ISIC 2018 to which the scorer gives no weight."""

_MASK_FIGURES = {
    "dice": "dice",
    "jaccard": "jaccard",
    "thresholded_jaccard": "threshold_jaccard",
    "sensitivity": "sensitivity",
    "specificity": "specificity",
    "global_accuracy": "accuracy",
}
"""Our name of a figure → the scorer's."""


def undecided(probabilities: npt.NDArray[np.float32]) -> int:
    """Images whose two most probable diagnoses are equally so: we take the first, the scorer counts them as wrong."""
    return int(np.count_nonzero((probabilities == probabilities.max(axis=1, keepdims=True)).sum(axis=1) > 1))


def score_answers(out: Path, name: str, table: pd.DataFrame) -> OfficialAgreement:
    """Write a classifier's submission and have it scored.

    Args:
        out: the evaluate step's output folder.
        name: the model's.
        table: N rows of test: image_id, label and the probabilities, as `components.evaluate.judged` makes them.

    Returns:
        Balanced accuracy, AUC and average precision of each diagnosis, and their means. Left out: AUC and average precision of a
        diagnosis that test does not hold, or holds alone; balanced accuracy where an image is undecided.
    """
    table = table[table["image_id"] != _NOT_SCORED]
    probabilities = probabilities_of(table)
    shown = pd.DataFrame({code: (table["label"] == code).astype(float) for code in CODES})
    files = out / SCORED / f"{_TRUTH}.csv", out / SUBMISSION / f"{name}.csv"
    _write_csv(files[0], table["image_id"], shown.to_numpy())
    _write_csv(files[1], table["image_id"], probabilities.astype(np.float64))
    held = [code for code in CODES if 0 < shown[code].sum() < len(shown)]
    theirs = _their_figures(*files, held)
    if undecided(probabilities):
        del theirs["balanced_accuracy"]
    scores = measure_classification(table["label"].tolist(), probabilities)
    ours: dict[str, float | None] = {"balanced_accuracy": scores.balanced_accuracy}
    ours |= {"macro_auc": scores.macro_auc, "macro_average_precision": scores.macro_average_precision}
    for code, one in scores.classes.items():
        ours |= {f"{code}/auc": one.auc, f"{code}/average_precision": one.average_precision}
    return _agreement(ours, theirs)


def write_masks(out: Path, name: str, rows: pd.DataFrame, truth: Flags, predicted: Flags) -> None:
    """Write the masks of those rows that are of test: what is submitted, and the pairs that the scorer reads.

    Args:
        out: the evaluate step's output folder.
        name: the model's.
        rows: N rows of a dataset, with the height and width of the images as they came.
        truth, predicted: N x H x W of the stored size, True where lesion.
    """
    folders = {SUBMISSION: out / SUBMISSION / name, name: out / SCORED / name, _TRUTH: out / SCORED / _TRUTH}
    for folder in folders.values():
        folder.mkdir(parents=True, exist_ok=True)
    for place in np.flatnonzero(rows["split"] == Split.TEST.value):
        row = rows.iloc[place]
        image, own_size = str(row["image_id"]), (int(row["height"]), int(row["width"]))
        masks = {SUBMISSION: scale_mask(predicted[place], own_size), name: predicted[place], _TRUTH: truth[place]}
        for key, mask in masks.items():
            _write_mask(_mask(folders[key], image), mask)


def score_masks(out: Path, name: str, images: Sequence[str], scores: SegmentationScores) -> OfficialAgreement:
    """Have the masks scored that `write_masks` wrote.

    Args:
        out: the evaluate step's output folder.
        name: the model's.
        images: ids of test's images.
        scores: what we make of them.
    """
    folders = out / SCORED / _TRUTH, out / SCORED / name
    official = SegmentationScore(_pair(*folders, image) for image in images).macro_average
    theirs = {ours: float(official[name]) for ours, name in _MASK_FIGURES.items()}
    return _agreement({name: getattr(scores.per_image, name) for name in _MASK_FIGURES}, theirs)


def _write_csv(path: Path, images: pd.Series, values: npt.NDArray[np.float64]) -> None:
    table = pd.DataFrame(values, columns=list(CODES)).assign(**{_UNKNOWN: 0.0})
    table.insert(0, "image", images.to_numpy())
    write_text(path, table.to_csv(index=False, lineterminator="\n"))


def _their_figures(truth_file: Path, submission: Path, held: list[str]) -> dict[str, float]:
    with truth_file.open(encoding="utf-8") as stream:
        truth, weights = parse_truth_csv(stream)
    predicted = pd.read_csv(submission).set_index("image")
    validate_rows(truth, predicted)
    for rows in (truth, weights, predicted):
        sort_rows(rows)
    figures = {"balanced_accuracy": float(metrics.balanced_multiclass_accuracy(truth, predicted, weights.score_weight))}
    if not held:
        return figures
    # It knows no figure of a diagnosis that is absent: UNK always is, so it is handed those that are there.
    scored = ClassificationScore(truth[held], predicted[held], weights, ClassificationMetric.BALANCED_ACCURACY)
    for ours, name in (("auc", "auc"), ("average_precision", "ap")):
        figures[f"macro_{ours}"] = float(scored.macro_average[name])
        figures |= {f"{code}/{ours}": float(scored.per_category.at[code, name]) for code in held}
    return figures


def _write_mask(path: Path, mask: Flags) -> None:
    _, png = cv2.imencode(".png", mask.astype(np.uint8) * 255)
    with writing(path):
        path.write_bytes(png.tobytes())


def _pair(truth: Path, predicted: Path, image: str) -> ImagePair:
    pair = ImagePair(truth_file=_mask(truth, image))
    pair.image_id, pair.prediction_file = image, _mask(predicted, image)
    pair.load_truth_image()
    pair.load_prediction_image()
    return pair


def _mask(folder: Path, image: str) -> Path:
    return folder / f"{image}_segmentation.png"


def _agreement(ours: dict[str, float | None], theirs: dict[str, float]) -> OfficialAgreement:
    """Both, of each figure that both have; the names of ours that they have not."""
    both = {name: (value, theirs[name]) for name, value in ours.items() if value is not None and name in theirs}
    figures = {name: Agreement(ours=mine, theirs=other) for name, (mine, other) in both.items()}
    return OfficialAgreement(figures=figures, left_out=[name for name in ours if name not in figures])
