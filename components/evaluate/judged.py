"""Which images judge a model, and what it says of them: those that it did not learn from.

predictions/<model>.parquet   classifier: image_id, lesion_id, group_id, split, fold, label, p_MEL … p_SCC
                              segmenter: the same up to fold, the four pixel counts, each measure of the image

Rows of split test are what the model answers. The others are, for a model that learned from train, the answers to val; one that was
trained with folds learned from val too, so there they are its out-of-fold predictions, of train and val, at its temperature.

parents/<model>.parquet   the same of the model that it was trained on from, where there is one: of test, and of val where the
                          model did not learn from val
"""

from collections.abc import Callable
from pathlib import Path

import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq

from components.bundle import Bundle, Description
from components.calibration import calibrate
from components.dataset import Dataset
from components.errors import BundleError, DatasetError
from components.files import atomic_write
from components.lesions import Split, Task
from components.out_of_fold import read_out_of_fold
from components.overlap import MEASURES, measure_overlap, threshold_jaccard
from components.predictions import PROBABILITY_COLUMNS, MaskKeeper, overlap_of, predict_rows, probabilities_of

JUDGED: tuple[Split, ...] = (Split.VAL, Split.TEST)
_IDENTITY = ["image_id", "lesion_id", "group_id", "split", "fold"]


def rows_to_predict(dataset: Dataset, description: Description) -> pd.DataFrame:
    """Rows that a model is asked about: test, and val where it did not learn from it.

    Raises:
        DatasetError: one of the two splits is empty.
    """
    rows = dataset.rows(description.task)
    for split in JUDGED:
        if not (rows["split"] == split.value).any():
            raise DatasetError(
                f"{dataset.root}: {description.task} has no {split} images; add data, or raise validate.{split}_share"
            )
    asked = JUDGED if description.out_of_fold is None else (Split.TEST,)
    return rows[rows["split"].isin([split.value for split in asked])].reset_index(drop=True)


def judged_table(
    folder: Path, bundle: Bundle, dataset: Dataset, tell: Callable[[int], None], keep: MaskKeeper | None = None
) -> pd.DataFrame:
    """What a model says of the images that judge it: the columns that stand at the top of this file.

    Args:
        folder: the bundle's; with folds, its out-of-fold predictions lie there too.
        bundle: the model.
        dataset: a preprocessed dataset.
        tell: called with the number of images of each batch.
        keep: handed the masks that the model draws.

    Raises:
        BundleError: the model predicts something that is no probability, or its out-of-fold predictions are absent, changed, or of
            another version of the data.
        DatasetError: a split is empty.
    """
    description = bundle.description
    table = answered(bundle, dataset, rows_to_predict(dataset, description), tell, keep)
    if description.out_of_fold is None:
        return table
    _refuse_other_data(folder, description, dataset)
    known = dataset.rows(bundle.task)[_known(bundle.task)]
    out_of_fold = known.merge(read_out_of_fold(folder, description).drop(columns=known.columns[1:], errors="ignore"), on="image_id")
    if bundle.task is Task.CLASSIFICATION:
        out_of_fold[list(PROBABILITY_COLUMNS)] = calibrate(probabilities_of(out_of_fold), description.temperature)
    return pd.concat([measured(bundle.task, out_of_fold), table], ignore_index=True)[table.columns]


def answered(
    bundle: Bundle, dataset: Dataset, rows: pd.DataFrame, tell: Callable[[int], None], keep: MaskKeeper | None = None
) -> pd.DataFrame:
    """What a model says of rows of a dataset: the columns that stand at the top of this file; arguments as of `predict_rows`."""
    return measured(bundle.task, rows[_known(bundle.task)].join(predict_rows(bundle, dataset, rows, tell, keep)))


def _known(task: Task) -> list[str]:
    return _IDENTITY + (["label"] if task is Task.CLASSIFICATION else [])


def measured(task: Task, table: pd.DataFrame) -> pd.DataFrame:
    """A segmenter's table with each of `IMAGE_MEASURES`; a classifier's as it is."""
    if task is Task.CLASSIFICATION:
        return table
    overlaps = measure_overlap(overlap_of(table))[list(MEASURES)]
    return table.join(overlaps.assign(thresholded_jaccard=threshold_jaccard(overlaps["jaccard"].to_numpy())))


def _refuse_other_data(folder: Path, description: Description, dataset: Dataset) -> None:
    if description.data_version != dataset.version:
        raise BundleError(
            f"{folder}: {description.name} was trained with folds on data version {description.data_version[:12]}, and which "
            f"images of {dataset.version[:12]} it did not learn from is not known; evaluate it on its own data, or train again"
        )


def split_judged(table: pd.DataFrame) -> tuple[pd.DataFrame, pd.DataFrame]:
    """The rows behind a model's figures of val, and those behind its figures of test."""
    is_test = table["split"] == Split.TEST.value
    return table[~is_test], table[is_test]


def write_predictions(path: Path, table: pd.DataFrame) -> None:
    """Write a table of predictions, whole or not at all, the same bytes for the same table."""
    with atomic_write(path) as handle:
        pq.write_table(pa.Table.from_pandas(table, preserve_index=False).replace_schema_metadata(None), handle)


def read_predictions(path: Path) -> pd.DataFrame:
    """Read a table of predictions."""
    table: pd.DataFrame = pq.read_table(path).to_pandas()
    return table
