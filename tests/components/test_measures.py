from pathlib import Path

import numpy as np
import pandas as pd
import pyarrow.parquet as pq
import pytest

from components.errors import DatasetError
from components.measures import COLUMNS, read_measures, write_measures


def hashes(count: int, first: int) -> pd.Series:
    """Cells of eight numbers that fall from `first`."""
    return pd.Series([[first - turn for turn in range(8)] for _ in range(count)], dtype=object)


def measures(count: int = 2) -> pd.DataFrame:
    """Rows of whatever values, the first with a mask."""
    values = {name: np.linspace(0.1, 0.9, count) for name in COLUMNS}
    frame = pd.DataFrame(values).assign(
        image_id=[f"I{number}" for number in range(count)],
        task="classification",
        bytes=range(count),
        pixels_sha256="ab",
        hash=hashes(count, 2**64 - 1),
        mask_components=pd.array([1] + [None] * (count - 1), "Int32"),
    )
    frame.loc[1:, ["mask_share", "mask_rim", "mask_contrast", "skin_tone"]] = np.nan
    return frame


def test_what_was_written_is_read_again_empty_cells_and_all_64_bits_included(tmp_path: Path) -> None:
    write_measures(tmp_path, measures())
    read = read_measures(tmp_path)
    assert list(read.columns) == list(COLUMNS)
    assert [cell.tolist() for cell in read["hash"]] == measures()["hash"].tolist()
    assert read["mask_components"].tolist() == [1, pd.NA]
    rest = [name for name in COLUMNS if name not in ("hash", "mask_components")]
    pd.testing.assert_frame_equal(read[rest], measures()[rest], check_dtype=False)


def test_equal_measures_give_equal_bytes(tmp_path: Path) -> None:
    for place in ("a", "b"):
        write_measures(tmp_path / place, measures())
    assert (tmp_path / "a/measures.parquet").read_bytes() == (tmp_path / "b/measures.parquet").read_bytes()


@pytest.mark.parametrize(
    ("broken", "told"),
    [
        (measures().drop(columns="sharpness"), "column sharpness is missing"),
        (measures().assign(hair_share=np.nan), "hair_share is empty"),
        (measures().assign(hash=hashes(2, -1)), "every column must have its type"),
    ],
)
def test_measures_that_break_the_schema_are_refused_by_name(tmp_path: Path, broken: pd.DataFrame, told: str) -> None:
    with pytest.raises(DatasetError, match=f"measures.parquet: .*{told}"):
        write_measures(tmp_path, broken)


def test_a_file_that_is_absent_damaged_or_of_another_version_is_refused_by_name(tmp_path: Path) -> None:
    path = tmp_path / "measures.parquet"
    with pytest.raises(DatasetError, match="does not exist"):
        read_measures(tmp_path)
    write_measures(tmp_path, measures())
    table = pq.read_table(path)
    pq.write_table(table.replace_schema_metadata({b"schema_version": b"7"}), path)
    with pytest.raises(DatasetError, match="schema version is 7, this program reads 1"):
        read_measures(tmp_path)
    path.write_bytes(b"no parquet")
    with pytest.raises(DatasetError, match=r"measures\.parquet: cannot be read"):
        read_measures(tmp_path)
