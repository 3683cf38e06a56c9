"""What preprocessing does, as a picture."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
import pandas as pd

from components.dataset import Dataset, Row
from components.images import RGBImage, decode_image
from components.lesions import Task
from components.params import PreprocessParams
from components.preprocess.stages import Stages, run_stages

if TYPE_CHECKING:
    from matplotlib.figure import Figure

# A row and the size that its cut will be scaled to → the image, cropped.
Cropped = Callable[[Row, tuple[int, int]], RGBImage]

_LOOKED_AT = 24
_SHOWN = 4


@dataclass(frozen=True)
class _Sample:
    name: str
    original: RGBImage
    stages: Stages

    @property
    def painted(self) -> float:
        """Share of pixels that hair removal changed, 0 to 1."""
        return float((self.stages.resized != self.stages.hairless).any(axis=2).mean())


def draw_stages(dataset: Dataset, params: PreprocessParams, cropped: Cropped | None) -> "Figure":
    """Draw images of a validated dataset after each stage: of some, spread over the data, those that lose most to hair removal.

    Args:
        dataset: the dataset.
        params: what each stage is set to.
        cropped: gives the image of a classification row, cropped to its lesion; None: images are left whole.
    """
    from matplotlib.figure import Figure

    samples = _samples(dataset, params, cropped)
    figure = Figure(figsize=(10, 2.6 * len(samples)), layout="constrained")
    axes = figure.subplots(len(samples), 4, squeeze=False)
    for line, sample in zip(axes, samples, strict=True):
        height, width = sample.original.shape[:2]
        line[0].set_ylabel(sample.name, fontsize=7)
        titles = (
            f"as it came, {width} x {height}",
            f"{'cropped and ' if cropped else ''}resized, {sample.stages.resized.shape[1]} x {sample.stages.resized.shape[0]}",
            f"hair painted over ({sample.painted:.0%} of pixels)" if params.remove_hair else "hair left in",
            f"CLAHE, clip {params.clip_limit:g}" if params.equalise else "contrast left as it is",
        )
        pictures = (sample.original, sample.stages.resized, sample.stages.hairless, sample.stages.equalised)
        for place, title, picture in zip(line, titles, pictures, strict=True):
            place.imshow(picture)
            place.set_title(title, fontsize=9)
            place.set_xticks([])
            place.set_yticks([])
    figure.suptitle(f"Preprocessing, the {len(samples)} images that lose most to hair removal of {_looked_at(dataset)} looked at")
    return figure


def _samples(dataset: Dataset, params: PreprocessParams, cropped: Cropped | None) -> list[_Sample]:
    samples = [_sample(dataset, row, params, cropped) for _, row in _spread(dataset).iterrows()]
    return sorted(samples, key=lambda sample: -sample.painted)[:_SHOWN]


def _sample(dataset: Dataset, row: pd.Series, params: PreprocessParams, cropped: Cropped | None) -> _Sample:
    name = str(row["image_id"])
    size = params.classification_size if row["task"] == Task.CLASSIFICATION else params.segmentation_size
    original = decode_image(dataset.image_bytes(row), name, at_least=size if params.mode == "fast" else None)
    seen = cropped(row, size) if cropped and row["task"] == Task.CLASSIFICATION else original
    return _Sample(name, original, run_stages(seen, size, params))


def _spread(dataset: Dataset) -> pd.DataFrame:
    rows = dataset.rows(dataset.tasks()[0])
    return rows.iloc[np.unique(np.linspace(0, len(rows) - 1, _LOOKED_AT).astype(int))]


def _looked_at(dataset: Dataset) -> int:
    return len(_spread(dataset))
