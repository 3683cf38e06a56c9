"""Over how many cores work is spread; another machine's are pretended."""

import os
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import pytest

from components.augment_balance.reader import TrainingReader
from components.cores import usable_cores
from components.dataset import Dataset
from components.ingest.phantom import draw_phantoms
from components.lesions import Task
from components.params import PhantomParams
from components.preprocess import preprocess
from components.reporter import Reporter
from components.validate.images import measure_files
from tests.datasets import encoded_dataset, resize_alone
from tests.trainings import make_data, read_plan


def test_a_containers_share_bounds_its_threads(tmp_path: Path) -> None:
    quota = tmp_path / "cpu.max"
    free = usable_cores(quota)  # no such file
    for text, threads in (("max 100000\n", free), ("50000 100000\n", 1), (f"{100_000 * 2 * free} 100000\n", free)):
        quota.write_text(text)
        assert usable_cores(quota) == threads


def draw(folder: Path) -> None:
    draw_phantoms(folder, PhantomParams(lesions_per_class=2, images_per_lesion=1, size=(32, 32), seed=1), lambda done, total: None)


def check(folder: Path) -> None:
    measure_files(Dataset(encoded_dataset(folder / "data", per_class=1)), folder, Reporter(folder, "validate"))


def shrink(folder: Path) -> None:
    preprocess(encoded_dataset(folder / "data", per_class=1), folder, resize_alone((16, 16)), Reporter(folder, "preprocess"))


def feed(folder: Path) -> None:
    data = make_data(folder)
    assert list(TrainingReader(Dataset(data.dataset), Task.CLASSIFICATION, read_plan(data.plan), None, 4).epoch(0))


@pytest.mark.parametrize("work", [draw, check, shrink, feed])
def test_where_one_core_of_many_may_be_used_no_thread_more_is_started(
    work: Callable[[Path], None], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    asked: list[int | None] = []
    start = ThreadPoolExecutor.__init__

    def watched(pool: ThreadPoolExecutor, max_workers: int | None = None, *more: Any, **named: Any) -> None:
        asked.append(max_workers)
        start(pool, max_workers, *more, **named)

    monkeypatch.setattr(os, "cpu_count", lambda: 64)
    monkeypatch.setattr(os, "sched_getaffinity", lambda process: {0})
    monkeypatch.setattr(ThreadPoolExecutor, "__init__", watched)
    work(tmp_path)
    assert set(asked) == {1}
