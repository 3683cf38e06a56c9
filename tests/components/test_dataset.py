import os
import shutil
import zipfile
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pyarrow.parquet as pq
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from components.dataset import (
    COLUMNS,
    VERSIONED,
    Dataset,
    data_version,
    has_pixels_shard,
    read_manifest,
    shard_name,
    write_files_shard,
    write_manifest,
    write_pixels_shard,
)
from components.errors import DatasetError
from components.lesions import Split, Task
from tests.datasets import preprocessed_dataset

FULL: dict[str, Any] = {
    "image_id": "ISIC_1",
    "task": "classification",
    "label": "MEL",
    "mask": "shards/a.zip/ISIC_1_segmentation.png",
    "lesion_id": "L1",
    "group_id": "P1",
    "age_approx": 45.0,
    "sex": "female",
    "anatom_site_general": "head/neck",
    "skin_tone": 31.5,
    "source": "clinic",
    "licence": "CC-0",
    "patient_id": "P1",
    "sha256": "a" * 64,
    "mask_sha256": "b" * 64,
    "width": 600,
    "height": 450,
    "split": "train",
    "fold": 3,
    "shard": "shards/a.zip",
    "row": 0,
}
# As a row of ISIC may be: nothing known but the picture and its label.
BARE = (
    dict.fromkeys(COLUMNS) | {k: FULL[k] for k in ("task", "label", "source", "sha256", "width", "height")} | {"image_id": "ISIC_0"}
)


def frame(*rows: dict[str, Any]) -> pd.DataFrame:
    return pd.DataFrame(rows, columns=list(COLUMNS))


def test_a_manifest_comes_back_as_it_was_written_empty_cells_included(tmp_path: Path) -> None:
    write_manifest(tmp_path, frame(FULL, BARE))
    bare, full = read_manifest(tmp_path).to_dict("records")
    assert full == FULL
    assert {name: value for name, value in bare.items() if not pd.isna(value)} == {k: v for k, v in BARE.items() if v is not None}


def test_rows_are_sorted_by_task_and_id_so_that_equal_data_are_equal_bytes(tmp_path: Path) -> None:
    rows = [FULL | {"image_id": name, "task": task} for name in ("b", "a") for task in ("segmentation", "classification")]
    for folder, order in ((tmp_path / "one", rows), (tmp_path / "other", rows[::-1])):
        write_manifest(folder, frame(*order))
    assert (tmp_path / "one/manifest.parquet").read_bytes() == (tmp_path / "other/manifest.parquet").read_bytes()
    read = read_manifest(tmp_path / "one")
    assert list(zip(read["task"], read["image_id"], strict=True)) == [
        ("classification", "a"),
        ("classification", "b"),
        ("segmentation", "a"),
        ("segmentation", "b"),
    ]


def test_another_schema_version_is_refused_by_name(tmp_path: Path) -> None:
    write_manifest(tmp_path, frame(FULL))
    table = pq.read_table(tmp_path / "manifest.parquet")
    pq.write_table(table.replace_schema_metadata({b"schema_version": b"99"}), tmp_path / "manifest.parquet")
    with pytest.raises(DatasetError, match=r"manifest\.parquet: schema version is 99"):
        read_manifest(tmp_path)


def test_a_folder_without_a_manifest_and_a_damaged_one_are_refused(tmp_path: Path) -> None:
    with pytest.raises(DatasetError, match="does not exist"):
        read_manifest(tmp_path)
    write_manifest(tmp_path, frame(FULL))
    file = tmp_path / "manifest.parquet"
    file.write_bytes(file.read_bytes()[:-100])
    with pytest.raises(DatasetError, match=r"manifest\.parquet: cannot be read"):
        read_manifest(tmp_path)


def test_one_image_stands_once_for_a_task_and_may_stand_for_both(tmp_path: Path) -> None:
    write_manifest(tmp_path, frame(FULL, FULL | {"task": "segmentation"}))
    with pytest.raises(DatasetError, match="ISIC_1 stands twice for classification"):
        write_manifest(tmp_path, frame(FULL, FULL | {"label": "NV"}))


