"""How a version of the data was split, so that another home, or a cluster, can tell whether a model of it learned from an image.

splits.parquet   task, split, fold; image_id and group_id, each as its SHA-256; sha256 of the image's file

It lies with each run in MLflow. Ids are told as digests, since they may be a patient's; what can be guessed can be guessed from a
digest, too.
"""

from pathlib import Path

import pandas as pd
import pyarrow as pa

from components.dataset import Dataset
from components.files import sha256_bytes
from components.parquet import read_table, write_table

SPLITS = "splits.parquet"
SCHEMA_VERSION = 1
SCHEMA = pa.schema(
    [
        pa.field("task", pa.string(), nullable=False),
        pa.field("split", pa.string(), nullable=False),
        pa.field("fold", pa.int32()),
        pa.field("image_id", pa.string(), nullable=False),
        pa.field("group_id", pa.string(), nullable=False),
        pa.field("sha256", pa.string(), nullable=False),
    ]
)

_IDS = ("image_id", "group_id")
_REMEDY = "register the run that it belongs to again"


def told(rows: pd.DataFrame) -> pd.DataFrame:
    """Rows of a manifest as they are told to others: the columns of `SCHEMA`, in the same order, with the same index."""
    digests = {name: rows[name].map(lambda text: sha256_bytes(str(text).encode())) for name in _IDS}
    return rows[list(SCHEMA.names)].assign(**digests)


def write_splits(path: Path, dataset: Dataset) -> None:
    """Write splits.parquet of all rows of a dataset."""
    write_table(path, told(dataset.manifest), SCHEMA, SCHEMA_VERSION, remedy="preprocess the data again")


def read_splits(path: Path) -> pd.DataFrame:
    """Read splits.parquet.

    Raises:
        DatasetError: it is absent, damaged, or of another schema version.
    """
    return read_table(path, SCHEMA_VERSION, absent=_REMEDY, remedy=_REMEDY, types={pa.int32(): pd.Int32Dtype()})


def known(judged: pd.DataFrame, learned: pd.DataFrame) -> "pd.Series[bool]":
    """Which of some rows, as `told`, show an image, or one of a group or of the same bytes, that is among others."""
    seen = [judged[column].isin(set(learned[column])) for column in (*_IDS, "sha256")]
    return seen[0] | seen[1] | seen[2]
