"""What may be deleted: step outputs, run folders and models that served, which nothing refers to any more."""

import shutil
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path

from components.store import Store, code_digest
from pipelines import runs
from pipelines.home import Home
from pipelines.runs import RunRecord, RunState
from pipelines.serving.cache import ServingCache


@dataclass(frozen=True)
class Garbage:
    """One thing that may go: a step's folder (`key` set), a run's folder, or a model that served; `size` in bytes."""

    step: str
    key: str
    size: int
    reason: str


def find(home: Home, released: Iterable[str] = ()) -> list[Garbage]:
    """What nothing refers to any more, largest first.

    Kept are the steps of the newest run that was finished, of every run that goes on, of the newest run of each unfinished
    piece of work (it can be resumed; one of `--offline` can still be registered) whose code is the code of now, since no run of
    another code ever comes to its steps again, and of the runs that `released` names: those behind a model version with an alias.

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
    garbage += _models_that_served(home)
    return sorted(garbage, key=lambda item: -item.size)


def _models_that_served(home: Home) -> list[Garbage]:
    """Models in the serving cache that are of no release which a server would start with; they would be fetched again."""
    cache = ServingCache(home.serving)
    releases = [release for release in (cache.fetched, cache.remembered) if release is not None]
    kept = {model.reference.digest for one in releases for model in (one.classifier, one.segmenter) if model is not None}
    folders = sorted(cache.model("").glob("*"))
    return [Garbage("serving", one.name, _size(one), "serves no more") for one in folders if one.name not in kept]


def _kept(home: Home, all_runs: list[RunRecord], released: set[str]) -> list[RunRecord]:
    # What a cluster has done does not lie here, so that it takes the place of nothing here.
    newest_done = {run.cluster: run.id for run in all_runs if run.state is RunState.DONE}
    kept: list[RunRecord] = []
    for position, run in enumerate(all_runs):
        later = all_runs[position + 1 :]
        superseded = any(run.cluster == other.cluster and run.steps.same_work(other.steps) for other in later)
        goes_on = (run.state is not RunState.DONE or run.offline) and not superseded and _has_code_of_now(run)
        if newest_done.get(run.cluster) == run.id or run.id in released or runs.alive(home, run) or goes_on:
            kept.append(run)
    return kept


def _has_code_of_now(run: RunRecord) -> bool:
    return all(step.code == code_digest(step.step) for step in run.steps.steps)


def still(home: Home, garbage: Iterable[Garbage], released: Iterable[str] = ()) -> list[Garbage]:
    """What of an earlier `find` nothing refers to now either: meanwhile a run may have begun that takes some of it up."""
    named = {(item.step, item.key) for item in find(home, released)}
    return [item for item in garbage if (item.step, item.key) in named]


def delete(home: Home, garbage: Iterable[Garbage]) -> None:
    """Delete what `find` found.

    Raises:
        StoreError: a process is at work in one of the folders.
    """
    store = Store(home.root)
    for item in garbage:
        if item.step == "runs":
            shutil.rmtree(home.run(item.key))
        elif item.step == "serving":
            shutil.rmtree(ServingCache(home.serving).model(item.key))
        else:
            store.delete(item.step, item.key)


def _size(folder: Path) -> int:
    return sum(path.lstat().st_size for path in folder.rglob("*") if path.is_file())
