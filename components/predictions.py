"""What a model answers to rows of a dataset, as columns of a table.

classifier: p_MEL … p_SCC, the probabilities
segmenter:  true_positive, false_positive, false_negative, true_negative: pixels of the stored size
            boundary_f1: F1 of the outlines at that size
"""

from collections.abc import Callable

import numpy as np
import numpy.typing as npt
import pandas as pd

from components.boundary import boundary_f1
from components.bundle import Bundle
from components.dataset import Dataset
from components.errors import BundleError
from components.lesions import CODES, Task
from components.mask import mask_of
from components.overlap import Overlap, count_overlap

PROBABILITY_COLUMNS: tuple[str, ...] = tuple(f"p_{code}" for code in CODES)
COUNT_COLUMNS: tuple[str, ...] = ("true_positive", "false_positive", "false_negative", "true_negative")
MaskKeeper = Callable[[pd.DataFrame, npt.NDArray[np.bool_], npt.NDArray[np.bool_]], None]
"""Takes rows, their true masks and those that a segmenter drew, both N x H x W of the stored size, True where lesion."""

_BATCH = 32


def predict_rows(
    bundle: Bundle, dataset: Dataset, rows: pd.DataFrame, tell: Callable[[int], None], keep: MaskKeeper | None = None
) -> pd.DataFrame:
    """Predict rows with a model: the columns that stand at the top of this file, in the order of the rows.

    Args:
        bundle: the model.
        dataset: a preprocessed dataset.
        rows: of the model's task, at least one.
        tell: called with the number of images that each batch had.
        keep: handed each batch's masks, where the model is a segmenter.

    Raises:
        BundleError: the model predicts something that is no probability.
    """
    parts = []
    for start in range(0, len(rows), _BATCH):
        batch = rows.iloc[start : start + _BATCH]
        parts.append(
            _diagnoses(bundle, dataset, batch) if bundle.task is Task.CLASSIFICATION else _overlaps(bundle, dataset, batch, keep)
        )
        tell(len(batch))
    return pd.concat(parts, ignore_index=True)


def predict_masks(bundle: Bundle, dataset: Dataset, rows: pd.DataFrame) -> npt.NDArray[np.bool_]:
    """The masks that a segmenter draws on rows of a preprocessed dataset: N x H x W of the stored size, bool, True where lesion."""
    probabilities = _probabilities(bundle, dataset, rows)
    threshold = bundle.description.mask_threshold
    assert threshold is not None, bundle.name
    return np.stack([mask_of(one, bundle.description.stored_size, threshold) for one in probabilities])


def overlap_of(table: pd.DataFrame) -> Overlap:
    """The pixel counts in a segmenter's table."""
    return Overlap(*(table[name].to_numpy(np.int64) for name in COUNT_COLUMNS))


def probabilities_of(table: pd.DataFrame) -> npt.NDArray[np.float32]:
    """The probabilities in a classifier's table, N x 8."""
    return table[list(PROBABILITY_COLUMNS)].to_numpy(np.float32)


def _diagnoses(bundle: Bundle, dataset: Dataset, rows: pd.DataFrame) -> pd.DataFrame:
    return pd.DataFrame(_probabilities(bundle, dataset, rows), columns=list(PROBABILITY_COLUMNS))


def _overlaps(bundle: Bundle, dataset: Dataset, rows: pd.DataFrame, keep: MaskKeeper | None) -> pd.DataFrame:
    truth, predicted = dataset.masks(rows) > 0, predict_masks(bundle, dataset, rows)
    if keep is not None:
        keep(rows, truth, predicted)
    return pd.DataFrame(vars(count_overlap(truth, predicted))).assign(boundary_f1=boundary_f1(truth, predicted))


def _probabilities(bundle: Bundle, dataset: Dataset, rows: pd.DataFrame) -> npt.NDArray[np.float32]:
    predicted = bundle.predict_pixels(dataset.images(rows))
    bad = ~np.isfinite(predicted).reshape(len(rows), -1).all(axis=1)
    if bad.any():
        image = rows.iloc[int(bad.argmax())]["image_id"]
        raise BundleError(
            f"{bundle.name}: its prediction for {image} is no number; training diverged, lower its learning_rate and train again"
        )
    return predicted
