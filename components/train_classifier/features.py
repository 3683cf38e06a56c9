"""Phase 1: what the frozen backbone says of every image, computed once.

While the backbone is frozen (its batch norm in inference mode) an image's features do not change, so images go through it once and
the head trains on what comes out: an epoch takes seconds. Augmentation and oversampling are those of the plan's epoch 0: each
sample is drawn once, and every epoch shows the same draws in another order. Phase 2 draws them anew each epoch.

    checkpoints/features/train-0000.npz     features, targets and weights of 32 batches, sealed; computed again where damaged
"""

from collections.abc import Callable, Iterator
from itertools import count, islice
from pathlib import Path

import numpy as np

from components.augment_balance.reader import Batch
from components.errors import CheckpointError
from components.training.objective import Values
from components.training.sealed import read_sealed, write_sealed

_CHUNK = 32


def compute_features(
    batches: Callable[[int], Iterator[Batch]],
    backbone: Callable[[Values], Values],
    folder: Path,
    name: str,
    tell: Callable[[int], None],
) -> Batch:
    """Send batches of images through a backbone, or read what an earlier attempt left of that.

    Args:
        batches: gives the batches, N x H x W x 3 images each, from one on, counted from 0; they must be the same at every attempt.
        backbone: images → features, N x F.
        folder: where the features are kept.
        name: of the files.
        tell: called with the number of batches done.

    Returns:
        All samples as one batch; `images` are their features, N x F.
    """
    chunks: list[Batch] = []
    coming: Iterator[Batch] | None = None
    for start in count(0, _CHUNK):
        path = folder / f"{name}-{start // _CHUNK:04d}.npz"
        chunk = _kept(path)
        if chunk is not None:
            coming = None  # its images are not needed, and what comes after them is asked for where it is
        else:
            coming = coming or batches(start)
            featured = [_featured(batch, backbone, done, tell) for done, batch in enumerate(islice(coming, _CHUNK), start + 1)]
            if not featured:
                break
            chunk = _joined(featured)
            write_sealed(path, vars(chunk).items())
        chunks.append(chunk)
    return _joined(chunks)


class FeatureBatches:
    """Batches of features, in another order each epoch.

    Args:
        samples: all of them.
        batch_size: of a batch; the last one may be smaller.
        seed: of the order.
    """

    def __init__(self, samples: Batch, batch_size: int, seed: int) -> None:
        self._samples = samples
        self._batch_size = batch_size
        self._seed = seed

    @property
    def steps(self) -> int:
        """Batches of an epoch."""
        return -(-len(self._samples.images) // self._batch_size)

    def epoch(self, number: int, start: int = 0, size: tuple[int, int] | None = None) -> Iterator[Batch]:
        """The batches of an epoch, counted from 0, from batch `start` on; features have no `size`."""
        order = np.random.default_rng([self._seed, number]).permutation(len(self._samples.images))
        return self._cut(order[start * self._batch_size :])

    def in_order(self) -> Iterator[Batch]:
        """The batches as they came."""
        return self._cut(np.arange(len(self._samples.images)))

    def _cut(self, order: np.ndarray[tuple[int], np.dtype[np.int64]]) -> Iterator[Batch]:
        parts = (order[start : start + self._batch_size] for start in range(0, len(order), self._batch_size))
        return (Batch(self._samples.images[part], self._samples.targets[part], self._samples.weights[part]) for part in parts)


def _featured(batch: Batch, backbone: Callable[[Values], Values], done: int, tell: Callable[[int], None]) -> Batch:
    features = Batch(backbone(batch.images), batch.targets, batch.weights)
    tell(done)
    return features


def _joined(batches: list[Batch]) -> Batch:
    return Batch(*(np.concatenate([getattr(batch, name) for batch in batches]) for name in ("images", "targets", "weights")))


def _kept(path: Path) -> Batch | None:
    """What an earlier attempt left of a chunk; a damaged one is as none."""
    if not path.exists():
        return None
    try:
        return Batch(**read_sealed(path))
    except CheckpointError:
        return None
