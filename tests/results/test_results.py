"""What docs/results.md is measured with, on drawn data: intervals by group, masks at their own size, folders of some images."""

from pathlib import Path

import cv2
import numpy as np
import pandas as pd
import pytest

from components.bundle import Bundle
from components.dataset import Dataset
from components.images import decode_image, decode_mask
from components.lesions import Split, Task
from components.reporter import append_event
from pipelines import runs
from pipelines.home import Home
from pipelines.runs import RunRecord, RunState
from tests.bundles import segmenter_bundle
from tests.components.evaluate.test_calibration import table_of
from tests.datasets import encoded_dataset
from tests.results.calibration import measure_table
from tests.results.intervals import interval
from tests.results.run import Finished, newest
from tests.results.segmentation import judge
from tests.results.subset import copy_labelled, is_square_256, labelled_ids


def test_an_interval_draws_whole_groups() -> None:
    values = np.array([0.0, 1.0, 0.0, 1.0])

    def mean(rows: np.ndarray) -> float:
        return float(values[rows].mean())

    assert interval(mean, ["a", "a", "b", "b"]) == (0.5, 0.5)
    low, high = interval(mean, ["a", "b", "c", "d"])
    assert low < 0.25
    assert high > 0.75


def test_masks_are_judged_at_their_own_size_from_the_files_as_they_came(tmp_path: Path) -> None:
    data = Dataset(encoded_dataset(tmp_path / "validated", per_class=3))
    model = segmenter_bundle(tmp_path / "model", size=(16, 16))
    table = judge(model, data, Split.TEST).set_index("image_id")
    rows = data.rows(Task.SEGMENTATION, Split.TEST)
    assert len(table) == len(rows) > 3
    bundle = Bundle.load(model)
    for _, row in rows.iterrows():
        truth = decode_mask(data.mask_bytes(row), "") > 0
        (said,) = bundle.predict([decode_image(data.image_bytes(row), "")])
        mask = cv2.resize(said, truth.shape[::-1]) >= bundle.description.mask_threshold
        here = table.loc[row["image_id"]]
        assert here["mask"] == f"{truth.shape[0]} x {truth.shape[1]}"
        jaccard = (truth & mask).sum() / (truth | mask).sum()
        assert here["jaccard"] == pytest.approx(jaccard)
        assert here["thresholded_jaccard"] == pytest.approx(jaccard if jaccard >= 0.65 else 0)


def test_a_folder_of_some_holds_the_wanted_images_and_their_rows(tmp_path: Path) -> None:
    source = tmp_path / "source"
    (source / "images").mkdir(parents=True)
    for name, side in (("ISIC_1", 256), ("ISIC_2", 128)):
        cv2.imwrite(str(source / "images" / f"{name}.jpg"), np.zeros((side, side, 3), np.uint8))
    for table in ("GroundTruth", "Metadata"):
        (source / f"ISIC_2019_Training_{table}.csv").write_text("image,x\nISIC_1,a\nISIC_2,b\n")
    copied = copy_labelled(source, tmp_path / "copied", lambda path: f"{path.stem}_large" if is_square_256(path) else None)
    assert [path.name for path in (copied / "images").iterdir()] == ["ISIC_1_large.jpg"]
    assert pd.read_csv(copied / "ISIC_2019_Training_Metadata.csv").to_numpy().tolist() == [["ISIC_1_large", "a"]]
    assert labelled_ids(copied) == {"ISIC_1_large"}


def test_calibration_is_told_of_a_table_of_out_of_fold_predictions(tmp_path: Path) -> None:
    table_of(2000, images_per_group=2).to_parquet(tmp_path / "table.parquet")
    lines = list(measure_table("--table", str(tmp_path / "table.parquet")))
    assert lines[0].startswith("2000 images of 1000 groups; temperature of all 2.96")
    assert float(lines[1].split("debiased ECE ")[1][:5]) > 0.2
    assert float(lines[2].split("debiased ECE ")[1][:5]) < 0.03
    assert "90% inside" in lines[3]
    assert [line.split(":")[0].strip() for line in lines[4:]] == ["MEL", "NV", "BCC", "AK", "BKL", "DF", "VASC", "SCC"]


_STEP = {"name": "train", "key": "k", "params": {}, "inputs": {}, "code": ""}


def record(home: Home, run: str, command: str, state: RunState, created: float) -> RunRecord:
    made = RunRecord(run, command, "quick", {}, [_STEP], state=state, created=created)
    runs.save(home, made)
    return made


def test_a_row_is_that_of_its_own_command_however_often_it_was_started(tmp_path: Path) -> None:
    home = Home(tmp_path)
    record(home, "a", "dermacare run", RunState.KILLED, 1)
    whole = record(home, "b", "dermacare run", RunState.DONE, 2)
    record(home, "c", "dermacare run --crop-by 1", RunState.DONE, 3)
    record(home, "d", "dermacare run", RunState.FAILED, 4)
    assert newest(home, "dermacare run") == whole
    with pytest.raises(SystemExit, match="another command did this work already; set DERMACARE_HOME to an empty folder"):
        newest(home, "dermacare run --profile quick")


def test_minutes_are_those_of_all_attempts(tmp_path: Path) -> None:
    home = Home(tmp_path)
    for number, (run, seconds) in enumerate({"a": 90.0, "b": 30.0}.items()):
        done = record(home, run, "dermacare run", RunState.DONE, number)
        for step, time in (("train", 100.0), ("another", 0.0), ("train", 100.0 + seconds)):
            append_event(home.events(run), step, {"kind": "state", "state": "started", "time": time})
    assert Finished(home, done).minutes("train") == pytest.approx(2)
