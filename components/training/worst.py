"""A sheet of the images that judge a model and that it is furthest from: where to look first for bad labels and what it misses."""

from collections import Counter
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from itertools import islice
from typing import TYPE_CHECKING

import numpy as np
import numpy.typing as npt

from components.augment_balance.batch import Batch
from components.lesions import CODES, Task
from components.outlines import LEGEND, draw_outlines
from components.reporter import Reporter
from components.training.backend import keras
from components.training.feed import Feed
from components.training.loop import predictor
from components.training.objective import Objective, Values

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

_MOST = 12
_COLUMNS = 4


@dataclass(frozen=True)
class Judged:
    """An image with what the model made of it.

    Attributes:
        image_id: of the manifest.
        image: H x W x 3, float32, RGB, 0 to 1, as the model saw it.
        target: 8, one-hot; or H x W x 1, 0 | 1.
        prediction: 8 or H x W x 1, 0 to 1.
        loss: of this image.
    """

    image_id: str
    image: Values
    target: Values
    prediction: Values
    loss: float


def show_worst(model: keras.Model, objective: Objective, feed: Feed, threshold: float, reporter: Reporter) -> None:
    """Draw `worst.png`: of the images that judge a model, val or its fold, those with the highest loss, twelve at most.

    Args:
        model: trained.
        objective: gives the loss that they are ranked by.
        feed: has them.
        threshold: least probability that counts as lesion; of masks alone.
        reporter: gets the figure.
    """
    ids = feed.rows.judged["image_id"].tolist()
    worst = find_worst(feed.val(), ids, predictor(model), objective)
    part = "val" if feed.member.fold is None else f"fold {feed.member.fold}, which judges"
    where = f"{part}, {len(worst)} of n = {len(ids):,} images, the highest loss first"
    drawn = "drawn images (phantom), these figures say nothing about skin" if feed.dataset.phantom else ""
    footnote = "\n".join(filter(None, (where, drawn)))
    of_masks = feed.task is Task.SEGMENTATION
    reporter.figure("worst", draw_masks(worst, threshold, footnote) if of_masks else draw_diagnoses(worst, footnote))


def find_worst(
    batches: Iterable[Batch], ids: Sequence[str], answer: Callable[[Values], Values], objective: Objective
) -> list[Judged]:
    """The samples with the highest loss, the worst first; batch by batch, so that only twelve and a batch are in memory.

    Args:
        batches: of what judges.
        ids: of their images, in their order.
        answer: images → predictions.
        objective: its loss ranks them; of equal ones the first stays first.
    """
    worst: list[Judged] = []
    names = iter(ids)
    for batch in batches:
        predictions = answer(batch.images)
        losses = np.array(objective.loss(batch.targets, predictions)).tolist()
        # A whole batch of names at once: `zip` would take one more than the batch has images.
        rows = zip(islice(names, len(losses)), batch.images, batch.targets, predictions, losses, strict=True)
        judged = [Judged(*row) for row in rows]
        worst = sorted(worst + judged, key=lambda one: -one.loss)[:_MOST]
    return worst


def draw_diagnoses(worst: Sequence[Judged], footnote: str) -> "Figure":
    """Draw images with their true and their predicted diagnosis and the probabilities of both; at least one image."""
    pairs = Counter((_true(one), _said(one)) for one in worst if _true(one) != _said(one))
    finding = "the least certain, and all are right"
    if pairs:
        ((true, said), count) = pairs.most_common(1)[0]
        finding = f"{pairs.total()} of {len(worst)} are wrong, most often {true} taken for {said} ({count})"

    def entitle(axes: "Axes", one: Judged) -> str:
        mine, its = (one.prediction[CODES.index(code)] for code in (_true(one), _said(one)))
        return (
            f"true {_true(one)} {mine:.0%}, said {_said(one)} {its:.0%}"
            if _true(one) != _said(one)
            else f"{_true(one)}, said {its:.0%}"
        )

    return _sheet(worst, f"Highest loss: {finding}", footnote, entitle)


def draw_masks(worst: Sequence[Judged], threshold: float, footnote: str) -> "Figure":
    """Draw images with their true and their predicted outline and the Dice of both; at least one image."""
    masks = {one.image_id: (one.target[..., 0] > 0, one.prediction[..., 0] >= threshold) for one in worst}
    dice = {name: _dice(*pair) for name, pair in masks.items()}

    def entitle(axes: "Axes", one: Judged) -> str:
        draw_outlines(axes, *masks[one.image_id])
        return f"Dice {dice[one.image_id]:.2f}" + ("" if masks[one.image_id][1].any() else ", nothing found")

    finding = f"Highest loss: outlines of Dice {min(dice.values()):.2f} to {max(dice.values()):.2f}"
    return _sheet(worst, finding, f"{LEGEND} (probability {threshold:g} or more)\n{footnote}", entitle)


def _dice(truth: npt.NDArray[np.bool_], predicted: npt.NDArray[np.bool_]) -> float:
    areas = np.count_nonzero(truth) + np.count_nonzero(predicted)
    return 2 * np.count_nonzero(truth & predicted) / areas if areas else 1.0


def _true(one: Judged) -> str:
    return CODES[int(one.target.argmax())]


def _said(one: Judged) -> str:
    return CODES[int(one.prediction.argmax())]


def _sheet(worst: Sequence[Judged], title: str, footnote: str, entitle: "Callable[[Axes, Judged], str]") -> "Figure":
    from matplotlib.figure import Figure

    height, width = worst[0].image.shape[:2]
    columns = min(_COLUMNS, len(worst))
    lines = -(-len(worst) // columns)
    figure = Figure(figsize=(2.9 * columns, (2.9 * height / width + 0.55) * lines + 1.6), layout="constrained")
    panels = figure.subplots(lines, columns, squeeze=False).ravel()
    for axes in panels:
        axes.set_axis_off()
    for axes, one in zip(panels, worst, strict=False):
        axes.imshow(one.image)
        axes.set_title(entitle(axes, one), fontsize=11)
        axes.text(0.5, -0.02, one.image_id, transform=axes.transAxes, ha="center", va="top", fontsize=8)
    figure.suptitle(title, fontsize=15, fontweight="bold")
    figure.supxlabel(footnote, fontsize=11, color="#444444")
    return figure
