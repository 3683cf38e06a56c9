"""What may be deleted: step outputs and run folders that nothing refers to any more."""

import shutil
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path

from components.store import Store
from pipelines import runs
from pipelines.home import Home
from pipelines.runs import RunRecord, RunState


@dataclass(frozen=True)
class Garbage:
    """One thing that may go: a step's folder (`key` set) or a run's folder; `size` in bytes."""

    step: str
    key: str
    size: int
    reason: str


def find(home: Home, released: Iterable[str] = ()) -> list[Garbage]:
    """What nothing refers to any more, largest first.

    Kept are the steps of the newest run that was finished, of every run that goes on, of the newest run of each unfinished
    piece of work (it can be resumed; one of `--offline` can still be registered), and of the runs that `released` names: those
    behind a model version with an alias.

    Args:
        home: where state lies.
        released: ids of runs that trained a model that an alias points to.
    """
    all_runs = runs.all_runs(home)
    kept = _kept(home, all_runs, set(released))
    needed = {(step.step, step.key) for run in kept for step in run.steps.steps}
    store = Store(home.root)
    garbage = [
        Garbage(step, key, store.size(step, key), "no run that is kept uses it")
        for step, key in store.entries()
        if (step, key) not in needed
    ]
    garbage += [
        Garbage("runs", run.id, _size(home.run(run.id)), f"{run.state}, and a newer run took its place")
        for run in all_runs
        if run not in kept
    ]
    return sorted(garbage, key=lambda item: -item.size)


def _kept(home: Home, all_runs: list[RunRecord], released: set[str]) -> list[RunRecord]:
    newest_done = next((run for run in reversed(all_runs) if run.state is RunState.DONE), None)
    kept: list[RunRecord] = []
    for position, run in enumerate(all_runs):
        later = all_runs[position + 1 :]
        superseded = any(run.steps.same_work(other.steps) for other in later)
        goes_on = (run.state is not RunState.DONE or run.offline) and not superseded
        if run is newest_done or run.id in released or runs.alive(home, run) or goes_on:
            kept.append(run)
    return kept


def delete(home: Home, garbage: Iterable[Garbage]) -> None:
    """Delete what `find` found.

    Raises:
        StoreError: a process is at work in one of the folders.
    """
    store = Store(home.root)
    for item in garbage:
        if item.step == "runs":
            shutil.rmtree(home.run(item.key))
        else:
            store.delete(item.step, item.key)


def _size(folder: Path) -> int:
    return sum(path.lstat().st_size for path in folder.rglob("*") if path.is_file())
