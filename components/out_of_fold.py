"""What a model that was trained with folds says of train and val, each image judged by members that did not learn from it.

out_of_fold.parquet beside the bundle, one row an image:

classifier   image_id, group_id, fold, label, p_MEL … p_SCC
segmenter    image_id, group_id, fold, the four pixel counts and boundary_f1 of `components.predictions`

It lists images by their ids, so it is no part of the bundle and is registered nowhere; the bundle knows its digest.
"""

from pathlib import Path

import pandas as pd
import pyarrow as pa

from components.bundle import Description
from components.errors import BundleError
from components.files import sha256_file
from components.lesions import Task
from components.parquet import read_table, write_table
from components.predictions import COUNT_COLUMNS, PROBABILITY_COLUMNS

OUT_OF_FOLD = "out_of_fold.parquet"
# A segmenter's has held boundary_f1 since 2.
_VERSIONS = {Task.CLASSIFICATION: 1, Task.SEGMENTATION: 2}
_REMEDY = "train the model again"

_WHO = [
    pa.field("image_id", pa.string(), nullable=False),
    pa.field("group_id", pa.string(), nullable=False),
    pa.field("fold", pa.int32(), nullable=False),
]
_SCHEMAS = {
    Task.CLASSIFICATION: pa.schema(
        [*_WHO, pa.field("label", pa.string(), nullable=False)]
        + [pa.field(name, pa.float32(), nullable=False) for name in PROBABILITY_COLUMNS]
    ),
    Task.SEGMENTATION: pa.schema(
        [
            *_WHO,
            *(pa.field(name, pa.int64(), nullable=False) for name in COUNT_COLUMNS),
            pa.field("boundary_f1", pa.float64(), nullable=False),
        ]
    ),
}


def write_out_of_fold(folder: Path, task: Task, table: pd.DataFrame) -> str:
    """Write out_of_fold.parquet, whole or not at all and the same bytes for the same table, and return its SHA-256."""
    write_table(folder / OUT_OF_FOLD, table, _SCHEMAS[task], _VERSIONS[task], remedy=_REMEDY)
    return sha256_file(folder / OUT_OF_FOLD)


def read_out_of_fold(folder: Path, description: Description) -> pd.DataFrame:
    """Read the out_of_fold.parquet beside a bundle.

    Args:
        folder: the bundle's.
        description: what the bundle says of itself; `out_of_fold` is the file's digest.

    Raises:
        BundleError: the file is absent, or its bytes are not those that were written.
        DatasetError: it is of another schema version.
    """
    path = folder / OUT_OF_FOLD
    if not path.is_file():
        raise BundleError(
            f"{path}: does not exist; {description.name} was trained with folds and its figures of val come from this file: "
            "take the whole output of its training, or train again"
        )
    if sha256_file(path) != description.out_of_fold:
        raise BundleError(f"{path}: its bytes changed since it was written; copy it again or train again")
    return read_table(path, _VERSIONS[description.task], absent=_REMEDY, remedy=_REMEDY)
