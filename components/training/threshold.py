"""The mask threshold that is best on images which the model did not learn from."""

from collections.abc import Iterable

import numpy as np
import numpy.typing as npt

Floats = npt.NDArray[np.float32]

GRID: Floats = np.arange(5, 96, dtype=np.float32) / np.float32(100)
"""Thresholds that are tried: 0.05, 0.06, … 0.95."""


def choose_mask_threshold(pairs: Iterable[tuple[Floats, Floats]]) -> float:
    """The threshold with the highest mean Jaccard index of the images; of equal ones that nearest to one half.

    Each batch is counted and let go, so that memory does not grow with pixels: an image leaves 2 x 92 numbers.

    Args:
        pairs: masks, 0 | 1, and the probabilities that the model predicts for them, 0 to 1, both N x H x W x 1; one image or more.

    Returns:
        One of `GRID`.
    """
    indices = np.concatenate([jaccard_by_threshold(*pair) for pair in pairs]).mean(axis=0)
    # Sums of other orders differ in their last digits.
    best = np.flatnonzero(indices >= indices.max() - 1e-9)
    thresholds = [round(float(threshold), 2) for threshold in GRID[best]]
    return min(thresholds, key=lambda threshold: abs(threshold - 0.5))


def jaccard_by_threshold(masks: Floats, probabilities: Floats) -> npt.NDArray[np.float64]:
    """The Jaccard index of each image at each threshold of `GRID`, N x 91; 1 where mask and prediction are both empty."""
    # How many thresholds each pixel reaches tells its answer at all of them.
    reached = np.searchsorted(GRID, probabilities, side="right")
    lesion, skin = _count(reached, masks > 0), _count(reached, masks <= 0)
    # Pixels that reach the k-th threshold are those that reach k + 1 thresholds or more.
    found, wrong = (counts[:, ::-1].cumsum(axis=1)[:, ::-1][:, 1:] for counts in (lesion, skin))
    union = wrong + lesion.sum(axis=1, keepdims=True)
    indices: npt.NDArray[np.float64] = np.divide(found, union, out=np.ones(found.shape), where=union > 0)
    return indices


def _count(reached: npt.NDArray[np.intp], chosen: npt.NDArray[np.bool_]) -> npt.NDArray[np.int64]:
    """Chosen pixels of each image by how many thresholds they reach, N x 92."""
    counts = [np.bincount(one[here], minlength=len(GRID) + 1) for one, here in zip(reached, chosen, strict=True)]
    return np.stack(counts).astype(np.int64)
