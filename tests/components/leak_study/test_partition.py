"""Who learns from what: one test set, two training sets that differ in nothing but the leak."""

from collections import Counter
from pathlib import Path

import pytest

from components.dataset import Dataset
from components.errors import DataRefused
from components.leak_study.partition import Partition, divide
from tests.datasets import preprocessed_dataset


@pytest.fixture(scope="module")
def data(tmp_path_factory: pytest.TempPathFactory) -> Dataset:
    return Dataset(preprocessed_dataset(tmp_path_factory.mktemp("data"), per_class=24, images_per_lesion=2, size=(16, 16)))


@pytest.fixture(scope="module")
def parts(data: Dataset) -> Partition:
    return divide(data, 0.2, seed=3)


def test_the_clean_model_never_sees_a_group_of_the_test_set(parts: Partition) -> None:
    tested = set(parts.test["group_id"])
    assert tested
    assert not tested & {*parts.shared["group_id"], *parts.other["group_id"]}


def test_the_leaked_model_sees_the_others_of_every_group_of_the_test_set_and_none_of_its_images(parts: Partition) -> None:
    assert set(parts.leaked["group_id"]) == set(parts.test["group_id"])
    assert not set(parts.leaked["image_id"]) & set(parts.test["image_id"])


def test_both_learn_from_as_many_images_of_each_diagnosis_and_from_each_once(parts: Partition) -> None:
    assert Counter(parts.leaked["label"]) == Counter(parts.other["label"])
    images = [image for part in (parts.shared, parts.other, parts.leaked, parts.test) for image in part["image_id"]]
    assert len(images) == len(set(images))


def test_both_know_as_many_lesions(tmp_path: Path) -> None:
    # Three images a lesion. Where one is in test two leak: two of a clean lesion take their place, and nobody has its third.
    data = Dataset(preprocessed_dataset(tmp_path, per_class=48, images_per_lesion=3, size=(16, 16)))
    parts = divide(data, 0.1, seed=1)
    leaked, other = (part.groupby("label")["group_id"].nunique().to_dict() for part in (parts.leaked, parts.other))
    assert leaked == other
    assert leaked
    assert not set(parts.other["group_id"]) & set(parts.shared["group_id"])
    assert len(parts.other) < 3 * parts.other["group_id"].nunique()


def test_the_leak_is_as_large_as_an_image_splits(data: Dataset, parts: Partition) -> None:
    # Groups of two images: of those with an image in test, 0.8 have the other in train.
    assert parts.leaking_share == pytest.approx(0.8, abs=0.12)
    assert len(parts.leaked) == len(parts.test)


def test_val_judges_both_and_takes_no_part(data: Dataset, parts: Partition) -> None:
    for part in (parts.shared, parts.other, parts.leaked, parts.test):
        assert "val" not in set(part["split"])


def test_the_same_seed_gives_the_same_partition_and_another_another(data: Dataset, parts: Partition) -> None:
    assert divide(data, 0.2, seed=3).test["image_id"].tolist() == parts.test["image_id"].tolist()
    assert divide(data, 0.2, seed=4).test["image_id"].tolist() != parts.test["image_id"].tolist()


def test_no_more_than_half_of_a_diagnosis_makes_room_for_the_leak(tmp_path: Path) -> None:
    data = Dataset(preprocessed_dataset(tmp_path, per_class=8, images_per_lesion=4, size=(16, 16)))
    parts = divide(data, 0.1, seed=0)
    assert set(parts.leaked["group_id"]) == set(parts.test["group_id"])
    kept = Counter(parts.shared["label"])
    assert all(kept[label] >= count for label, count in Counter(parts.other["label"]).items())


def test_lesions_of_one_image_leak_nothing(tmp_path: Path) -> None:
    data = Dataset(preprocessed_dataset(tmp_path, per_class=6, images_per_lesion=1, size=(16, 16)))
    with pytest.raises(DataRefused, match=r"would leak nothing that can be measured; the study needs .* several images"):
        divide(data, 0.2, seed=0)
