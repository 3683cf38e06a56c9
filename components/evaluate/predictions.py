"""What a model says of every image that it did not learn from, kept so that each figure can be traced to its images.

predictions/<model>.parquet   classifier: image_id, lesion_id, group_id, split, label, p_MEL … p_SCC
                              segmenter: image_id, lesion_id, group_id, split, the four pixel counts, each measure of the image
parents/<model>.parquet       the same of the model that it was trained on from, where there is one
"""

from collections.abc import Callable, Iterator
from pathlib import Path

import cv2
import numpy as np
import numpy.typing as npt
import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq

from components.bundle import Bundle
from components.dataset import Dataset
from components.errors import BundleError, DatasetError
from components.evaluate.segmentation import Overlap, count_overlap, measure_overlap
from components.files import atomic_write
from components.lesions import CODES, Split, Task

JUDGED: tuple[Split, ...] = (Split.VAL, Split.TEST)
PROBABILITY_COLUMNS: tuple[str, ...] = tuple(f"p_{code}" for code in CODES)
COUNT_COLUMNS: tuple[str, ...] = ("true_positive", "false_positive", "false_negative", "true_negative")
_IDENTITY = ["image_id", "lesion_id", "group_id", "split"]
_BATCH = 32


def judged_rows(dataset: Dataset, task: Task) -> pd.DataFrame:
    """Rows of val and test of a task.

    Raises:
        DatasetError: one of the two splits is empty.
    """
    rows = dataset.rows(task)
    for split in JUDGED:
        if not (rows["split"] == split.value).any():
            raise DatasetError(f"{dataset.root}: {task} has no {split} images; add data, or raise validate.{split}_share")
    return rows[rows["split"].isin([split.value for split in JUDGED])].reset_index(drop=True)


def predict(bundle: Bundle, dataset: Dataset, tell: Callable[[int], None]) -> pd.DataFrame:
    """Predict val and test with a model: one row an image, the columns that stand at the top of this file.

    Args:
        bundle: the model.
        dataset: a preprocessed dataset.
        tell: called with the number of images that each batch had.

    Raises:
        BundleError: the model predicts something that is no probability.
        DatasetError: a split is empty.
    """
    rows = judged_rows(dataset, bundle.task)
    batches = [rows.iloc[start : start + _BATCH] for start in range(0, len(rows), _BATCH)]
    if bundle.task is Task.CLASSIFICATION:
        return pd.concat([_diagnoses(bundle, dataset, batch) for batch in _told(batches, tell)], ignore_index=True)
    return pd.concat([_overlaps(bundle, dataset, batch) for batch in _told(batches, tell)], ignore_index=True)


def predict_masks(bundle: Bundle, dataset: Dataset, rows: pd.DataFrame) -> npt.NDArray[np.bool_]:
    """The masks that a segmenter draws on rows of a preprocessed dataset: N x H x W of the stored size, bool, True where lesion."""
    probabilities = _probabilities(bundle, dataset, rows)
    height, width = bundle.description.stored_size
    if probabilities.shape[1:] != (height, width):
        probabilities = np.stack([cv2.resize(one, (width, height), interpolation=cv2.INTER_LINEAR) for one in probabilities])
    threshold = bundle.description.mask_threshold
    assert threshold is not None, bundle.name
    masks: npt.NDArray[np.bool_] = probabilities >= threshold
    return masks


def overlap_of(table: pd.DataFrame) -> Overlap:
    """The pixel counts in a segmenter's table."""
    return Overlap(*(table[name].to_numpy(np.int64) for name in COUNT_COLUMNS))


def probabilities_of(table: pd.DataFrame) -> npt.NDArray[np.float32]:
    """The probabilities in a classifier's table, N x 8."""
    return table[list(PROBABILITY_COLUMNS)].to_numpy(np.float32)


def write_predictions(path: Path, table: pd.DataFrame) -> None:
    """Write a table of predictions, whole or not at all, the same bytes for the same table."""
    with atomic_write(path) as handle:
        pq.write_table(pa.Table.from_pandas(table, preserve_index=False).replace_schema_metadata(None), handle)


def read_predictions(path: Path) -> pd.DataFrame:
    """Read a table of predictions."""
    table: pd.DataFrame = pq.read_table(path).to_pandas()
    return table


def _told(batches: list[pd.DataFrame], tell: Callable[[int], None]) -> Iterator[pd.DataFrame]:
    for batch in batches:
        yield batch
        tell(len(batch))


def _diagnoses(bundle: Bundle, dataset: Dataset, rows: pd.DataFrame) -> pd.DataFrame:
    table = rows[[*_IDENTITY, "label"]].reset_index(drop=True)
    return table.join(pd.DataFrame(_probabilities(bundle, dataset, rows), columns=list(PROBABILITY_COLUMNS)))


def _overlaps(bundle: Bundle, dataset: Dataset, rows: pd.DataFrame) -> pd.DataFrame:
    overlap = count_overlap(dataset.masks(rows) > 0, predict_masks(bundle, dataset, rows))
    counts = pd.DataFrame(vars(overlap))
    return rows[_IDENTITY].reset_index(drop=True).join(counts).join(measure_overlap(overlap))


def _probabilities(bundle: Bundle, dataset: Dataset, rows: pd.DataFrame) -> npt.NDArray[np.float32]:
    predicted = bundle.predict_pixels(dataset.images(rows))
    bad = ~np.isfinite(predicted).reshape(len(rows), -1).all(axis=1)
    if bad.any():
        image = rows.iloc[int(bad.argmax())]["image_id"]
        raise BundleError(
            f"{bundle.name}: its prediction for {image} is no number; training diverged, lower its learning_rate and train again"
        )
    return predicted