@pytest.mark.parametrize("column", ["image_id", "task", "source", "sha256", "width", "height"])
def test_a_required_cell_may_not_be_empty(tmp_path: Path, column: str) -> None:
    with pytest.raises(DatasetError, match=column):
        write_manifest(tmp_path, frame(FULL | {column: None}))
    assert not (tmp_path / "manifest.parquet").exists()


def test_a_cell_of_another_type_is_refused_by_its_column(tmp_path: Path) -> None:
    with pytest.raises(DatasetError, match="age_approx"):
        write_manifest(tmp_path, frame(FULL | {"age_approx": "old"}))


def test_a_missing_column_is_named(tmp_path: Path) -> None:
    with pytest.raises(DatasetError, match="patient_id"):
        write_manifest(tmp_path, frame(FULL).drop(columns="patient_id"))


@pytest.mark.parametrize("column", VERSIONED)
def test_the_version_changes_with(column: str) -> None:
    value = FULL[column]
    other = f"{value}x" if isinstance(value, str) else value + 1
    versions = [data_version(frame(FULL | {column: changed})) for changed in (value, other)]
    if column not in ("image_id", "task", "source", "sha256", "width", "height"):
        versions.append(data_version(frame(FULL | {column: None})))
    assert len(set(versions)) == len(versions)


@pytest.mark.parametrize(
    ("column", "value"),
    [("shard", "shards/elsewhere.zip"), ("row", 17), ("mask", "shards/elsewhere.zip/ISIC_1_segmentation.png")],
)
def test_the_version_says_nothing_of_where_pixels_lie(column: str, value: object) -> None:
    assert data_version(frame(FULL | {column: value})) == data_version(frame(FULL))


@settings(deadline=None)
@given(order=st.permutations(range(6)))
def test_the_version_does_not_depend_on_the_order_of_rows(order: list[int]) -> None:
    rows = [FULL | {"image_id": f"ISIC_{number}", "age_approx": None if number % 2 else 30.0} for number in range(6)]
    assert data_version(frame(*(rows[place] for place in order))) == data_version(frame(*rows))


def test_the_version_is_that_of_the_file_and_survives_reading(tmp_path: Path) -> None:
    version = write_manifest(tmp_path, frame(FULL, BARE))
    assert version == Dataset(tmp_path).version == data_version(frame(BARE, FULL))
    assert pq.read_schema(tmp_path / "manifest.parquet").metadata[b"data_version"].decode() == version


def test_values_do_not_run_into_each_other_in_the_version() -> None:
    one = frame(FULL | {"lesion_id": "L1", "group_id": "2"})
    other = frame(FULL | {"lesion_id": "L", "group_id": "12"})
    assert data_version(one) != data_version(other)
    assert data_version(frame(FULL | {"sex": None})) != data_version(frame(FULL | {"sex": "None"}))


