"""The bundle that a training goes on from: fetched into the training step's folder, and what it learned from before."""

from pathlib import Path
from typing import TYPE_CHECKING

from components.bundle import PARENT, Description, read_description, read_parent
from components.dataset import SEGMENTER, Dataset
from components.errors import DataRefused, ParamsError, TrackingError
from components.lesions import Split, Task
from components.params import PreprocessParams, TrainingParams, bundle_of
from components.store import Store
from components.tracking import Ledger
from pipelines.home import Home

if TYPE_CHECKING:
    import pandas as pd


def open_ledger(home: Home) -> Ledger | None:
    """MLflow, as far as registered models go; None where the home's own database is used and there is none yet."""
    if home.tracking_uri.startswith("sqlite:") and not (home.root / "mlflow.db").exists():
        return None
    return Ledger(home.tracking_uri, "dermacare")


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
    refuse_folds(params.weights, read_description(out / PARENT), params)
    learned = count_learned(Store(home.root), parent.data_version, Dataset(dataset), task)
    if learned:
        raise DataRefused(
            f"weights: {params.weights}: learned from {learned:,} images that are val or test now, so that no figure of what is "
            "trained on from it could be believed; set validate as it was when it was trained, or start from other weights"
        )


def take_segmenter(home: Home, params: PreprocessParams, out: Path) -> None:
    """Bring the segmenter that `params.segmenter` names, if it names one, into `segmenter/` of the preprocess step's folder.

    Raises:
        TrackingError: MLflow does not answer, or does not know the bundle.
        BundleError: what MLflow has is not what was registered.
    """
    if params.segmenter is not None and not (out / SEGMENTER).exists():
        _fetch(home, params.segmenter, out / SEGMENTER)


def refuse_folds(version: str, parent: Description, params: TrainingParams) -> None:
    """With folds each image of train and val judges one member and teaches the others: none may start from weights that know it.

    Raises:
        ParamsError: the parent was trained with folds, or the new model is to be.
    """
    if params.folds > 1:
        raise ParamsError(
            f"folds is {params.folds}, but {version} learned from images that each fold would be judged by; set folds to 1, "
            "or start from other weights"
        )
    if parent.training.get("folds", 1) > 1:
        raise ParamsError(
            f"{version} was trained with folds, so that it learned from val too, which would judge what is trained on from it; "
            "start from a version that was trained without, or from other weights"
        )


def _fetch(home: Home, spec: str, target: Path) -> None:
    """Fetch the bundle that a parameter names by its digest."""
    from components.register.fetch import fetch_bundle
    from components.register.registry import Registry

    digest = bundle_of(spec)
    assert digest is not None
    ledger = open_ledger(home)
    version = None
    if ledger is not None:
        with ledger.answering(f"looking up {spec}"):
            version = Registry(ledger).of_bundle(digest)
    if ledger is None or version is None:
        raise TrackingError(
            f"{home.tracking_uri}: has no registered model whose bundle is {spec}; "
            "name the server that has it in MLFLOW_TRACKING_URI"
        )
    fetch_bundle(ledger, version, target)


def count_learned(store: Store, learned_from: str, dataset: Dataset, task: Task) -> int | None:
    """Images of val and test whose group a model learned from; None where the data that it learned from is not in the store.

    In one home a group keeps its split, so that there are none unless `validate` was set otherwise; another home may have drawn
    other groups.

    Args:
        store: the step store.
        learned_from: the data version that it was trained on.
        dataset: what it is judged on.
        task: whose rows.
    """
    learned = _learned_rows(store, learned_from, task)
    if learned is None:
        return None
    rows = dataset.rows(task)
    judged = rows[rows["split"].isin([Split.VAL.value, Split.TEST.value])]
    known = [judged[column].isin(set(learned[column])) for column in ("image_id", "group_id", "sha256")]
    return int((known[0] | known[1] | known[2]).sum())


def _learned_rows(store: Store, data_version: str, task: Task) -> "pd.DataFrame | None":
    for out in store.root.glob("preprocess/*/out"):
        dataset = Dataset(out)
        if dataset.version == data_version:
            return dataset.rows(task, Split.TRAIN)
    return None
