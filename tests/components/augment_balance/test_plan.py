from pathlib import Path

import pytest

from components.augment_balance.plan import ClassificationPlan, Plan, Ranges, SegmentationPlan, read_plan, write_plan
from components.errors import DatasetError
from components.lesions import Diagnosis, Task


@pytest.fixture
def plan(ranges: Ranges) -> Plan:
    balance = ClassificationPlan(
        images={Diagnosis.NV: 60, Diagnosis.DF: 2},
        repeats={Diagnosis.NV: 1, Diagnosis.DF: 10},
        class_weights={Diagnosis.NV: 2 / 3, Diagnosis.DF: 2.0},
    )
    masks = SegmentationPlan(images={"here": 4, "there": 2}, max_images=3)
    return Plan(data_version="ab" * 32, seed=7, ranges=ranges, classification=balance, segmentation=masks)


def test_a_plan_is_read_as_it_was_written(tmp_path: Path, plan: Plan) -> None:
    write_plan(tmp_path, plan)
    assert read_plan(tmp_path) == plan
    assert [path.name for path in tmp_path.iterdir()] == ["plan.json"]


def test_samples_are_images_times_repeats(plan: Plan) -> None:
    assert plan.classification is not None
    assert plan.classification.samples == 60 + 2 * 10
    assert plan.segmentation is not None
    assert plan.segmentation.samples == 3 + 2


def test_a_plan_without_colour_hair_and_limit_is_read_as_one_that_has_none(tmp_path: Path, plan: Plan) -> None:
    fields = ("contrast", "saturation", "hue", "hair", "max_images")
    write_plan(tmp_path, plan.model_copy(update={"segmentation": None}))
    lines = (tmp_path / "plan.json").read_text().splitlines()
    kept = "\n".join(line for line in lines if not any(f'"{field}"' in line for field in fields))
    (tmp_path / "plan.json").write_text(kept.replace('"brightness": 0.2,', '"brightness": 0.2'))
    read = read_plan(tmp_path)
    assert read.ranges == plan.ranges.model_copy(update=dict.fromkeys(fields[:4], 0.0))
    assert read.classification == plan.classification


def test_a_plan_names_its_tasks(plan: Plan) -> None:
    assert plan.tasks() == [Task.CLASSIFICATION, Task.SEGMENTATION]
    assert plan.model_copy(update={"classification": None}).tasks() == [Task.SEGMENTATION]


def test_a_plan_can_be_edited_by_hand(tmp_path: Path, plan: Plan) -> None:
    write_plan(tmp_path, plan)
    text = (tmp_path / "plan.json").read_text()
    (tmp_path / "plan.json").write_text(text.replace('"DF": 10', '"DF": 4'))
    edited = read_plan(tmp_path).classification
    assert edited is not None
    assert edited.repeats[Diagnosis.DF] == 4


@pytest.mark.parametrize(
    ("old", "new", "field"),
    [
        ('"rotation": 45.0', '"rotation": 450', "ranges.rotation is wrong"),
        ('"DF": 10', '"DF": 0', "classification.repeats.DF is wrong"),
        ('"DF": 10', '"XX": 10', "classification.repeats.XX"),
        ('"schema_version": 1', '"schema_version": 2', "schema_version is wrong"),
        ('"seed": 7', '"seed": 7, "sead": 8', "sead is wrong"),
        ('"DF": 2.0', '"BCC": 2.0', "must name the same diagnoses"),
        ("{", "", "the file is wrong"),
    ],
)
def test_a_wrong_field_is_named(old: str, new: str, field: str, tmp_path: Path, plan: Plan) -> None:
    write_plan(tmp_path, plan)
    text = (tmp_path / "plan.json").read_text()
    assert old in text
    (tmp_path / "plan.json").write_text(text.replace(old, new, 1))
    with pytest.raises(DatasetError, match=field) as error:
        read_plan(tmp_path)
    assert "plan.json" in str(error.value)


def test_a_plan_that_is_not_there_is_named(tmp_path: Path) -> None:
    with pytest.raises(DatasetError, match=r"plan\.json: cannot be read \(No such file or directory\)"):
        read_plan(tmp_path)
