"""Tables of ours as Parquet files with a schema version: written whole, read with one sentence for what can be wrong."""

from collections.abc import Callable, Mapping
from pathlib import Path
from typing import IO

import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq

from components.errors import DatasetError
from components.files import atomic_write

Opener = Callable[[Path], IO[bytes]]
"""Opens a file of a dataset folder for reading; the file system itself is one, an older version of the folder in DVC another."""


def open_local(path: Path) -> IO[bytes]:
    """The file system's opener."""
    return path.open("rb")


def write_table(
    path: Path, frame: pd.DataFrame, schema: pa.Schema, version: int, *, remedy: str, more: Mapping[str, str] | None = None
) -> None:
    """Write a table.

    Args:
        path: the file.
        frame: its rows, with the columns of `schema`.
        schema: the type of each column, and whether its cells may be empty.
        version: of the schema; it stands in the file's metadata.
        remedy: what to do about an empty cell that may not be: the end of an error's sentence.
        more: further metadata.

    Raises:
        DatasetError: a cell is empty that may not be, or of another type.
        StoreError: the file cannot be written.
    """
    for field in schema:
        if not field.nullable and frame[field.name].isna().any():
            raise DatasetError(f"{path}: {field.name} is empty in {int(frame[field.name].isna().sum()):,} rows; {remedy}")
    try:
        table = pa.Table.from_pandas(frame[schema.names], schema=schema, preserve_index=False)
    except (pa.ArrowInvalid, pa.ArrowTypeError, OverflowError) as error:
        raise DatasetError(f"{path}: {error}; every column must have its type") from error
    metadata = {"schema_version": str(version), **(more or {})}
    with atomic_write(path) as handle:
        pq.write_table(table.replace_schema_metadata(metadata), handle)
    del table
    _give_back()


def read_table(
    path: Path,
    version: int,
    *,
    absent: str,
    remedy: str,
    opener: Opener = open_local,
    types: Mapping[pa.DataType, object] | None = None,
) -> pd.DataFrame:
    """Read a table that `write_table` wrote.

    Args:
        path: the file.
        version: of the schema that this program reads.
        absent: what an absent file means, the end of an error's sentence.
        remedy: what to do about a damaged one.
        opener: how it is opened.
        types: Arrow type → pandas type, where another than the usual one is wanted.

    Raises:
        DatasetError: the file is absent, damaged, or of another schema version.
    """
    try:
        with opener(path) as handle:
            table = pq.read_table(handle)
    except FileNotFoundError as error:
        raise DatasetError(f"{path}: does not exist; {absent}") from error
    except (pa.ArrowInvalid, OSError) as error:
        raise DatasetError(f"{path}: cannot be read ({str(error).splitlines()[0]}); {remedy}") from error
    found = (table.schema.metadata or {}).get(b"schema_version", b"none").decode()
    if found != str(version):
        raise DatasetError(f"{path}: schema version is {found}, this program reads {version}; {remedy}")
    frame: pd.DataFrame = table.to_pandas(types_mapper=types.get if types else None)
    del table
    _give_back()
    return frame


def _give_back() -> None:
    # Arrow keeps what it has freed; beside images that are read one by one it would be most of what a step holds.
    pa.default_memory_pool().release_unused()
