"""Sheets of training images before and after augmentation."""

from typing import TYPE_CHECKING

import numpy as np
import pandas as pd

from components.augment_balance.draws import draw
from components.augment_balance.geometry import warp_mask
from components.augment_balance.plan import ClassificationPlan, Plan
from components.augment_balance.reader import augment_image
from components.colours import TRUE_OUTLINE
from components.dataset import Dataset
from components.images import Mask, RGBImage
from components.lesions import Diagnosis, Split, Task

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

_EPOCHS = 5
_IMAGES = 6


def draw_classification_sheet(dataset: Dataset, plan: Plan) -> "Figure":
    """One training image of each diagnosis, as stored and as the first epochs show it."""
    assert plan.classification is not None
    rows = dataset.rows(Task.CLASSIFICATION, Split.TRAIN)
    chosen = rows.groupby("label").head(1).set_index("label").loc[[label.value for label in plan.classification.images]]
    names = [_describe(label, plan.classification) for label in plan.classification.images]
    title = f"{plan.classification.samples:,} samples an epoch from {len(rows):,} training images:\n{_stages(plan)}"
    return _sheet(dataset.images(chosen), None, chosen["image_id"].tolist(), names, plan, title)


def draw_segmentation_sheet(dataset: Dataset, plan: Plan) -> "Figure":
    """Some training images with the outline of their masks, as stored and as the first epochs show them."""
    rows = dataset.rows(Task.SEGMENTATION, Split.TRAIN)
    chosen = _spread(rows)
    ids = chosen["image_id"].tolist()
    assert plan.segmentation is not None
    count = f"{plan.segmentation.samples:,} samples an epoch from {len(rows):,} training images"
    title = f"{count}, the mask's outline moves with the lesion:\n{_stages(plan)}"
    return _sheet(dataset.images(chosen), dataset.masks(chosen), ids, ids, plan, title)


def _describe(label: Diagnosis, plan: ClassificationPlan) -> str:
    shown, all_images = plan.shown[label], plan.images[label]
    count = f"{all_images:,} images" if shown == all_images else f"{shown:,} of {all_images:,} images"
    return f"{label}: {count}\nx {plan.repeats[label]}, weight {plan.class_weights[label]:.2f}"


def _stages(plan: Plan) -> str:
    turn = plan.ranges
    flips = [name for name, on in (("left-right", turn.horizontal_flip), ("up-down", turn.vertical_flip)) if on]
    mirrored = f", mirrored {' and '.join(flips)}" if flips else ""
    shares = {name: getattr(turn, name) for name in ("brightness", "contrast", "saturation")}
    colours = "".join(f", {name} ±{share:.0%}" for name, share in shares.items() if share)
    hue = f", hue ±{360 * turn.hue:.0f}°" if turn.hue else ""
    hair = f", hairs on {turn.hair:.0%}" if turn.hair else ""
    return f"turned ±{turn.rotation:g}°{mirrored}, zoomed ±{turn.zoom:.0%}{colours}{hue}{hair}"


def _spread(rows: pd.DataFrame) -> pd.DataFrame:
    return rows.iloc[np.unique(np.linspace(0, len(rows) - 1, _IMAGES).astype(int))]


def _sheet(images: RGBImage, masks: Mask | None, ids: list[str], names: list[str], plan: Plan, title: str) -> "Figure":
    from matplotlib.figure import Figure

    height, width = images.shape[1:3]
    figure = Figure(figsize=(2 + 1.7 * (1 + _EPOCHS), 0.6 + 1.75 * len(ids) * height / width), layout="constrained")
    axes = figure.subplots(len(ids), 1 + _EPOCHS, squeeze=False)
    for number, line in enumerate(axes):
        _show(line[0], images[number], None if masks is None else masks[number])
        line[0].set_ylabel(names[number], fontsize=8)
        for epoch, place in enumerate(line[1:]):
            drawn = draw(plan.ranges, plan.seed, epoch, ids[number], 0)
            pixels = np.empty(images.shape[1:], np.float32)
            augment_image(images[number], drawn, pixels)
            _show(place, pixels, None if masks is None else warp_mask(masks[number], drawn))
    for place, heading in zip(axes[0], ["as stored", *(f"epoch {epoch}" for epoch in range(_EPOCHS))], strict=True):
        place.set_title(heading, fontsize=9)
    figure.suptitle(title, fontsize=10)
    return figure


def _show(place: "Axes", image: np.ndarray, mask: Mask | None) -> None:
    place.imshow(image)
    if mask is not None and mask.any() and not mask.all():
        place.contour(mask, levels=[127.5], colors=[TRUE_OUTLINE], linewidths=1.2)
    place.set_xticks([])
    place.set_yticks([])
