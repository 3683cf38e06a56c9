"""What a model is fed: augmented batches of train, plain ones of any split."""

import os
from collections import deque
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass

import cv2
import numpy as np
import numpy.typing as npt
import pandas as pd

from components.augment_balance.geometry import Draw, brighten, draw, warp_image, warp_mask
from components.augment_balance.plan import Plan
from components.dataset import Dataset
from components.errors import DatasetError
from components.images import Mask, RGBImage, one_thread_a_call
from components.lesions import CODES, Diagnosis, Split, Task
from components.preprocess.normalise import normalise
from components.preprocess.resize import fit_input, resize_mask

Floats = npt.NDArray[np.float32]

_NORMALISED = normalise(np.arange(256, dtype=np.uint8))


@dataclass(frozen=True)
class Batch:
    """Samples of one step, float32.

    Attributes:
        images: N x H x W x 3, RGB, 0 to 1.
        targets: classification: N x 8, one-hot, in the order of `components.lesions.CODES`; segmentation: N x H x W x 1, 0 | 1.
        weights: N, of each sample in the loss; 1 outside training.
    """

    images: Floats
    targets: Floats
    weights: Floats


class TrainingReader:
    """The train split of a task, balanced, shuffled and augmented as a plan says.

    An epoch depends on the plan's seed and the epoch's number alone. Pixels stay on the disk, mapped into memory; each core
    prepares a batch while another one is trained on.

    Args:
        dataset: a preprocessed dataset.
        task: whose rows and targets.
        plan: made for this dataset by `augment_balance`.
        size: height, width that the model sees; None: as stored.
        batch_size: samples of a batch; the last one of an epoch may have fewer.

    Raises:
        DatasetError: the plan was made for another dataset, not for this task, or not for all of its diagnoses.
    """

    def __init__(self, dataset: Dataset, task: Task, plan: Plan, size: tuple[int, int] | None, batch_size: int) -> None:
        if plan.data_version != dataset.version:
            raise DatasetError(
                f"plan.json: data_version is {plan.data_version[:12]}, {dataset.root} has {dataset.version[:12]}; "
                "make the plan again for this dataset"
            )
        if task not in plan.tasks():
            raise DatasetError(f"plan.json: {task} is null: no image is planned for it; add images for it, or train no model of it")
        self._dataset = dataset
        self._task = task
        self._plan = plan
        self._size = size
        self._batch_size = batch_size
        self._rows = dataset.rows(task, Split.TRAIN)
        self._samples = _list_samples(self._rows, plan, task)

    @property
    def samples(self) -> int:
        """Samples of an epoch."""
        return len(self._samples)

    @property
    def steps(self) -> int:
        """Batches of an epoch, the last smaller one included."""
        return -(-len(self._samples) // self._batch_size)

    def epoch(self, number: int, start: int = 0, size: tuple[int, int] | None = None) -> Iterator[Batch]:
        """The batches of an epoch, counted from 0.

        Args:
            number: of the epoch.
            start: the first batch to give, counted from 0; what an earlier one holds is not prepared.
            size: height, width of the images in this epoch; None: as the model sees them.
        """
        order = np.random.default_rng([self._plan.seed, number]).permutation(len(self._samples))
        firsts = range(start * self._batch_size, len(order), self._batch_size)
        parts = [self._samples[order[first : first + self._batch_size]] for first in firsts]
        cores = os.cpu_count() or 1
        with one_thread_a_call(), ThreadPoolExecutor(cores) as pool:
            ready = deque(pool.submit(self._prepare, part, number, size or self._size) for part in parts[:cores])
            for part in parts[cores:]:
                yield ready.popleft().result()
                ready.append(pool.submit(self._prepare, part, number, size or self._size))
            yield from (batch.result() for batch in ready)

    def _prepare(self, samples: npt.NDArray[np.int64], epoch: int, size: tuple[int, int] | None) -> Batch:
        rows = self._rows.iloc[samples[:, 0]]
        names = zip(rows["image_id"], samples[:, 1].tolist(), strict=True)
        draws = [draw(self._plan.ranges, self._plan.seed, epoch, name, repeat) for name, repeat in names]
        images = _augmented(self._dataset.images(rows), draws, size)
        if self._task is Task.SEGMENTATION:
            masks = zip(self._dataset.masks(rows), draws, strict=True)
            targets = _mask_targets([warp_mask(mask, drawn) for mask, drawn in masks], size)
            return Batch(images, targets, np.ones(len(rows), np.float32))
        assert self._plan.classification is not None
        weights = self._plan.classification.class_weights
        return Batch(images, _one_hot(rows), np.array([weights[Diagnosis(label)] for label in rows["label"]], np.float32))


def read_split(dataset: Dataset, task: Task, split: Split, size: tuple[int, int] | None, batch_size: int) -> Iterator[Batch]:
    """A split of a task as it is stored: not augmented, not weighed, in the order of `dataset.rows(task, split)`.

    Args:
        dataset: a preprocessed dataset.
        task: whose rows and targets.
        split: which rows.
        size: height, width that the model sees; None: as stored.
        batch_size: samples of a batch; the last one may have fewer.
    """
    rows = dataset.rows(task, split)
    for start in range(0, len(rows), batch_size):
        part = rows.iloc[start : start + batch_size]
        images = normalise(np.stack([fit_input(image, size) for image in dataset.images(part)]))
        targets = _mask_targets(list(dataset.masks(part)), size) if task is Task.SEGMENTATION else _one_hot(part)
        yield Batch(images, targets, np.ones(len(part), np.float32))


def _list_samples(rows: pd.DataFrame, plan: Plan, task: Task) -> npt.NDArray[np.int64]:
    """Samples of an epoch, N x 2: place in `rows`, and which time it comes (from 0)."""
    times = [1] * len(rows)
    if task is Task.CLASSIFICATION:
        assert plan.classification is not None
        repeats = plan.classification.repeats
        unplanned = sorted(set(rows["label"]) - {label.value for label in repeats})
        if unplanned:
            raise DatasetError(
                f"plan.json: classification leaves out {unplanned[0]}, of which train has images; make the plan again"
            )
        times = [repeats[Diagnosis(label)] for label in rows["label"]]
    return np.array([(place, repeat) for place, count in enumerate(times) for repeat in range(count)], np.int64)


def _augmented(stored: RGBImage, draws: list[Draw], size: tuple[int, int] | None) -> Floats:
    height, width = size or stored.shape[1:3]
    images = np.empty((len(stored), height, width, 3), np.float32)
    for place, drawn in enumerate(draws):
        # What becomes of each of the 256 values is worked out once an image, not once a pixel.
        values = brighten(_NORMALISED.copy(), drawn)
        cv2.LUT(fit_input(warp_image(stored[place], drawn), size), values, dst=images[place])
    return images


def _mask_targets(masks: list[Mask], size: tuple[int, int] | None) -> Floats:
    fitted = [mask if size is None else resize_mask(mask, size) for mask in masks]
    targets: Floats = (np.stack(fitted)[..., None] == 255).astype(np.float32)
    return targets


def _one_hot(rows: pd.DataFrame) -> Floats:
    targets = np.zeros((len(rows), len(CODES)), np.float32)
    targets[np.arange(len(rows)), [CODES.index(label) for label in rows["label"]]] = 1
    return targets
