"""What a model is fed: augmented batches of train, plain ones of any split."""

from collections import deque
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from functools import cached_property

import numpy as np
import numpy.typing as npt
import pandas as pd

from components.augment_balance.batch import Batch, Floats
from components.augment_balance.colour import recolour
from components.augment_balance.draws import Draw, draw
from components.augment_balance.geometry import warp_image, warp_mask
from components.augment_balance.hair import grow_hair
from components.augment_balance.mix import Mix, mix_batch
from components.augment_balance.plan import ClassificationPlan, Plan
from components.cores import usable_cores
from components.dataset import Dataset
from components.errors import DatasetError
from components.images import Mask, RGBImage, one_thread_a_call
from components.lesions import CODES, Diagnosis, Split, Task
from components.preprocess.normalise import normalise
from components.preprocess.resize import fit_input, resize_mask

__all__ = ["Batch", "TrainingReader", "augment_image", "read_rows"]


class TrainingReader:
    """The train split of a task, or other rows of it, balanced, shuffled and augmented as a plan says.

    An epoch depends on the plan's seed and the epoch's number alone; with `mix` on the batch size too. Pixels stay on the disk,
    mapped into memory; each core prepares a batch while another one is trained on.

    Args:
        dataset: a preprocessed dataset.
        task: whose rows and targets.
        plan: made for this dataset by `augment_balance`.
        size: height, width that the model sees; None: as stored.
        batch_size: samples of a batch; the last one of an epoch may have fewer.
        rows: of the task, to learn from; None: those of train.
        mix: how samples of a classification batch are mixed; None: they are not.

    Raises:
        DatasetError: the plan was made for another dataset, not for this task, or not for all of its diagnoses.
    """

    def __init__(
        self,
        dataset: Dataset,
        task: Task,
        plan: Plan,
        size: tuple[int, int] | None,
        batch_size: int,
        *,
        rows: pd.DataFrame | None = None,
        mix: Mix | None = None,
    ) -> None:
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
        self._rows = dataset.rows(task, Split.TRAIN) if rows is None else rows
        self._mix = mix
        self._balance = plan.classification if task is Task.CLASSIFICATION else None
        if self._balance is not None:
            _refuse_unplanned(self._rows, self._balance)

    @cached_property
    def samples(self) -> int:
        """Samples of an epoch."""
        return len(self._list_samples(0))

    @property
    def steps(self) -> int:
        """Batches of an epoch, the last smaller one included."""
        return -(-self.samples // self._batch_size)

    def epoch(self, number: int, start: int = 0, size: tuple[int, int] | None = None) -> Iterator[Batch]:
        """The batches of an epoch, counted from 0.

        Args:
            number: of the epoch.
            start: the first batch to give, counted from 0; what an earlier one holds is not prepared.
            size: height, width of the images in this epoch; None: as the model sees them.
        """
        samples = self._list_samples(number)
        samples = samples[np.random.default_rng([self._plan.seed, number]).permutation(len(samples))]
        steps = range(start, -(-len(samples) // self._batch_size))
        parts = [(step, samples[step * self._batch_size : (step + 1) * self._batch_size]) for step in steps]
        cores = usable_cores()
        with one_thread_a_call(), ThreadPoolExecutor(cores) as pool:
            ready = deque(pool.submit(self._prepare, *part, number, size or self._size) for part in parts[:cores])
            for part in parts[cores:]:
                yield ready.popleft().result()
                ready.append(pool.submit(self._prepare, *part, number, size or self._size))
            yield from (batch.result() for batch in ready)

    def _list_samples(self, epoch: int) -> npt.NDArray[np.int64]:
        """Samples of an epoch, N x 2: place in the rows, and which time it comes (from 0)."""
        if self._balance is None:
            places = self._list_masks(epoch)
            return np.stack([places, np.zeros(len(places), np.int64)], axis=1)
        turns = [_list_label(self._rows, label, self._balance, self._plan.seed, epoch) for label in self._balance.images]
        # In the order of the rows, so that the limit, where it holds nothing back, changes nothing.
        samples = np.concatenate(turns)
        ordered: npt.NDArray[np.int64] = samples[np.lexsort((samples[:, 1], samples[:, 0]))]
        return ordered

    def _list_masks(self, epoch: int) -> npt.NDArray[np.int64]:
        """Images of a segmentation epoch, N: places in the rows."""
        assert self._plan.segmentation is not None
        most, sources = self._plan.segmentation.max_images, self._rows["source"]
        turns = [
            _take_turn(np.flatnonzero(sources == source), most, epoch, [self._plan.seed, int.from_bytes(source.encode()), 2])
            for source in sorted(set(sources))
        ]
        return np.sort(np.concatenate(turns))

    def _prepare(self, step: int, samples: npt.NDArray[np.int64], epoch: int, size: tuple[int, int] | None) -> Batch:
        rows = self._rows.iloc[samples[:, 0]]
        names = zip(rows["image_id"], samples[:, 1].tolist(), strict=True)
        draws = [draw(self._plan.ranges, self._plan.seed, epoch, name, repeat) for name, repeat in names]
        images = _augmented(self._dataset.images(rows), draws, size)
        if self._balance is None:
            masks = zip(self._dataset.masks(rows), draws, strict=True)
            targets = _mask_targets([warp_mask(mask, drawn) for mask, drawn in masks], size)
            return Batch(images, targets, np.ones(len(rows), np.float32))
        weights = self._balance.class_weights
        batch = Batch(images, _one_hot(rows), np.array([weights[Diagnosis(label)] for label in rows["label"]], np.float32))
        return batch if self._mix is None else mix_batch(batch, self._mix, self._plan.seed, epoch, step)


def augment_image(stored: RGBImage, drawn: Draw, out: Floats) -> None:
    """What training makes of a stored image.

    Args:
        stored: H x W x 3, uint8, RGB.
        drawn: how it differs.
        out: float32, of the height and width that the model sees, x 3; gets the pixels, 0 to 1.
    """
    image = fit_input(warp_image(stored, drawn), (out.shape[0], out.shape[1]))
    if drawn.hair is not None:
        image = grow_hair(image, drawn.hair)
    recolour(image, drawn, out)


def read_rows(dataset: Dataset, task: Task, rows: pd.DataFrame, size: tuple[int, int] | None, batch_size: int) -> Iterator[Batch]:
    """Rows of a task as they are stored: not augmented, not weighed, in their order.

    Args:
        dataset: a preprocessed dataset.
        task: whose targets.
        rows: of the dataset's manifest.
        size: height, width that the model sees; None: as stored.
        batch_size: samples of a batch; the last one may have fewer.
    """
    for start in range(0, len(rows), batch_size):
        part = rows.iloc[start : start + batch_size]
        images = normalise(np.stack([fit_input(image, size) for image in dataset.images(part)]))
        targets = _mask_targets(list(dataset.masks(part)), size) if task is Task.SEGMENTATION else _one_hot(part)
        yield Batch(images, targets, np.ones(len(part), np.float32))


def _refuse_unplanned(rows: pd.DataFrame, balance: ClassificationPlan) -> None:
    unplanned = sorted(set(rows["label"]) - {label.value for label in balance.images})
    if unplanned:
        raise DatasetError(f"plan.json: classification leaves out {unplanned[0]}, of which train has images; make the plan again")


def _list_label(rows: pd.DataFrame, label: Diagnosis, balance: ClassificationPlan, seed: int, epoch: int) -> npt.NDArray[np.int64]:
    """Samples of a diagnosis in an epoch, N x 2."""
    places = np.flatnonzero(rows["label"] == label.value)
    places = _take_turn(places, balance.max_images, epoch, [seed, list(Diagnosis).index(label), 1])
    repeats = balance.repeats[label]
    return np.stack([np.repeat(places, repeats), np.tile(np.arange(repeats), len(places))], axis=1)


def _take_turn(places: npt.NDArray[np.int64], most: int | None, epoch: int, seed: list[int]) -> npt.NDArray[np.int64]:
    """Those of some images that an epoch shows.

    Where there are more than `most`, they stand in a circle in an order drawn once, and each epoch goes on where the one before it
    ended: none comes twice in an epoch, and all have come after as few epochs as can be.
    """
    if most is None or len(places) <= most:
        return places
    circle = np.random.default_rng(seed).permutation(places)
    return circle[(epoch * most + np.arange(most)) % len(circle)]


def _augmented(stored: RGBImage, draws: list[Draw], size: tuple[int, int] | None) -> Floats:
    height, width = size or stored.shape[1:3]
    images = np.empty((len(stored), height, width, 3), np.float32)
    for image, drawn, out in zip(stored, draws, images, strict=True):
        augment_image(image, drawn, out)
    return images


def _mask_targets(masks: list[Mask], size: tuple[int, int] | None) -> Floats:
    fitted = [mask if size is None else resize_mask(mask, size) for mask in masks]
    targets: Floats = (np.stack(fitted)[..., None] == 255).astype(np.float32)
    return targets


def _one_hot(rows: pd.DataFrame) -> Floats:
    targets = np.zeros((len(rows), len(CODES)), np.float32)
    targets[np.arange(len(rows)), [CODES.index(label) for label in rows["label"]]] = 1
    return targets
