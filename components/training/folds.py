"""Cross-validation: the members that a model is the mean of, and which images each learns from and is judged by.

Without folds a member learns from train and val judges it. With folds train and val are one, cut into folds by group (`validate`),
and a member learns from all of them but its own, which judges it: it decides what val decides otherwise (when the learning rate
falls, when training stops, which epoch is kept).
"""

from collections.abc import Iterator
from dataclasses import dataclass

import pandas as pd

from components.dataset import Dataset
from components.errors import DatasetError
from components.lesions import Split, Task
from components.params import TrainingParams, TrainUnetParams


@dataclass(frozen=True)
class Member:
    """One of the models that are averaged.

    Attributes:
        name: of the member: `fold 0`, `seed 2019`, `fold 0 seed 2019`.
        fold: that judges it; None: val does.
        seed: how far its seeds are from those that are set, 0 or more: of its weights and of what it is shown.
    """

    name: str
    fold: int | None
    seed: int


@dataclass(frozen=True)
class Rows:
    """Rows of a task that a member learns from, and those that judge it; no group is in both."""

    learned: pd.DataFrame
    judged: pd.DataFrame


def plan_members(params: TrainingParams) -> list[Member]:
    """The members, fold after fold; one at least."""
    return [Member(_name(params, fold, seed), fold, seed) for fold in _folds(params) for seed in range(params.seeds)]


def choices_on_judged(params: TrainingParams) -> list[str]:
    """What is chosen on the images that judge a member, which makes its figures there a little too good; empty: nothing is."""
    choices = {
        "when the learning rate falls": params.schedule == "plateau",
        "when training stops": params.stop_patience is not None,
        "which epoch is kept": params.keep == "best",
        "the mask threshold": isinstance(params, TrainUnetParams) and params.mask_threshold is None,
    }
    return [what for what, chosen in choices.items() if chosen]


def select_rows(data: Dataset, task: Task, params: TrainingParams, member: Member) -> Rows:
    """What a member learns from and is judged by.

    Raises:
        DatasetError: nothing judges it, or the dataset was cut into another number of folds.
    """
    rows = data.rows(task)
    if member.fold is None:
        return Rows(*(_non_empty(data, task, rows, split) for split in (Split.TRAIN, Split.VAL)))
    rows = rows[rows["split"] != Split.TEST.value]
    last = -1 if rows["fold"].isna().any() else int(rows["fold"].max())
    if not 0 <= last < params.folds:
        found = "some rows of train and val have no fold" if last < 0 else f"fold counts to {last}"
        raise DatasetError(
            f"{data.root}/manifest.parquet: {found}, but folds is {params.folds}; validate the data with as many validate.folds"
        )
    judged = (rows["fold"] == member.fold).to_numpy(bool)
    if not judged.any() or judged.all():
        raise DatasetError(
            f"{data.root}/manifest.parquet: {'all' if judged.any() else 'no'} {task} images of train and val are in fold "
            f"{member.fold} of {params.folds}; add images of more lesions, or set fewer folds"
        )
    return Rows(rows[~judged].reset_index(drop=True), rows[judged].reset_index(drop=True))


def unlearned(data: Dataset, rows: Rows) -> list[str]:
    """Diagnoses of the data, of test too, of which a member has no image to learn from."""
    return sorted(set(data.rows(Task.CLASSIFICATION)["label"].dropna()) - set(rows.learned["label"].dropna()))


def _non_empty(data: Dataset, task: Task, rows: pd.DataFrame, split: Split) -> pd.DataFrame:
    part = rows[rows["split"] == split.value].reset_index(drop=True)
    if part.empty and split is Split.VAL:
        raise DatasetError(
            f"{data.root}: {task} has no val images, by which training is judged; add data or raise validate.val_share"
        )
    return part


def _folds(params: TrainingParams) -> Iterator[int | None]:
    if params.folds == 1:
        yield None
    elif params.fold is not None:
        yield params.fold
    else:
        yield from range(params.folds)


def _name(params: TrainingParams, fold: int | None, seed: int) -> str:
    parts = [] if fold is None else [f"fold {fold}"]
    if params.seeds > 1 or fold is None:
        parts.append(f"seed {params.seed + seed}")
    return " ".join(parts)
