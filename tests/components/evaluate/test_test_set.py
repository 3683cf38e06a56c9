"""What tells test sets apart: pixels and truth of test, nothing else."""

from collections.abc import Callable

import pandas as pd
import pytest

from components.dataset import Dataset
from components.evaluate.test_set import test_set_digest as digest_of
from components.lesions import Task
from tests.datasets import preprocessed_dataset


@pytest.fixture(scope="module")
def data(tmp_path_factory: pytest.TempPathFactory) -> Dataset:
    return Dataset(preprocessed_dataset(tmp_path_factory.mktemp("data"), per_class=3, size=(16, 16)))


def changed(data: Dataset, change: Callable[[pd.DataFrame], pd.DataFrame]) -> Dataset:
    return data.with_manifest(change(data.manifest.copy()))


def test_the_order_of_rows_groups_and_other_splits_say_nothing(data: Dataset) -> None:
    def other(manifest: pd.DataFrame) -> pd.DataFrame:
        manifest["group_id"] = "one"
        manifest.loc[manifest["split"] == "train", "label"] = "NV"
        return manifest[manifest["split"] != "val"].iloc[::-1]

    for task in Task:
        assert digest_of(changed(data, other), task) == digest_of(data, task)


@pytest.mark.parametrize(
    ("column", "task", "other"),
    [
        ("sha256", Task.CLASSIFICATION, Task.SEGMENTATION),
        ("label", Task.CLASSIFICATION, Task.SEGMENTATION),
        ("mask_sha256", Task.SEGMENTATION, Task.CLASSIFICATION),
    ],
)
def test_pixels_and_truth_of_a_test_image_make_another_test_set(data: Dataset, column: str, task: Task, other: Task) -> None:
    def change(manifest: pd.DataFrame) -> pd.DataFrame:
        row = manifest.index[(manifest["task"] == task.value) & (manifest["split"] == "test")][0]
        manifest.loc[row, column] = "NV" if column == "label" else "0" * 64
        return manifest

    now = changed(data, change)
    assert digest_of(now, task) != digest_of(data, task)
    assert digest_of(now, other) == digest_of(data, other)
    assert digest_of(data, task) != digest_of(data, other)
