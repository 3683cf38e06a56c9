"""Who learns from what: members, and the rows of each."""

from pathlib import Path

import pandas as pd
import pytest

from components.dataset import Dataset, write_manifest
from components.errors import DatasetError
from components.lesions import Split, Task
from components.training.folds import choices_on_judged, plan_members, select_rows, unlearned
from tests.datasets import preprocessed_dataset
from tests.trainings import classifier_params, unet_params


@pytest.fixture(scope="module")
def data(tmp_path_factory: pytest.TempPathFactory) -> Dataset:
    return Dataset(preprocessed_dataset(tmp_path_factory.mktemp("data"), per_class=6, size=(16, 16)))


def changed(data: Dataset, out: Path, **changes: object) -> Dataset:
    write_manifest(out, data.manifest.assign(**changes))
    return Dataset(out)


@pytest.mark.parametrize(
    ("changes", "names"),
    [
        ({}, ["seed 2019"]),
        ({"seeds": 2}, ["seed 2019", "seed 2020"]),
        ({"folds": 3}, ["fold 0", "fold 1", "fold 2"]),
        ({"folds": 2, "seeds": 2}, ["fold 0 seed 2019", "fold 0 seed 2020", "fold 1 seed 2019", "fold 1 seed 2020"]),
        ({"folds": 5, "fold": 3}, ["fold 3"]),
    ],
)
def test_members_are_named_after_what_sets_them_apart(changes: dict[str, int], names: list[str]) -> None:
    assert [member.name for member in plan_members(classifier_params(**changes))] == names


def test_without_folds_train_is_learned_from_and_val_judges(data: Dataset) -> None:
    params = classifier_params()
    rows = select_rows(data, Task.CLASSIFICATION, params, *plan_members(params))
    pd.testing.assert_frame_equal(rows.learned, data.rows(Task.CLASSIFICATION, Split.TRAIN))
    pd.testing.assert_frame_equal(rows.judged, data.rows(Task.CLASSIFICATION, Split.VAL))


@pytest.mark.parametrize("task", list(Task))
def test_every_image_of_train_and_val_judges_once_and_no_group_is_on_both_sides(data: Dataset, task: Task) -> None:
    params = classifier_params(folds=5)
    parts = [select_rows(data, task, params, member) for member in plan_members(params)]
    rows = data.rows(task)
    open_rows = rows[rows["split"] != "test"]
    assert sorted(image for part in parts for image in part.judged["image_id"]) == sorted(open_rows["image_id"])
    for part in parts:
        assert not set(part.learned["group_id"]) & set(part.judged["group_id"])
        assert len(part.learned) + len(part.judged) == len(open_rows)
        assert "test" not in {*part.learned["split"], *part.judged["split"]}


def test_a_dataset_that_was_cut_into_more_folds_is_refused(data: Dataset) -> None:
    params = classifier_params(folds=3)
    with pytest.raises(DatasetError, match=r"manifest\.parquet: fold counts to 4, but folds is 3; .*validate\.folds"):
        select_rows(data, Task.CLASSIFICATION, params, plan_members(params)[0])


def test_one_that_was_cut_into_fewer_has_nothing_for_the_last(data: Dataset) -> None:
    params = classifier_params(folds=6)
    with pytest.raises(DatasetError, match=r"no classification images of train and val are in fold 5 of 6; .*fewer folds"):
        select_rows(data, Task.CLASSIFICATION, params, plan_members(params)[5])


def test_one_that_was_not_cut_is_refused(data: Dataset, tmp_path: Path) -> None:
    params = classifier_params(folds=5)
    with pytest.raises(DatasetError, match="some rows of train and val have no fold, but folds is 5"):
        select_rows(changed(data, tmp_path, fold=None), Task.CLASSIFICATION, params, plan_members(params)[0])


def test_a_diagnosis_that_lies_in_one_fold_alone_is_told(data: Dataset, tmp_path: Path) -> None:
    fold = data.manifest["fold"].where(data.manifest["label"] != "DF", 2).where(data.manifest["split"] != "test")
    params = classifier_params(folds=5)
    cut = changed(data, tmp_path, fold=fold)
    told = [unlearned(cut, select_rows(cut, Task.CLASSIFICATION, params, member)) for member in plan_members(params)]
    assert "DF" in told[2]
    assert all("DF" not in labels for place, labels in enumerate(told) if place != 2)


def test_a_diagnosis_that_lies_in_test_alone_is_told(data: Dataset, tmp_path: Path) -> None:
    cut = changed(data, tmp_path, split=data.manifest["split"].where(data.manifest["label"] != "DF", "test"))
    params = classifier_params()
    assert unlearned(cut, select_rows(cut, Task.CLASSIFICATION, params, plan_members(params)[0])) == ["DF"]


def test_what_is_chosen_on_the_judging_images_is_told() -> None:
    unbiased = {"schedule": "cosine", "stop_patience": None, "keep": "last"}
    assert choices_on_judged(classifier_params(**unbiased)) == []
    assert choices_on_judged(unet_params(**unbiased)) == []
    assert choices_on_judged(unet_params(**unbiased | {"mask_threshold": None})) == ["the mask threshold"]
    assert choices_on_judged(classifier_params()) == [
        "when the learning rate falls",
        "when training stops",
        "which epoch is kept",
    ]
