import json
import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import cv2
import numpy as np
import pytest

from components.dataset import COLUMNS, Dataset, write_files_shard, write_manifest
from components.errors import ImageFormatError
from components.files import sha256_file
from components.images import decode_image, decode_mask
from components.lesions import Task
from components.params import PreprocessParams
from components.preprocess import preprocess
from components.preprocess.stages import preprocess_image, preprocess_mask
from components.preprocess.step import PixelReader
from components.reporter import Reporter
from tests.datasets import encoded_dataset, some_measures


def _preprocess(dataset: Path, out: Path, params: PreprocessParams, *, workers: int | None = None) -> dict[str, str]:
    """Run the step and return the digest of each file that it wrote."""
    out.mkdir(parents=True, exist_ok=True)
    preprocess(dataset, out, params, Reporter(out, "preprocess"), workers=workers)
    return _digests(out)


def _digests(folder: Path) -> dict[str, str]:
    return {str(path.relative_to(folder)): sha256_file(path) for path in sorted(folder.rglob("*")) if path.is_file()}


@pytest.fixture(scope="module")
def encoded(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return encoded_dataset(tmp_path_factory.mktemp("data") / "validated", per_class=3)


def test_each_row_gets_the_pixels_of_its_own_file(encoded: Path, tmp_path: Path, small_params: PreprocessParams) -> None:
    _preprocess(encoded, tmp_path, small_params)
    source, result = Dataset(encoded), Dataset(tmp_path)
    sizes = {Task.CLASSIFICATION: small_params.classification_size, Task.SEGMENTATION: small_params.segmentation_size}
    for task, size in sizes.items():
        rows = source.rows(task)
        expected = [preprocess_image(decode_image(source.image_bytes(row), ""), size, small_params) for _, row in rows.iterrows()]
        np.testing.assert_array_equal(result.images(result.rows(task)), expected)
        assert result.rows(task)["image_id"].tolist() == rows["image_id"].tolist()
    masks = [preprocess_mask(decode_mask(source.mask_bytes(row), ""), (40, 48)) for _, row in rows.iterrows()]
    np.testing.assert_array_equal(result.masks(result.rows(Task.SEGMENTATION)), masks)


def test_only_the_place_of_the_pixels_changes_in_the_manifest(
    encoded: Path, tmp_path: Path, small_params: PreprocessParams
) -> None:
    _preprocess(encoded, tmp_path, small_params)
    source, result = Dataset(encoded), Dataset(tmp_path)
    kept = [name for name in COLUMNS if name not in ("shard", "row")]
    assert result.manifest[kept].equals(source.manifest[kept])
    assert result.version == source.version
    assert result.manifest["shard"].str.endswith(".npy").all()


def test_nothing_is_written_but_manifest_settings_shards_and_the_figure(
    encoded: Path, tmp_path: Path, small_params: PreprocessParams
) -> None:
    files = _preprocess(encoded, tmp_path, small_params)
    shards = {name for name in files if name.startswith("shards/") and name.endswith(".npy")}
    assert set(files) == shards | {"manifest.parquet", "preprocess.json", "figures/preprocess_stages.png"}
    # 3 lesions x 8 classes x 2 images in encoded shards of 16: 3 x 4 shards of 4, the segmentation ones with their masks.
    assert len(shards) == 12 + 12 * 2
    assert cv2.imread(str(tmp_path / "figures/preprocess_stages.png")).std() > 10


def test_what_was_measured_is_handed_on(tmp_path: Path, small_params: PreprocessParams) -> None:
    data = encoded_dataset(tmp_path / "validated", per_class=3)
    some_measures(data)
    files = _preprocess(data, tmp_path / "out", small_params)
    assert files["measures.parquet"] == sha256_file(data / "measures.parquet")


def test_the_bytes_do_not_depend_on_the_number_of_workers(encoded: Path, tmp_path: Path, small_params: PreprocessParams) -> None:
    results = [_preprocess(encoded, tmp_path / str(workers), small_params, workers=workers) for workers in (1, 2, 7)]
    assert results[0] == results[1] == results[2]


def test_opencvs_own_threads_are_as_before(encoded: Path, tmp_path: Path, small_params: PreprocessParams) -> None:
    before = cv2.getNumThreads()
    try:
        cv2.setNumThreads(3)
        _preprocess(encoded, tmp_path, small_params)
        assert cv2.getNumThreads() == 3
    finally:
        cv2.setNumThreads(before)


def test_whole_shards_are_kept_and_the_rest_is_made(encoded: Path, tmp_path: Path, small_params: PreprocessParams) -> None:
    whole = _preprocess(encoded, tmp_path, small_params)
    shards = sorted(path for path in (tmp_path / "shards").glob("*.npy") if not path.name.endswith(".masks.npy"))
    kept, lost = shards[0], shards[1]
    kept_node, lost_node = kept.stat().st_ino, lost.stat().st_ino
    lost.rename(tmp_path / "elsewhere.npy")  # its inode stays taken
    (tmp_path / "manifest.parquet").unlink()
    again = _preprocess(encoded, tmp_path, small_params)
    assert {name: digest for name, digest in again.items() if name != "elsewhere.npy"} == whole
    assert kept.stat().st_ino == kept_node
    assert lost.stat().st_ino != lost_node


def test_shards_of_an_earlier_output_are_taken_over_and_new_images_make_new_ones(
    tmp_path: Path, small_params: PreprocessParams, monkeypatch: pytest.MonkeyPatch
) -> None:
    source = Dataset(encoded_dataset(tmp_path / "in", per_class=3))
    all_rows = source.manifest
    latest = all_rows["shard"] == all_rows["shard"].max()
    write_manifest(source.root, all_rows[~latest])
    before = _preprocess(source.root, tmp_path / "before", small_params)
    write_manifest(source.root, all_rows)
    read: list[str] = []
    monkeypatch.setattr(
        PixelReader, "image", lambda self, row, size: read.append(row["image_id"]) or np.zeros((*size, 3), np.uint8)
    )
    (tmp_path / "after").mkdir()
    preprocess(source.root, tmp_path / "after", small_params, Reporter(tmp_path / "after", "x"), earlier=[tmp_path / "before"])
    assert sorted(read) == sorted(all_rows[latest]["image_id"])
    old = [name for name in before if name.endswith(".npy")]
    assert {(tmp_path / "after" / name).stat().st_ino for name in old} == {
        (tmp_path / "before" / name).stat().st_ino for name in old
    }


def test_progress_is_told_and_ends_at_the_number_of_rows(encoded: Path, tmp_path: Path, small_params: PreprocessParams) -> None:
    events, out = tmp_path / "events.jsonl", tmp_path / "out"
    out.mkdir()
    preprocess(encoded, out, small_params, Reporter(out, "preprocess", events))
    lines = [json.loads(line) for line in events.read_text().splitlines()]
    done = [line["done"] for line in lines if line["kind"] == "progress"]
    assert done == sorted(done)
    assert (lines[-1]["done"], lines[-1]["total"]) == (96, 96)


@pytest.mark.parametrize("task", list(Task))
def test_a_dataset_of_one_task_gives_that_task_alone(task: Task, tmp_path: Path, small_params: PreprocessParams) -> None:
    encoded_dataset(tmp_path / "in", per_class=3, tasks=[task])
    _preprocess(tmp_path / "in", tmp_path / "out", small_params)
    assert Dataset(tmp_path / "out").tasks() == [task]


def test_a_file_that_cannot_be_decoded_stops_the_step_and_is_named(tmp_path: Path, small_params: PreprocessParams) -> None:
    source = Dataset(encoded_dataset(tmp_path / "in", per_class=3, tasks=[Task.CLASSIFICATION]))
    shard = write_files_shard(source.root, "bad", [("bad.jpg", source.image_bytes(source.manifest.iloc[0])[:-40])])
    source.manifest.loc[7, ["image_id", "shard", "row"]] = ["bad", shard, 0]
    write_manifest(source.root, source.manifest)
    with pytest.raises(ImageFormatError, match=r"^bad"):
        _preprocess(source.root, tmp_path / "out", small_params)


_STEP = """
import json, resource, sys
from pathlib import Path
from components.params import PreprocessParams
from components.preprocess import preprocess
from components.reporter import Reporter
dataset, out, params = Path(sys.argv[1]), Path(sys.argv[2]), PreprocessParams.model_validate_json(sys.argv[3])
out.mkdir(exist_ok=True)
preprocess(dataset, out, params, Reporter(out, "preprocess"))
print(resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024)
"""


def _command(dataset: Path, out: Path, params: PreprocessParams) -> list[str]:
    return [sys.executable, "-c", _STEP, str(dataset), str(out), params.model_dump_json()]


def test_a_killed_step_goes_on_and_ends_with_the_same_bytes(tmp_path: Path, report_params: PreprocessParams) -> None:
    params = report_params.model_copy(update={"shard_rows": 4})
    dataset = encoded_dataset(tmp_path / "in", per_class=3, size=(240, 320))
    killed = subprocess.Popen(_command(dataset, tmp_path / "killed", params), start_new_session=True)
    while len(list((tmp_path / "killed").glob("shards/*.npy"))) < 3:
        assert killed.poll() is None, "the step ended before it could be killed"
        time.sleep(0.002)
    os.killpg(killed.pid, signal.SIGKILL)
    killed.wait()
    left = {path: path.stat().st_ino for path in (tmp_path / "killed").glob("shards/*.npy")}
    assert not (tmp_path / "killed/manifest.parquet").exists()
    for part in (tmp_path / "killed").rglob(".*.part"):  # the store does so before a step goes on
        part.unlink()
    assert _preprocess(dataset, tmp_path / "killed", params) == _preprocess(dataset, tmp_path / "whole", params)
    images = [path for path in left if not path.name.endswith(".masks.npy")]
    assert images
    assert all(path.stat().st_ino == left[path] for path in images)


def test_memory_does_not_grow_with_the_number_of_images(tmp_path: Path, report_params: PreprocessParams) -> None:
    params = report_params.model_copy(update={"shard_rows": 16, "remove_hair": False})
    peaks = []
    for lesions in (3, 21):
        dataset = encoded_dataset(tmp_path / f"in{lesions}", per_class=lesions, size=(120, 160), tasks=[Task.SEGMENTATION])
        run = subprocess.run(_command(dataset, tmp_path / f"out{lesions}", params), capture_output=True, text=True, check=True)
        peaks.append(float(run.stdout))
    # 288 more images are 108 MiB of pixels at 256 x 384; two shards of 16 are 12 MiB.
    assert peaks[1] - peaks[0] < 40
    assert len(Dataset(tmp_path / "out21").manifest) == 336
