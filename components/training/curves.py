"""The figure of a training: loss, score and learning rate of every epoch."""

import json
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

# Okabe and Ito's colours, told apart by colour-blind readers.
_COLOURS = ("#0072B2", "#D55E00", "#009E73", "#CC79A7")
_SCORES = ("dice", "val_dice", "accuracy", "val_accuracy", "val_balanced_accuracy", "val_macro_f1")


@dataclass(frozen=True)
class Epoch:
    """What metrics.jsonl says of an epoch; `number` counts from 0."""

    number: int
    values: dict[str, float]


def prefix_of(member: int) -> str:
    """What the names of a member's values and figures start with: nothing for the first one (0), `member-01/` for the next."""
    return f"member-{member:02d}/" if member else ""


def names_prefix(names: Iterable[str]) -> str:
    """The prefix of one member's names; see `prefix_of`."""
    name = next(iter(names), "")
    return name[: name.index("/") + 1] if name.startswith("member-") else ""


def read_epochs(file: Path, prefix: str = "") -> list[Epoch]:
    """The epochs of a metrics.jsonl: those of the first member, or of the one with this prefix, which their names lose."""
    lines = [json.loads(line) for line in file.read_text(encoding="utf-8").splitlines()]
    return [
        Epoch(line["epoch"], {name.removeprefix(prefix): value for name, value in line["values"].items()})
        for line in lines
        if line["epoch"] is not None and names_prefix(line["values"]) == prefix
    ]


def draw_curves(name: str, epochs: Sequence[Epoch], footnote: str) -> "Figure":
    """Draw the curves of a training.

    Args:
        name: of the model.
        epochs: at least one.
        footnote: number of images, and whatever a reader must not overlook.
    """
    from matplotlib.figure import Figure

    best = min(epochs, key=lambda epoch: epoch.values["val_loss"])
    figure = Figure(figsize=(11, 3.6))
    axes = figure.subplots(1, 3)
    figure.subplots_adjust(left=0.06, right=0.99, bottom=0.2, top=0.88, wspace=0.25)
    scores = [name for name in _SCORES if name in best.values]
    _plot(axes[0], epochs, ["loss", "val_loss"], "loss")
    _plot(axes[1], epochs, scores, "score, 0 to 1")
    axes[1].set_ylim(0, 1)
    _plot(axes[2], epochs, ["learning_rate"], "Adam's step size")
    if any(epoch.values["learning_rate"] > 0 for epoch in epochs):  # a cosine of one epoch ends at 0
        axes[2].set_yscale("log")
    for place in axes[:2]:
        place.axvline(best.number + 1, color="grey", linestyle=":", linewidth=1)
    figure.suptitle(
        f"{name}: the loss on val is least after epoch {best.number + 1} of {len(epochs)}, {best.values['val_loss']:.3f}",
        fontsize=11,
    )
    figure.supxlabel(footnote, fontsize=8)
    return figure


def _plot(place: "Axes", epochs: Sequence[Epoch], names: Sequence[str], label: str) -> None:
    from matplotlib.ticker import MaxNLocator

    numbers = [epoch.number + 1 for epoch in epochs]
    for colour, name in zip(_COLOURS, names, strict=False):
        style = "-" if name.startswith("val_") or name == "learning_rate" else "--"
        title = name.replace("val_", "val ").replace("_", " ").replace("f1", "F1")
        place.plot(numbers, [epoch.values[name] for epoch in epochs], style, marker="o", markersize=3, color=colour, label=title)
    place.set_xlabel("epoch")
    place.set_ylabel(label)
    place.xaxis.set_major_locator(MaxNLocator(integer=True))
    place.grid(alpha=0.3)
    if len(names) > 1:
        place.legend(fontsize=8)
