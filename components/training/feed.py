"""What a member of a model is trained on and judged by, at the size that the model sees."""

from collections.abc import Iterator
from dataclasses import dataclass

from components.augment_balance.mix import Mix
from components.augment_balance.plan import Plan
from components.augment_balance.planning import plan_rows
from components.augment_balance.reader import Batch, TrainingReader, read_rows
from components.dataset import Dataset
from components.lesions import Task
from components.params import TrainClassifierParams, TrainUnetParams
from components.training.folds import Member, Rows, select_rows


@dataclass(frozen=True)
class Feed:
    """Data for one member.

    Attributes:
        member: whose data it is.
        dataset: a preprocessed dataset.
        task: whose images and targets.
        size: height, width that the model sees, in pixels.
        plan: by which what it learns from is augmented and balanced.
        train: the augmented and balanced epochs.
        rows: of the dataset that it learns from, and that judge it.
        batch_size: images of a batch of what judges it.
    """

    member: Member
    dataset: Dataset
    task: Task
    size: tuple[int, int]
    plan: Plan
    train: TrainingReader
    rows: Rows
    batch_size: int

    def val(self, start: int = 0) -> Iterator[Batch]:
        """The batches of what judges it, as they are stored, from batch `start` on: val, or its fold."""
        rows = self.rows.judged.iloc[start * self.batch_size :]
        return read_rows(self.dataset, self.task, rows, self.size, self.batch_size)


def open_feed(data: Dataset, plan: Plan, task: Task, params: TrainUnetParams | TrainClassifierParams, member: Member) -> Feed:
    """Put together what a member needs of a dataset.

    Args:
        data: a preprocessed dataset.
        plan: for its train split.
        task: whose images.
        params: how the model is trained.
        member: which of its members.

    Raises:
        DatasetError: they do not belong together, or nothing judges the member.
    """
    rows = select_rows(data, task, params, member)
    planned = plan if member.fold is None else plan_rows(plan, task, rows.learned)
    planned = planned.model_copy(update={"seed": plan.seed + member.seed})
    size = seen_size(data, task, params)
    train = TrainingReader(data, task, planned, size, params.batch_size, rows=rows.learned, mix=_mix(params))
    return Feed(member, data, task, size, planned, train, rows, params.batch_size)


def seen_size(data: Dataset, task: Task, params: TrainUnetParams | TrainClassifierParams) -> tuple[int, int]:
    """Height, width that the model sees, in pixels."""
    settings = data.preprocessing
    return params.input_size or (settings.classification_size if task is Task.CLASSIFICATION else settings.segmentation_size)


def _mix(params: TrainUnetParams | TrainClassifierParams) -> Mix | None:
    if isinstance(params, TrainUnetParams) or params.mix == "none":
        return None
    return Mix(params.mix, params.mix_alpha)
