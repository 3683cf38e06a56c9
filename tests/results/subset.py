"""Folders in the home that hold some of the real images."""

from collections.abc import Callable, Sequence
from pathlib import Path

import pandas as pd

from components.files import copy_file
from components.images import read_size

_TABLES = ("ISIC_2019_Training_GroundTruth.csv", "ISIC_2019_Training_Metadata.csv")


def copy_labelled(source: Path, target: Path, wanted: Callable[[Path], bool]) -> Path:
    """A folder with the labelled images of `isic/classification` that are wanted, and their rows of both tables."""
    chosen = [path for path in sorted((source / "images").iterdir()) if wanted(path)]
    _copy(chosen, target / "images")
    for name in _TABLES:
        table = pd.read_csv(source / name, dtype=str)
        table[table["image"].isin([path.stem for path in chosen])].to_csv(target / name, index=False)
    return target


def copy_pairs(source: Path, target: Path, count: int) -> Path:
    """A folder with `count` pairs of image and mask of `isic/segmentation`, evenly spread over their names."""
    images = sorted((source / "images").iterdir())
    chosen = [images[place] for place in range(0, len(images), len(images) // count)][:count]
    _copy(chosen, target / "images")
    _copy([source / "masks" / f"{path.stem}_segmentation.png" for path in chosen], target / "masks")
    return target


def is_square_256(path: Path) -> bool:
    """Whether an image is 256 x 256."""
    return read_size(path.read_bytes(), path.name) == (256, 256)


def _copy(files: Sequence[Path], folder: Path) -> None:
    folder.mkdir(parents=True, exist_ok=True)
    for file in files:
        copy_file(file, folder / file.name)
