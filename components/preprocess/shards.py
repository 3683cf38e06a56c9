"""Which rows go into which pixel shard, and the shard's name."""

from collections.abc import Iterator
from dataclasses import dataclass

import pandas as pd

from components.dataset import Dataset, shard_name
from components.lesions import Task
from components.params import PreprocessParams

# Sizes stand in the name themselves. Where nothing is cropped, what one would crop by says nothing of the pixels.
_ELSEWHERE = {"classification_size", "segmentation_size", "shard_rows"}
_CROP = {"segmenter", "crop_margin"}


@dataclass(frozen=True)
class PixelShard:
    """A shard to write.

    Attributes:
        name: `components.dataset.shard_name` of all that its pixels follow from.
        task: of its rows.
        size: height, width of its pixels.
        rows: its rows of the manifest, in the order of its pixels.
    """

    name: str
    task: Task
    size: tuple[int, int]
    rows: pd.DataFrame


def cut_shards(dataset: Dataset, params: PreprocessParams) -> list[PixelShard]:
    """Cut every task's rows into shards of at most `params.shard_rows`.

    Rows of different encoded shards do not mix: new images come in new encoded shards, so they make new pixel shards and leave the
    others, names and bytes, as they were.
    """
    sizes = {Task.CLASSIFICATION: params.classification_size, Task.SEGMENTATION: params.segmentation_size}
    return [
        PixelShard(_name(task, sizes[task], rows, params), task, sizes[task], rows)
        for task in dataset.tasks()
        for _, group in dataset.rows(task).groupby("shard", sort=True)
        for rows in _parts(group.sort_values("image_id"), params.shard_rows)
    ]


def _parts(rows: pd.DataFrame, most: int) -> Iterator[pd.DataFrame]:
    return (rows.iloc[start : start + most] for start in range(0, len(rows), most))


def _name(task: Task, size: tuple[int, int], rows: pd.DataFrame, params: PreprocessParams) -> str:
    cropped = params.segmenter is not None and task is Task.CLASSIFICATION
    settings = params.identity().model_dump_json(exclude=_ELSEWHERE if cropped else _ELSEWHERE | _CROP)
    files = rows["sha256"].tolist()
    if task is Task.SEGMENTATION:
        files += rows["mask_sha256"].tolist()
    return shard_name(task, [f"{size[0]}x{size[1]}", settings, *rows["image_id"], *files])
