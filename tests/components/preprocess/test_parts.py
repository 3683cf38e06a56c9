"""Preprocessing dealt out: parts of the shards, then one step that brings them together."""

from pathlib import Path

import pytest

from components.dataset import Dataset
from components.errors import ParamsError
from components.files import sha256_file
from components.params import PreprocessParams
from components.preprocess import preprocess
from components.preprocess_shards import preprocess_shards
from components.reporter import Reporter
from tests.datasets import encoded_dataset


def made(folder: Path) -> Path:
    folder.mkdir(parents=True)
    return folder


def digests(folder: Path) -> dict[str, str]:
    return {str(path.relative_to(folder)): sha256_file(path) for path in sorted(folder.rglob("*")) if path.is_file()}


@pytest.fixture(scope="module")
def encoded(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return encoded_dataset(tmp_path_factory.mktemp("data") / "validated", per_class=3)


def parts_of(encoded: Path, params: PreprocessParams, folder: Path, number: int) -> list[Path]:
    parts = [made(folder / str(part)) for part in range(number)]
    for place, part in enumerate(parts):
        preprocess_shards(encoded, part, params, Reporter(part, "preprocess_shards"), part=f"{place}/{number}")
    return parts


@pytest.mark.parametrize("number", [1, 3, 50])
def test_parts_brought_together_are_the_one_task_s_bytes(
    encoded: Path, tmp_path: Path, small_params: PreprocessParams, number: int
) -> None:
    whole, joined = made(tmp_path / "whole"), made(tmp_path / "joined")
    preprocess(encoded, whole, small_params, Reporter(whole, "preprocess"))
    parts = parts_of(encoded, small_params, tmp_path / "parts", number)
    preprocess(encoded, joined, small_params, Reporter(joined, "preprocess"), earlier=parts)
    assert digests(joined) == digests(whole)
    assert Dataset(joined).version == Dataset(whole).version == Dataset(encoded).version


def test_who_brings_them_together_preprocesses_nothing(encoded: Path, tmp_path: Path, small_params: PreprocessParams) -> None:
    parts = parts_of(encoded, small_params, tmp_path / "parts", 2)
    joined = made(tmp_path / "joined")
    preprocess(encoded, joined, small_params, Reporter(joined, "preprocess"), earlier=parts)
    made_there = {path.stat().st_ino for part in parts for path in part.glob("shards/*.npy")}
    assert {path.stat().st_ino for path in joined.glob("shards/*.npy")} == made_there


@pytest.mark.parametrize("part", ["", "1", "2/2", "-1/2", "a/b"])
def test_a_part_that_is_none_is_refused(encoded: Path, tmp_path: Path, small_params: PreprocessParams, part: str) -> None:
    with pytest.raises(ParamsError, match="part"):
        preprocess_shards(encoded, tmp_path, small_params, Reporter(tmp_path, "preprocess_shards"), part=part)
