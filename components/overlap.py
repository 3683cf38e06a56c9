"""How two masks agree: four counts for each image, and every measure from them.

scikit-learn measures one image in tens of milliseconds; the counts are the same and take a thousandth of that.

Where a ratio has nothing below its line: masks that are empty in truth and prediction agree wholly (Dice, Jaccard and precision 1);
an empty prediction of a lesion that is there has precision 0, as its Dice and sensitivity are; with no lesion to find none was
missed (sensitivity 1), with no skin around it none was taken for lesion (specificity 1).
"""

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
import pandas as pd

MEASURES: tuple[str, ...] = ("dice", "jaccard", "sensitivity", "specificity", "precision", "f1", "global_accuracy")
IMAGE_MEASURES: tuple[str, ...] = (*MEASURES, "thresholded_jaccard", "boundary_f1")
"""What is measured of an image; the last two of an image alone, not of many images' pixels pooled."""

_LEAST_JACCARD = 0.65


@dataclass(frozen=True)
class Overlap:
    """Pixels of each of N images, int64: lesion in both masks, in the prediction alone, in the truth alone, in neither."""

    true_positive: npt.NDArray[np.int64]
    false_positive: npt.NDArray[np.int64]
    false_negative: npt.NDArray[np.int64]
    true_negative: npt.NDArray[np.int64]

    def pooled(self) -> "Overlap":
        """The pixels of all images as if they were one."""
        return Overlap(*(np.array([counts.sum()]) for counts in vars(self).values()))


def count_overlap(truth: npt.NDArray[np.bool_], predicted: npt.NDArray[np.bool_]) -> Overlap:
    """Compare masks pixel by pixel: both N x H x W, bool, True where lesion."""
    pixels = truth.shape[1] * truth.shape[2]
    both = np.count_nonzero(truth & predicted, axis=(1, 2)).astype(np.int64)
    said = np.count_nonzero(predicted, axis=(1, 2)).astype(np.int64)
    there = np.count_nonzero(truth, axis=(1, 2)).astype(np.int64)
    return Overlap(both, said - both, there - both, pixels - said - there + both)


def measure_overlap(overlap: Overlap) -> pd.DataFrame:
    """Each measure of each image: N rows, the columns of `MEASURES`, 0 to 1."""
    tp, fp, fn, tn = overlap.true_positive, overlap.false_positive, overlap.false_negative, overlap.true_negative
    dice = _ratio(2 * tp, 2 * tp + fp + fn, 1.0)
    return pd.DataFrame(
        {
            "dice": dice,
            "jaccard": _ratio(tp, tp + fp + fn, 1.0),
            "sensitivity": _ratio(tp, tp + fn, 1.0),
            "specificity": _ratio(tn, tn + fp, 1.0),
            "precision": _ratio(tp, tp + fp, np.where(fn == 0, 1.0, 0.0)),
            "f1": dice,
            "global_accuracy": _ratio(tp + tn, tp + fp + fn + tn, 1.0),
        }
    )


def threshold_jaccard(jaccard: npt.NDArray[np.float64]) -> npt.NDArray[np.float64]:
    """Jaccard of N images, one below 0.65 counting as 0, since such a mask failed (ISIC 2018)."""
    thresholded: npt.NDArray[np.float64] = np.where(jaccard >= _LEAST_JACCARD, jaccard, 0.0)
    return thresholded


def _ratio(
    above: npt.NDArray[np.int64], below: npt.NDArray[np.int64], empty: float | npt.NDArray[np.float64]
) -> npt.NDArray[np.float64]:
    share: npt.NDArray[np.float64] = np.where(below > 0, above / np.maximum(below, 1), empty)
    return share
