"""The bundle that a training goes on from: fetched into the training step's folder, and what it learned from before."""

from collections.abc import Iterable
from pathlib import Path
from typing import TYPE_CHECKING

from components.bundle import PARENT, Parent, read_parent
from components.dataset import Dataset
from components.errors import DataRefused, TrackingError
from components.lesion_crop import SEGMENTER
from components.lesions import Split, Task
from components.params import PreprocessParams, TrainingParams, bundle_of
from components.provenance.splits import known, told
from components.store import Store
from components.tracking import without_credentials
from pipelines.home import Home, open_ledger

if TYPE_CHECKING:
    import pandas as pd


def take_parent(home: Home, params: TrainingParams, task: Task, dataset: Path, out: Path) -> None:
    """Bring the bundle that `params.weights` names, if it names one, into `parent/` of a training step's folder.

    Raises:
        TrackingError: MLflow does not answer, or does not know the bundle.
        BundleError: what MLflow has is not what was registered.
        DataRefused: it is known to have learned from images that the new model would be judged by.
    """
    if params.parent is None:
        return
    if not (out / PARENT).exists():
        _fetch(home, params.weights, out / PARENT)
    parent = read_parent(out)
    assert parent is not None
    learned = count_learned_before(KnownSplits(home), parent, Dataset(dataset), task, params.folds)
    if learned:
        raise DataRefused(
            f"weights: {params.weights}: learned from {learned:,} images that would judge what is trained on from it, so that no "
            "figure could be believed; set validate as it was when it was trained, or start from other weights"
        )


def take_segmenter(home: Home, params: PreprocessParams, out: Path) -> None:
    """Bring the segmenter that `params.segmenter` names, if it names one, into `segmenter/` of the preprocess step's folder.

    Raises:
        TrackingError: MLflow does not answer, or does not know the bundle.
        BundleError: what MLflow has is not what was registered.
    """
    if params.segmenter is not None and not (out / SEGMENTER).exists():
        _fetch(home, params.segmenter, out / SEGMENTER)


def _fetch(home: Home, spec: str, target: Path) -> None:
    """Fetch the bundle that a parameter names by its digest."""
    from components.register.registry import Registry
    from components.registered import fetch_bundle

    digest = bundle_of(spec)
    assert digest is not None
    ledger = open_ledger(home)
    version = None
    if ledger is not None:
        with ledger.answering(f"looking up {spec}"):
            version = Registry(ledger).of_bundle(digest)
    if ledger is None or version is None:
        raise TrackingError(
            f"{without_credentials(home.tracking_uri)}: has no registered model whose bundle is {spec}; "
            "name the server that has it in MLFLOW_TRACKING_URI"
        )
    fetch_bundle(ledger, version, target)


class KnownSplits:
    """How versions of the data were split, as far as the home's store or MLflow tells.

    Args:
        home: whose store, and which MLflow.
    """

    def __init__(self, home: Home) -> None:
        self._home = home

    def of(self, data_version: str) -> "pd.DataFrame | None":
        """The rows of a version, as `components.provenance.splits.told`; None: nobody knows it.

        Raises:
            TrackingError: the store does not know it, and MLflow does not answer.
            DatasetError: what MLflow has is damaged.
        """
        datasets = (Dataset(out) for out in Store(self._home.root).outs("preprocess"))
        dataset = next((one for one in datasets if one.version == data_version), None)
        if dataset is not None:
            return told(dataset.manifest)
        ledger = open_ledger(self._home)
        if ledger is None:
            return None
        from components.registered import fetch_splits

        return fetch_splits(ledger, data_version)


def count_learned_before(splits: KnownSplits, parent: Parent, dataset: Dataset, task: Task, folds: int) -> int | None:
    """The same of all models that one goes on from in turn: the most that any learned from; None where it is not known of one."""
    counts = [
        count_learned(splits, version, dataset, task, folds) for version in dict.fromkeys((parent.data_version, *parent.earlier))
    ]
    known = [count for count in counts if count is not None]
    return None if len(known) < len(counts) and not any(known) else max(known)


def count_learned(splits: KnownSplits, learned_from: str, dataset: Dataset, task: Task, folds: int) -> int | None:
    """Images that judge a model, and whose group the model that it goes on from learned from; None where this is not known.

    In one home an image keeps its split, so that without folds there are none unless `validate` was set otherwise; with folds also
    where new images showed two groups to be one, since the younger took the other's fold. Another home may have drawn other groups.

    Args:
        splits: who tells how data was split.
        learned_from: the data version that the model was trained on.
        dataset: what judges.
        task: whose rows.
        folds: of both trainings: each member goes on from one of its own fold.
    """
    then = _rows(splits, learned_from, task)
    if then is None:
        return None
    now = told(dataset.rows(task))
    if folds == 1:
        return _count_known(now[now["split"] != Split.TRAIN.value], then[then["split"] == Split.TRAIN.value])
    crossed = then[then["split"] != Split.TEST.value]
    parts = [(now[now["split"] == Split.TEST.value], crossed)]
    parts += [(now[now["fold"] == fold], crossed[crossed["fold"] != fold]) for fold in range(folds)]
    return sum(_count_known(judged, learned) for judged, learned in parts)


def learned_of(
    splits: KnownSplits, learned_from: Iterable[str], rows: "pd.DataFrame", task: Task, folds: int
) -> "tuple[pd.Series[bool], bool]":
    """Which images have a group that a model, or one that it goes on from in turn, is known to have learned from.

    Args:
        splits: who tells how data was split.
        learned_from: the data versions that they were trained on: `Description.learned_from`.
        rows: of a manifest.
        task: whose rows.
        folds: of each training: with folds it learned from val too.

    Returns:
        A truth value a row, and whether that is all: False where it is not known how one of the versions was split.
    """
    learned = (Split.TRAIN.value,) if folds == 1 else (Split.TRAIN.value, Split.VAL.value)
    asked = told(rows)
    found = asked["split"].isna()  # nothing yet: every row has a split
    parts = [_rows(splits, version, task) for version in dict.fromkeys(learned_from)]
    for then in parts:
        if then is not None:
            found |= known(asked, then[then["split"].isin(learned)])
    return found, all(then is not None for then in parts)


def _rows(splits: KnownSplits, data_version: str, task: Task) -> "pd.DataFrame | None":
    known_rows = splits.of(data_version)
    return None if known_rows is None else known_rows[known_rows["task"] == task.value]


def _count_known(judged: "pd.DataFrame", learned: "pd.DataFrame") -> int:
    return int(known(judged, learned).sum())
