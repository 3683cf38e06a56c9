"""What a batch's images look like to a network that has never seen skin, and to the eye: the same for old images and new ones.

EfficientNet-Lite0 with its published ImageNet weights (Tan and Le 2019), frozen. A network that was trained on the old images would
know them better than the new ones, and would find fault with the new for that alone.
"""

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import numpy.typing as npt
import pandas as pd

from components.appearance import appearance_of
from components.dataset import Dataset
from components.images import RGBImage, decode_image
from components.preprocess.resize import fit_input
from components.training.sealed import read_sealed, write_sealed

Floats = npt.NDArray[np.float32]

BACKBONE = "efficientnet_lite0"
SIZE = (224, 224)
_CHUNK = 256
_BATCH = 32


@dataclass(frozen=True)
class Described:
    """Images as the network and the eye see them.

    Attributes:
        features: N x 1280, what the frozen network sees.
        appearance: N x 26, see `components.appearance`.
    """

    features: Floats
    appearance: Floats

    def rows(self, places: npt.NDArray[np.intp]) -> "Described":
        """Some of them."""
        return Described(self.features[places], self.appearance[places])


def describe_rows(dataset: Dataset, rows: pd.DataFrame, kept: Path, tell: Callable[[int], None]) -> Described:
    """Describe images of a validated dataset, 256 at a time; killed, it goes on from there.

    Args:
        dataset: encoded images.
        rows: which of them, N.
        kept: folder in which each part is kept until all are done.
        tell: called with the number of images that are done.
    """
    see: Callable[[Floats], Floats] | None = None
    parts: list[Described] = []
    for start in range(0, len(rows), _CHUNK):
        part, path = rows.iloc[start : start + _CHUNK], kept / f"{start:07d}.npz"
        if not path.exists():
            see = see or frozen_network()
            images = [decode_image(dataset.image_bytes(row), str(row["image_id"])) for _, row in part.iterrows()]
            write_sealed(path, vars(describe(images, see)).items())
        parts.append(Described(**read_sealed(path)))
        tell(min(start + _CHUNK, len(rows)))
    return joined(parts)


def describe(images: Sequence[RGBImage], see: Callable[[Floats], Floats]) -> Described:
    """Describe images, H x W x 3 uint8 RGB of any sizes, all scaled to `SIZE`; `see`: what `frozen_network` gives."""
    fitted = [fit_input(image, SIZE) for image in images]
    features = [see(np.stack(batch).astype(np.float32) / np.float32(255)) for batch in _batches(fitted)]
    return Described(np.concatenate(features), appearance_of(fitted))


def joined(parts: Sequence[Described]) -> Described:
    """Several one after the other."""
    if not parts:
        return Described(np.empty((0, 1280), np.float32), np.empty((0, 26), np.float32))
    return Described(*(np.concatenate([getattr(part, name) for part in parts]) for name in ("features", "appearance")))


def frozen_network() -> Callable[[Floats], Floats]:
    """EfficientNet-Lite0 with ImageNet's weights: N x 224 x 224 x 3 float32 RGB, 0 to 1 → N x 1280.

    Raises:
        WeightsError: its package is not installed.
    """
    from components.backbones import registry
    from components.training.loop import predictor

    network = registry.build(BACKBONE, SIZE)
    registry.load_imagenet(BACKBONE, network)
    return predictor(network)


def _batches(images: Sequence[RGBImage]) -> Iterator[Sequence[RGBImage]]:
    return (images[start : start + _BATCH] for start in range(0, len(images), _BATCH))
