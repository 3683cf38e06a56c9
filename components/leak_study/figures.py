"""The study's figure: both models on the same images, and what is between them."""

from typing import TYPE_CHECKING

from components.leak_study.page import NAMES
from components.leak_study.scores import LeakScores

if TYPE_CHECKING:
    from matplotlib.figure import Figure

# Okabe and Ito's colours, told apart by colour-blind readers.
_CLEAN, _LEAKED = "#0072B2", "#D55E00"


def draw_leak(scores: LeakScores) -> "Figure":
    """Each figure of the clean and the leaked model; beside it the difference with its 95 % interval."""
    # Not through pyplot: it keeps figures, picks a display, and is not made for threads.
    from matplotlib.figure import Figure

    figure = Figure(figsize=(9.6, 3.9), layout="constrained")
    values, differences = figure.subplots(1, 2, sharey=True)
    for place, one in enumerate(scores.figures.values()):
        values.plot([one.clean, one.leaked], [place, place], color="#999999", linewidth=1.6, zorder=1)
        values.scatter([one.clean], [place], color=_CLEAN, s=60, zorder=2, label="clean" if place == 0 else None)
        values.scatter([one.leaked], [place], color=_LEAKED, s=60, zorder=2, label="leaked" if place == 0 else None)
        reach = [[max(one.difference - one.low, 0)], [max(one.high - one.difference, 0)]]
        differences.errorbar([one.difference], [place], xerr=reach, fmt="o", color="#222222", capsize=4, markersize=7)
        differences.text(one.difference, place - 0.14, f"{one.difference:+.3f}", ha="center", fontsize=11)
    values.set_yticks(range(len(scores.figures)), [NAMES[name] for name in scores.figures], fontsize=12)
    values.set_ylim(len(scores.figures) - 0.5, -0.5)
    values.set_xlim(0, 1)
    values.set_xlabel("on the same test images, 0 to 1", fontsize=11)
    values.legend(loc="lower left", bbox_to_anchor=(0, 1), ncols=2, fontsize=10, frameon=False)
    differences.axvline(0, color="#999999", linewidth=1, linestyle=":")
    differences.set_xlabel("leaked - clean, with its 95 % interval", fontsize=11)
    for axes in (values, differences):
        axes.grid(axis="x", color="#DDDDDD", linewidth=0.6)
        axes.set_axisbelow(True)
    worth = scores.figures["balanced_accuracy"].difference
    title = f"{scores.model}: the leak of an image split is worth {worth:+.3f} balanced accuracy"
    figure.suptitle(title, fontsize=13, fontweight="bold")
    drawn = "; drawn images (phantom), these figures say nothing about skin" if scores.phantom else ""
    counts = (
        f"{scores.test_images:,} test images of {scores.test_groups:,} groups; {scores.leaked_images:,} of {scores.train_images:,} "
        f"training images differ{drawn}"
    )
    figure.supxlabel(counts, fontsize=9, color="#444444")
    return figure
