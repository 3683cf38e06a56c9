"""Plans for other rows than train's follow from the same rule."""

from pathlib import Path

import pytest

from components.augment_balance import augment_balance
from components.augment_balance.plan import Plan, read_plan
from components.augment_balance.planning import plan_rows
from components.dataset import Dataset
from components.errors import DatasetError
from components.lesions import Diagnosis, Split, Task
from components.params import AugmentBalanceParams
from components.reporter import Reporter
from tests.datasets import preprocessed_dataset

# Lesions, two images each. In train: 4 of MEL, 8 of NV, 1 of DF; in val one of each.
COUNTS = {Diagnosis.MEL: 6, Diagnosis.NV: 12, Diagnosis.DF: 3}


@pytest.fixture
def dataset(tmp_path: Path) -> Dataset:
    return Dataset(preprocessed_dataset(tmp_path / "data", per_class=COUNTS))


def planned(dataset: Dataset, out: Path, params: AugmentBalanceParams) -> Plan:
    out.mkdir()
    augment_balance(dataset.root, out, params, Reporter(out, "augment_balance"))
    return read_plan(out)


def test_the_plan_of_train_is_planned_again_for_trains_own_rows(
    dataset: Dataset, tmp_path: Path, params: AugmentBalanceParams
) -> None:
    plan = planned(dataset, tmp_path / "out", params)
    again = plan_rows(plan, Task.CLASSIFICATION, dataset.rows(Task.CLASSIFICATION, Split.TRAIN))
    assert again == plan.model_copy(update={"segmentation": None})


def test_other_rows_are_balanced_by_their_own_counts(dataset: Dataset, tmp_path: Path, params: AugmentBalanceParams) -> None:
    plan = planned(dataset, tmp_path / "out", params.model_copy(update={"max_repeats": 4}))
    rows = dataset.rows(Task.CLASSIFICATION)
    other = plan_rows(plan, Task.CLASSIFICATION, rows[(rows["split"] != "test") & ~((rows["label"] == "MEL") & (rows["row"] % 2))])
    assert other.classification is not None
    assert other.classification.images == {Diagnosis.MEL: 5, Diagnosis.NV: 20, Diagnosis.DF: 4}
    assert other.classification.repeats == {Diagnosis.MEL: 4, Diagnosis.NV: 1, Diagnosis.DF: 4}
    # Shown: 20 + 20 + 16 = 56 of 3 classes.
    by_hand = {Diagnosis.MEL: 56 / 60, Diagnosis.NV: 56 / 60, Diagnosis.DF: 56 / 48}
    assert other.classification.class_weights == pytest.approx(by_hand)
    assert (other.seed, other.ranges) == (plan.seed, plan.ranges)


def test_masks_are_counted(dataset: Dataset, tmp_path: Path, params: AugmentBalanceParams) -> None:
    plan = planned(dataset, tmp_path / "out", params.model_copy(update={"max_masks": 3}))
    rows = dataset.rows(Task.SEGMENTATION, Split.VAL).assign(source=["small", *["large"] * 7])
    other = plan_rows(plan, Task.SEGMENTATION, rows)
    assert other.classification is None
    assert other.segmentation is not None
    assert other.segmentation.images == {"large": 7, "small": 1}
    assert other.segmentation.samples == 3 + 1


def test_a_balance_that_was_edited_by_hand_is_not_followed_in_silence(
    dataset: Dataset, tmp_path: Path, params: AugmentBalanceParams
) -> None:
    plan = planned(dataset, tmp_path / "out", params)
    assert plan.classification is not None
    rows = dataset.rows(Task.CLASSIFICATION, Split.VAL)
    for change in ({"repeats": plan.classification.repeats | {Diagnosis.DF: 7}}, {"balance": None}):
        edited = plan.model_copy(update={"classification": plan.classification.model_copy(update=change)})
        with pytest.raises(DatasetError, match=r"plan\.json: classification\.repeats or class_weights .* train with folds 1"):
            plan_rows(edited, Task.CLASSIFICATION, rows)
