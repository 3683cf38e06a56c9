from pathlib import Path

import cv2
import pytest

from components.augment_balance import augment_balance
from components.augment_balance.plan import Plan, read_plan
from components.dataset import Dataset, write_manifest
from components.errors import DataRefused
from components.lesions import Diagnosis, Split, Task
from components.params import AugmentBalanceParams
from components.reporter import Reporter
from tests.datasets import preprocessed_dataset

# Lesions, two images each. In train: 4 of MEL, 8 of NV, 1 of DF.
COUNTS = {Diagnosis.MEL: 6, Diagnosis.NV: 12, Diagnosis.DF: 3}


def _run(dataset: Path, out: Path, params: AugmentBalanceParams) -> Plan:
    out.mkdir(exist_ok=True)
    augment_balance(dataset, out, params, Reporter(out, "augment_balance"))
    return read_plan(out)


@pytest.fixture
def dataset(tmp_path: Path) -> Path:
    return preprocessed_dataset(tmp_path / "data", per_class=COUNTS)


def test_the_plan_is_what_one_works_out_by_hand(dataset: Path, tmp_path: Path, params: AugmentBalanceParams) -> None:
    plan = _run(dataset, tmp_path / "out", params.model_copy(update={"max_repeats": 4}))
    assert plan.classification is not None
    assert plan.classification.images == {Diagnosis.MEL: 8, Diagnosis.NV: 16, Diagnosis.DF: 2}
    assert plan.classification.repeats == {Diagnosis.MEL: 2, Diagnosis.NV: 1, Diagnosis.DF: 4}
    # Shown: 16 + 16 + 8 = 40 of 3 classes, so 40 / (3 x 16) twice and 40 / (3 x 8).
    by_hand = {Diagnosis.MEL: 40 / 48, Diagnosis.NV: 40 / 48, Diagnosis.DF: 40 / 24}
    assert plan.classification.class_weights == pytest.approx(by_hand)
    assert plan.segmentation is not None
    assert plan.segmentation.images == {"phantom": 26}
    assert (plan.seed, plan.ranges.rotation, plan.ranges.zoom) == (2019, 45, 0.2)
    assert plan.data_version == Dataset(dataset).version


def test_an_epoch_is_balanced_by_what_it_shows(dataset: Path, tmp_path: Path, params: AugmentBalanceParams) -> None:
    plan = _run(dataset, tmp_path / "out", params.model_copy(update={"max_images": 5, "max_repeats": 2}))
    assert plan.classification is not None
    assert plan.classification.images == {Diagnosis.MEL: 8, Diagnosis.NV: 16, Diagnosis.DF: 2}
    assert plan.classification.shown == {Diagnosis.MEL: 5, Diagnosis.NV: 5, Diagnosis.DF: 2}
    assert plan.classification.repeats == {Diagnosis.MEL: 1, Diagnosis.NV: 1, Diagnosis.DF: 2}
    # Shown: 5 + 5 + 4 = 14 of 3 classes.
    by_hand = {Diagnosis.MEL: 14 / 15, Diagnosis.NV: 14 / 15, Diagnosis.DF: 14 / 12}
    assert plan.classification.class_weights == pytest.approx(by_hand)
    assert plan.classification.samples == 14


def test_without_balancing_every_image_comes_once_and_weighs_one(
    dataset: Path, tmp_path: Path, params: AugmentBalanceParams
) -> None:
    plan = _run(dataset, tmp_path / "out", params.model_copy(update={"oversample": False, "class_weights": False}))
    assert plan.classification is not None
    assert set(plan.classification.repeats.values()) == {1}
    assert set(plan.classification.class_weights.values()) == {1.0}


def test_val_and_test_have_no_say(dataset: Path, tmp_path: Path, params: AugmentBalanceParams) -> None:
    before = _run(dataset, tmp_path / "before", params)
    manifest = Dataset(dataset).manifest
    manifest.loc[(manifest["split"] != Split.TRAIN) & (manifest["label"] == "NV"), "label"] = "SCC"
    write_manifest(dataset, manifest)
    after = _run(dataset, tmp_path / "after", params)
    assert after.model_copy(update={"data_version": before.data_version}) == before


@pytest.mark.parametrize("task", list(Task))
def test_one_task_alone_is_planned_alone(task: Task, tmp_path: Path, params: AugmentBalanceParams) -> None:
    preprocessed_dataset(tmp_path / "data", per_class=3, tasks=[task])
    assert _run(tmp_path / "data", tmp_path / "out", params).tasks() == [task]
    assert [path.name for path in (tmp_path / "out/figures").iterdir()] == [f"samples_{task}.png"]


def test_nothing_is_written_but_the_plan_and_its_sheets(dataset: Path, tmp_path: Path, params: AugmentBalanceParams) -> None:
    out = tmp_path / "out"
    _run(dataset, out, params)
    written = {str(path.relative_to(out)) for path in out.rglob("*") if path.is_file()}
    assert written == {"plan.json", "figures/samples_classification.png", "figures/samples_segmentation.png"}
    for sheet in (out / "figures").iterdir():
        assert cv2.imread(str(sheet)).std() > 20


def test_the_same_dataset_gives_the_same_bytes(dataset: Path, tmp_path: Path, params: AugmentBalanceParams) -> None:
    for out in (tmp_path / "one", tmp_path / "two"):
        _run(dataset, out, params)
    for file in ("plan.json", "figures/samples_segmentation.png"):
        assert (tmp_path / "one" / file).read_bytes() == (tmp_path / "two" / file).read_bytes()


@pytest.mark.parametrize("task", list(Task))
def test_a_task_without_training_images_is_refused(task: Task, tmp_path: Path, params: AugmentBalanceParams) -> None:
    dataset = Dataset(preprocessed_dataset(tmp_path / "data", per_class=3, tasks=[task]))
    write_manifest(dataset.root, dataset.manifest.assign(split="val"))
    with pytest.raises(DataRefused, match=f"no {task} row has split train"):
        _run(dataset.root, tmp_path / "out", params)
