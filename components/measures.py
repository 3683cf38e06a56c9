"""measures.parquet: what validate measured on the pixels of every image and mask, written and read here alone.

One row for each row of the validated manifest (same `image_id` and `task`, same order). A measure depends on pixels alone, so that
labels and tables may change without decoding again; `components.measuring` says how each is taken.
"""

from pathlib import Path

import pandas as pd
import pyarrow as pa

from components.errors import DatasetError
from components.parquet import read_table, write_table

SCHEMA_VERSION = 1

# Column → Arrow type, and what it tells. Null: nothing to measure on (no mask; no skin that can be told from the rest).
SCHEMA = pa.schema(
    [
        pa.field("image_id", pa.string(), nullable=False),
        pa.field("task", pa.string(), nullable=False),
        pa.field("bytes", pa.int64(), nullable=False),  # encoded size
        pa.field("pixels_sha256", pa.string(), nullable=False),  # of the decoded RGB pixels and their shape
        pa.field("hash", pa.list_(pa.uint64()), nullable=False),  # perceptual hashes, one a turn of the picture
        pa.field("sharpness", pa.float64(), nullable=False),  # variance of the Laplacian, longer side scaled to 512; 0 or more
        pa.field("lightness", pa.float64(), nullable=False),  # mean L*, 0 to 100
        pa.field("dark_share", pa.float64(), nullable=False),  # of pixels that are clipped at the dark end, 0 to 1
        pa.field("bright_share", pa.float64(), nullable=False),  # at the bright end
        pa.field("border_darkness", pa.float64(), nullable=False),  # share of rim and corners that is black vignette, 0 to 1
        pa.field("hair_share", pa.float64(), nullable=False),  # of pixels that are hair, 0 to 1
        pa.field("skin_tone", pa.float64()),  # individual typology angle of lesion-free skin, degrees, -90 to 90
        pa.field("skin_share", pa.float64(), nullable=False),  # of pixels that were taken for lesion-free skin, 0 to 1
        pa.field("mask_share", pa.float64()),  # of pixels that are lesion, 0 to 1
        pa.field("mask_components", pa.int32()),  # connected parts of the lesion
        pa.field("mask_rim", pa.float64()),  # share of the picture's rim that is lesion: 0 not cut off
        pa.field("mask_contrast", pa.float64()),  # AUC of the colour axis that best tells lesion from skin around it, 0.5 to 1
    ]
)
COLUMNS: tuple[str, ...] = tuple(SCHEMA.names)

_FILE = "measures.parquet"


def write_measures(root: Path, measures: pd.DataFrame) -> None:
    """Write measures.parquet; equal measures give equal bytes.

    Args:
        root: a dataset folder.
        measures: the columns of COLUMNS; `hash` holds 64-bit unsigned integers, one for each turn, in the order of
            `components.near_duplicates.turned`.

    Raises:
        DatasetError: a column is missing, of another type, or empty where it must not be.
    """
    missing = [name for name in COLUMNS if name not in measures.columns]
    if missing:
        raise DatasetError(f"{root / _FILE}: column {missing[0]} is missing; it must have {', '.join(COLUMNS)}")
    remedy = "measure it, or leave the image out"
    write_table(root / _FILE, measures[list(COLUMNS)], SCHEMA, SCHEMA_VERSION, remedy=remedy)


def read_measures(root: Path) -> pd.DataFrame:
    """Read measures.parquet: the columns of COLUMNS; `hash` as arrays of uint64, empty cells as NaN (`mask_components`: Int32, NA).

    Raises:
        DatasetError: the file is absent, damaged, or of another schema version.
    """
    remedy = "validate the data again"
    whole_numbers = {pa.int32(): pd.Int32Dtype()}
    return read_table(root / _FILE, SCHEMA_VERSION, absent=remedy, remedy=remedy, types=whole_numbers)
