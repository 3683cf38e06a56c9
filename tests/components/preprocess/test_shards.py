from pathlib import Path

import pandas as pd

from components.dataset import Dataset, write_manifest
from components.lesions import Task
from components.params import PreprocessParams
from components.preprocess.shards import cut_shards
from tests.datasets import encoded_dataset


def test_every_row_lies_in_one_shard_and_none_is_too_long(tmp_path: Path, small_params: PreprocessParams) -> None:
    dataset = Dataset(encoded_dataset(tmp_path, per_class=3))
    shards = cut_shards(dataset, small_params)
    assert max(len(shard.rows) for shard in shards) == 4
    for task in Task:
        ids = [name for shard in shards if shard.task is task for name in shard.rows["image_id"]]
        assert sorted(ids) == sorted(dataset.rows(task)["image_id"])


def test_new_images_leave_the_shards_of_the_others_as_they_are(tmp_path: Path, small_params: PreprocessParams) -> None:
    first = Dataset(encoded_dataset(tmp_path / "first", per_class=3, seed=1))
    more = Dataset(encoded_dataset(tmp_path / "more", per_class=3, seed=2))
    added = more.manifest.groupby("task").head(5)
    # Names that come before the others, so that cutting all rows in one go would move every border.
    added = added.assign(image_id="A_" + added["image_id"], shard="shards/new.zip")
    (tmp_path / "both").mkdir()
    write_manifest(tmp_path / "both", pd.concat([first.manifest, added]))
    before = {shard.name for shard in cut_shards(first, small_params)}
    after = {shard.name for shard in cut_shards(Dataset(tmp_path / "both"), small_params)}
    assert before < after


def test_a_shards_name_knows_the_settings_and_bytes_that_its_pixels_follow_from(
    tmp_path: Path, small_params: PreprocessParams
) -> None:
    dataset = Dataset(encoded_dataset(tmp_path, per_class=3))

    def names(params: PreprocessParams, task: Task) -> list[str]:
        return [shard.name for shard in cut_shards(dataset, params) if shard.task is task]

    other_size = small_params.model_copy(update={"segmentation_size": (64, 64)})
    assert names(other_size, Task.CLASSIFICATION) == names(small_params, Task.CLASSIFICATION)
    assert not set(names(other_size, Task.SEGMENTATION)) & set(names(small_params, Task.SEGMENTATION))
    for change in ({"hair_threshold": 11}, {"equalise": False}, {"clip_limit": 3.0}):
        changed = small_params.model_copy(update=change)
        assert not set(names(changed, Task.CLASSIFICATION)) & set(names(small_params, Task.CLASSIFICATION))
    before = names(small_params, Task.SEGMENTATION)
    dataset.manifest.loc[dataset.manifest["task"] == Task.SEGMENTATION, "mask_sha256"] = "another"
    assert not set(names(small_params, Task.SEGMENTATION)) & set(before)
