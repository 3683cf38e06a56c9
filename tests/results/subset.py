"""Folders in the home that hold some of the real images."""

from collections.abc import Callable, Sequence
from pathlib import Path

import pandas as pd

from components.files import copy_file
from components.images import read_size

_TABLES = ("ISIC_2019_Training_GroundTruth.csv", "ISIC_2019_Training_Metadata.csv")


def copy_labelled(source: Path, target: Path, named: Callable[[Path], str | None]) -> Path:
    """A folder with labelled images of `isic/classification`, and their rows of both tables.

    Args:
        source: holds images/ and both tables.
        target: the folder.
        named: the id that an image gets there; None: it is left out.
    """
    names = {path: name for path in sorted((source / "images").iterdir()) if (name := named(path))}
    (target / "images").mkdir(parents=True, exist_ok=True)
    for path, name in names.items():
        copy_file(path, target / "images" / f"{name}{path.suffix}")
    new = {path.stem: name for path, name in names.items()}
    for table_name in _TABLES:
        table = pd.read_csv(source / table_name, dtype=str)
        rows = table[table["image"].isin(new)]
        rows.assign(image=rows["image"].map(new)).to_csv(target / table_name, index=False)
    return target


def labelled_ids(source: Path) -> set[str]:
    """The ids of a folder's table of diagnoses."""
    return set(pd.read_csv(source / _TABLES[0], dtype=str)["image"])


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
