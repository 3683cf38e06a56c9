"""What a model is trained on and judged by: the train and val parts of a dataset, at the size that the model sees."""

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import pandas as pd

from components.augment_balance.mix import Mix
from components.augment_balance.plan import Plan, read_plan
from components.augment_balance.reader import Batch, TrainingReader, read_split
from components.dataset import Dataset
from components.errors import DatasetError
from components.lesions import Split, Task
from components.params import TrainClassifierParams, TrainUnetParams


@dataclass(frozen=True)
class Feed:
    """Data for one model.

    Attributes:
        dataset: a preprocessed dataset.
        task: whose images and targets.
        size: height, width that the model sees, in pixels.
        plan: by which train is augmented and balanced.
        train: the augmented and balanced epochs.
        batch_size: images of a batch of val.
    """

    dataset: Dataset
    task: Task
    size: tuple[int, int]
    plan: Plan
    train: TrainingReader
    batch_size: int

    @property
    def judged(self) -> pd.DataFrame:
        """The manifest's rows of val, in the order of its batches."""
        return self.dataset.rows(self.task, Split.VAL)

    def val(self) -> Iterator[Batch]:
        """The batches of val, as they are stored."""
        return read_split(self.dataset, self.task, Split.VAL, self.size, self.batch_size)


def open_feed(dataset: Path, plan: Path, task: Task, params: TrainUnetParams | TrainClassifierParams) -> Feed:
    """Open a preprocessed dataset folder and a plan for it.

    Raises:
        DatasetError: one of them breaks its contract, they do not belong together, or there is nothing in val.
    """
    data = Dataset(dataset)
    if data.rows(task, Split.VAL).empty:
        raise DatasetError(
            f"{dataset}: {task} has no val images, by which training is judged; add data or raise validate.val_share"
        )
    settings = data.preprocessing
    stored = settings.classification_size if task is Task.CLASSIFICATION else settings.segmentation_size
    size = params.input_size or stored
    planned = read_plan(plan)
    train = TrainingReader(data, task, planned, size, params.batch_size, mix=_mix(params))
    return Feed(data, task, size, planned, train, params.batch_size)


def _mix(params: TrainUnetParams | TrainClassifierParams) -> Mix | None:
    if isinstance(params, TrainUnetParams) or params.mix == "none":
        return None
    return Mix(params.mix, params.mix_alpha)