def test_a_shard_of_files_has_the_same_bytes_whenever_it_is_written(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    members = [("a.jpg", b"first"), ("a_segmentation.png", b"second")]
    monkeypatch.setenv("TZ", "Asia/Tokyo")
    one = tmp_path / "one" / write_files_shard(tmp_path / "one", "x", members)
    monkeypatch.setattr("time.time", lambda: 2_000_000_000.0)
    other = tmp_path / "other" / write_files_shard(tmp_path / "other", "x", members)
    assert one.read_bytes() == other.read_bytes()


def test_a_shard_that_lies_there_is_kept(tmp_path: Path) -> None:
    path = tmp_path / write_files_shard(tmp_path, "x", [("a.jpg", b"first")])
    before = path.stat()
    write_files_shard(tmp_path, "x", [("a.jpg", b"other bytes")])
    assert (path.stat().st_ino, path.stat().st_mtime_ns) == (before.st_ino, before.st_mtime_ns)


def test_a_shard_whose_writing_fails_is_absent(tmp_path: Path) -> None:
    def members() -> Any:
        yield "a.jpg", b"first"
        raise RuntimeError("pulled the plug")

    with pytest.raises(RuntimeError):
        write_files_shard(tmp_path, "x", members())
    assert list((tmp_path / "shards").iterdir()) == []


def test_a_shards_name_follows_from_what_goes_in() -> None:
    assert shard_name(Task.SEGMENTATION, ["a", "b"]) == shard_name("segmentation", ["a", "b"])
    names = {shard_name("x", parts) for parts in (["a", "b"], ["b", "a"], ["ab"], ["a", "b", ""])} | {shard_name("y", ["a", "b"])}
    assert len(names) == 5


def test_encoded_files_are_read_by_the_place_that_the_manifest_gives(tmp_path: Path) -> None:
    members = [("ISIC_0.jpg", b"zero"), ("ISIC_1.png", b"one"), ("ISIC_1_segmentation.png", b"mask of one")]
    shard = write_files_shard(tmp_path, "x", members)
    row = FULL | {"shard": shard, "row": 1, "mask": f"{shard}/ISIC_1_segmentation.png", "task": "segmentation"}
    write_manifest(tmp_path, frame(row))
    dataset = Dataset(tmp_path)
    first = dataset.rows(Task.SEGMENTATION).iloc[0]
    assert (dataset.image_name(first), dataset.image_bytes(first)) == ("ISIC_1.png", b"one")
    assert dataset.mask_bytes(first) == b"mask of one"


def test_a_shard_that_is_absent_damaged_or_too_short_is_named(tmp_path: Path) -> None:
    shard = write_files_shard(tmp_path, "x", [("ISIC_1.jpg", b"pixels" * 100)])
    row = {"shard": shard, "row": 0, "mask": f"{shard}/absent.png"}
    write_manifest(tmp_path, frame(FULL | row))
    here = Dataset(tmp_path).rows(Task.CLASSIFICATION).iloc[0]
    with pytest.raises(DatasetError, match=r"x\.zip"):
        Dataset(tmp_path).mask_bytes(here)
    with pytest.raises(DatasetError, match=r"x\.zip: holds no file number 9"):
        Dataset(tmp_path).image_bytes(pd.Series(here.to_dict() | {"row": 9}))
    archive = tmp_path / shard
    archive.write_bytes(archive.read_bytes().replace(b"pixelspixels", b"pixelsPIXELS", 1))
    with pytest.raises(DatasetError, match=r"x\.zip: a file in it cannot be read"):
        Dataset(tmp_path).image_bytes(here)
    archive.unlink()
    with pytest.raises(DatasetError, match=r"x\.zip: cannot be read"):
        Dataset(tmp_path).image_bytes(here)


def pixel_dataset(root: Path) -> np.ndarray[Any, np.dtype[np.uint8]]:
    """Six images in two shards; every pixel of image n is n."""
    images = np.repeat(np.arange(6, dtype=np.uint8), 4 * 5 * 3).reshape(6, 4, 5, 3)
    rows = []
    for name, part in (("first", range(3)), ("second", range(3, 6))):
        shard = write_pixels_shard(root, name, images[list(part)], images[list(part), :, :, 0] * 0 + 255)
        rows += [
            FULL | {"image_id": f"ISIC_{n}", "task": "segmentation", "shard": shard, "row": place, "split": Split.TRAIN.value}
            for place, n in enumerate(part)
        ]
    write_manifest(root, frame(*rows))
    return images


def test_pixels_come_in_the_order_asked_for_across_shards(tmp_path: Path) -> None:
    images = pixel_dataset(tmp_path)
    dataset = Dataset(tmp_path)
    order = [4, 0, 5, 0, 2]
    rows = dataset.rows(Task.SEGMENTATION, Split.TRAIN).iloc[order]
    np.testing.assert_array_equal(dataset.images(rows), images[order])
    masks = dataset.masks(rows)
    assert (masks.shape, masks.dtype, int(masks.min())) == ((5, 4, 5), np.uint8, 255)


def test_pixels_are_mapped_not_read_and_what_is_given_is_a_copy(tmp_path: Path) -> None:
    images = pixel_dataset(tmp_path)
    dataset = Dataset(tmp_path)
    rows = dataset.rows(Task.SEGMENTATION)
    dataset.images(rows)[:] = 99
    np.testing.assert_array_equal(dataset.images(rows), images)
    maps = Path(f"/proc/{os.getpid()}/maps")
    if maps.exists():
        assert str(tmp_path / "shards/first.npy") in maps.read_text()


def test_asking_for_no_rows_is_an_error_that_says_so(tmp_path: Path) -> None:
    pixel_dataset(tmp_path)
    dataset = Dataset(tmp_path)
    with pytest.raises(DatasetError, match="no rows were asked for"):
        dataset.images(dataset.rows(Task.SEGMENTATION, Split.TEST))


def test_a_damaged_pixel_shard_is_named(tmp_path: Path) -> None:
    pixel_dataset(tmp_path)
    (tmp_path / "shards/first.npy").write_bytes(b"no array")
    dataset = Dataset(tmp_path)
    with pytest.raises(DatasetError, match=r"first\.npy: cannot be read"):
        dataset.images(dataset.rows(Task.SEGMENTATION))


def test_a_pixel_shard_counts_once_its_images_are_there(tmp_path: Path) -> None:
    blank = np.zeros((1, 4, 4, 3), np.uint8)
    assert not has_pixels_shard(tmp_path, "x")
    write_pixels_shard(tmp_path, "x", blank, blank[..., 0])
    assert has_pixels_shard(tmp_path, "x")
    (tmp_path / "shards/x.npy").unlink()
    assert not has_pixels_shard(tmp_path, "x")


def test_a_folder_is_readable_where_it_was_moved_to(tmp_path: Path) -> None:
    images = pixel_dataset(tmp_path / "here")
    shutil.move(tmp_path / "here", tmp_path / "there")
    dataset = Dataset(tmp_path / "there")
    np.testing.assert_array_equal(dataset.images(dataset.rows(Task.SEGMENTATION)), images)
    assert str(tmp_path).encode() not in (tmp_path / "there/manifest.parquet").read_bytes()


def test_a_dataset_says_which_tasks_it_has_and_whether_it_was_drawn(tmp_path: Path) -> None:
    write_manifest(tmp_path / "real", frame(FULL))
    write_manifest(tmp_path / "drawn", frame(FULL, BARE | {"source": "phantom", "task": "segmentation"}))
    real, drawn = Dataset(tmp_path / "real"), Dataset(tmp_path / "drawn")
    assert (real.tasks(), real.phantom) == ([Task.CLASSIFICATION], False)
    assert (drawn.tasks(), drawn.phantom) == ([Task.CLASSIFICATION, Task.SEGMENTATION], True)


def test_members_of_a_shard_are_stored_as_they_are(tmp_path: Path) -> None:
    path = tmp_path / write_files_shard(tmp_path, "x", [("a.jpg", b"0" * 1000)])
    with zipfile.ZipFile(path) as archive:
        assert archive.infolist()[0].compress_type == zipfile.ZIP_STORED


def test_other_rows_show_the_same_pixels_under_a_version_of_their_own(tmp_path: Path) -> None:
    data = Dataset(preprocessed_dataset(tmp_path, per_class=3))
    version = data.version
    rows = data.rows(Task.CLASSIFICATION).iloc[::-2].assign(split="train")
    other = data.with_manifest(rows)
    assert len(other.rows(Task.CLASSIFICATION, Split.TRAIN)) == len(rows)
    assert other.rows(Task.SEGMENTATION).empty
    assert np.array_equal(other.images(other.rows(Task.CLASSIFICATION)), data.images(rows))
    assert other.version == data_version(rows) != version == data.version
