"""What the measures look like: each figure's title says what it shows, and n is printed."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal, TypeVar

import numpy as np
import numpy.typing as npt

from components.calibration_scores import Calibration
from components.colours import DIAGNOSIS_COLOURS, PREDICTED_OUTLINE
from components.evaluate.classification import roc
from components.images import RGBImage
from components.lesions import CODES, LESIONS, Diagnosis
from components.outlines import LEGEND, draw_outlines
from components.scores import ClassificationScores, ClassifierScores, Interval, SegmenterScores

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

    from components.evaluate.refusal import Probed

# Okabe and Ito's, told apart by colour-blind readers too.
_PROBE_COLOURS = ("#0072B2", "#D55E00", "#009E73", "#CC79A7")


def draw_confusion(model: ClassifierScores, footnote: str) -> "Figure":
    """True against predicted diagnosis on the test split: share of each true diagnosis, and how many images that is."""
    counts = np.array(model.test.confusion)
    shares = counts / np.maximum(counts.sum(axis=1, keepdims=True), 1)
    figure = _figure(8.2, 7.6)
    axes = figure.subplots()
    picture = axes.imshow(shares, cmap="Blues", vmin=0, vmax=1)
    for (i, j), count in np.ndenumerate(counts):
        colour = "white" if shares[i, j] > 0.55 else "#222222" if count else "#999999"
        axes.text(j, i, f"{shares[i, j]:.0%}\n{count}" if count else "0", ha="center", va="center", color=colour, fontsize=11)
    axes.set_xticks(range(len(CODES)), CODES, fontsize=12)
    axes.set_yticks(range(len(CODES)), [f"{code}\nn = {n}" for code, n in zip(CODES, counts.sum(axis=1), strict=True)], fontsize=12)
    axes.set_xlabel("predicted diagnosis", fontsize=13)
    axes.set_ylabel("true diagnosis", fontsize=13)
    figure.colorbar(picture, ax=axes, shrink=0.8).set_label("share of the true diagnosis", fontsize=12)
    _entitle(figure, f"{model.name}: {_confusion_finding(model.test)}", f"test split, n = {model.test.images:,} images", footnote)
    return figure


def draw_roc(model: ClassifierScores, truth: Sequence[str], probabilities: npt.NDArray[np.float32], footnote: str) -> "Figure":
    """ROC curves on the test split, each diagnosis against the rest; benign ones dashed."""
    figure = _figure(8.6, 7.2)
    axes = figure.subplots()
    axes.plot([0, 1], [0, 1], color="#999999", linewidth=1, linestyle=":", label="chance (0.50)")
    for diagnosis in Diagnosis:
        scores = model.test.classes[diagnosis]
        if scores.auc is None:
            continue
        style = "-" if LESIONS[diagnosis].malignant else "--"
        label = f"{diagnosis} {scores.auc:.2f} (n = {scores.support})"
        rates = roc(truth, probabilities, diagnosis)
        axes.plot(*rates, color=DIAGNOSIS_COLOURS[diagnosis], linewidth=2.2, linestyle=style, label=label)
    axes.set_xlim(-0.01, 1.01)
    axes.set_ylim(-0.01, 1.01)
    axes.set_aspect("equal")
    axes.set_xlabel("false positive rate (1 - specificity)", fontsize=13)
    axes.set_ylabel("true positive rate (sensitivity)", fontsize=13)
    axes.tick_params(labelsize=11)
    _grid(axes, "both")
    axes.legend(loc="lower right", fontsize=11, title="area under the curve, one against the rest")
    where = f"test split, n = {model.test.images:,} images; solid: malignant, dashed: benign"
    _entitle(figure, f"{model.name}: {_roc_finding(model.test)}", where, footnote)
    return figure


def draw_f1(models: Sequence[ClassifierScores], footnote: str) -> "Figure":
    """F1 of each diagnosis on the test split, one panel a model, the best macro F1 first.

    Args:
        models: at least one, all judged on the same images.
        footnote: what the reader must know besides.
    """
    ranked = sorted(models, key=lambda model: -model.test.macro.f1)
    figure = _figure(2.2 + 3.1 * len(ranked), 5.6)
    panels = figure.subplots(1, len(ranked), sharey=True, sharex=True, squeeze=False)[0]
    for axes, model in zip(panels, ranked, strict=True):
        _f1_bars(axes, model)
    support = ranked[0].test.classes
    panels[0].set_yticks(range(len(CODES)), [f"{code}  n = {support[code].support}" for code in CODES], fontsize=12)
    panels[0].invert_yaxis()
    title = f"{ranked[0].name} reaches the highest macro F1, {ranked[0].test.macro.f1:.2f}"
    if len(ranked) == 1:
        weakest = min((code for code in CODES if support[code].support), key=lambda code: support[code].f1)
        title = f"{ranked[0].name} is weakest on {weakest}, F1 {support[weakest].f1:.2f}"
    where = f"F1 of each diagnosis with its 95 % interval (bootstrap over lesions), test split, n = {ranked[0].test.images:,}"
    _entitle(figure, title, where, footnote)
    return figure


def _f1_bars(axes: "Axes", model: ClassifierScores) -> None:
    values = np.array([model.test.classes[code].f1 for code in CODES])
    # A diagnosis that test does not hold has no interval.
    ends = [model.test.intervals.get(f"{code}/f1", Interval(low=0, high=0)) for code in CODES]
    intervals = np.array([[one.low, one.high] for one in ends])
    colours = [DIAGNOSIS_COLOURS[diagnosis] for diagnosis in Diagnosis]
    reach = np.abs(intervals.T - values)
    axes.barh(range(len(CODES)), values, color=colours, height=0.72, xerr=reach, ecolor="#222222", capsize=3)
    for place, (value, upper) in enumerate(zip(values, intervals[:, 1], strict=True)):
        axes.text(max(value, upper) + 0.03, place, f"{value:.2f}", va="center", fontsize=11)
    axes.set_title(f"{model.name}: macro F1 {model.test.macro.f1:.2f}", fontsize=13)
    axes.set_xlim(0, 1.2)
    axes.set_xticks([0, 0.5, 1])
    axes.set_xlabel("F1", fontsize=12)
    axes.tick_params(labelsize=11)
    _grid(axes, "x")


def draw_reliability(name: str, calibration: Calibration, footnote: str) -> "Figure":
    """Share of right answers against how sure the model says that it is, on test, without and with its temperature."""
    figure = _figure(10.6, 6.6)
    test = calibration.test
    panels = figure.subplots(1, 2, sharex=True, sharey=True)
    shown = (("as the network says", test.reliability_before, test.ece_before), ("calibrated", test.reliability, test.ece))
    for axes, (title, bins, error) in zip(panels, shown, strict=True):
        axes.plot([0, 1], [0, 1], color="#999999", linewidth=1, linestyle=":")
        sure, right = [one.confidence for one in bins], [one.accuracy for one in bins]
        axes.vlines(sure, sure, right, color="#D55E00", linewidth=1.6)
        axes.plot(sure, right, color="#0072B2", marker="o", linewidth=1.4)
        axes.set_title(f"{title}: error {error.value:.3f} ({error.low:.3f} to {error.high:.3f})", fontsize=13)
        axes.set_xlim(0, 1.01)
        axes.set_ylim(0, 1.01)
        axes.set_aspect("equal")
        axes.set_xlabel("probability of the diagnosis that is named", fontsize=12)
        _grid(axes, "both")
    panels[0].set_ylabel("share of images where it is the true one", fontsize=12)
    surest = test.reliability[-1]
    finding = f"where it is surest it says {surest.confidence:.0%} and is right in {surest.accuracy:.0%}"
    images = f"n = {test.coverage.images:,} images, a point for each {surest.images:,}"
    where = f"test split, {images}; temperature {calibration.temperature:g}"
    _entitle(figure, f"{name}: {finding}", where, footnote)
    return figure


def draw_refusal(name: str, probed: "Probed", footnote: str) -> "Figure":
    """ROC curves of pictures that should be refused against images of test: far ones and near ones, a panel each."""
    scores = probed.scores()
    figure = _figure(11.6, 7.0)
    for axes, part, told, title in zip(
        figure.subplots(1, 2, sharey=True),
        (probed.far, probed.near),
        (scores.far, scores.near),
        ("far: no skin at all", "near: nearly an image of a lesion"),
        strict=True,
    ):
        axes.plot([0, 1], [0, 1], color="#999999", linewidth=1, linestyle=":")
        for (kind, strange), colour in zip(part.items(), _PROBE_COLOURS, strict=False):
            axes.plot(*probed.curve(strange), color=colour, linewidth=2.2, label=f"{kind} {told[kind].auc:.2f}")
            axes.plot(scores.refused, told[kind].refused, "o", color=colour, markersize=8, clip_on=False, zorder=3)
        axes.set_xlim(-0.01, 1.01)
        axes.set_ylim(-0.01, 1.01)
        axes.set_aspect("equal")
        axes.set_title(title, fontsize=13)
        axes.set_xlabel("share of test images refused", fontsize=12)
        axes.tick_params(labelsize=11)
        _grid(axes, "both")
        axes.legend(loc="lower right", fontsize=11, title="area under the curve")
    figure.axes[0].set_ylabel("share of the pictures refused", fontsize=12)
    where = f"against {scores.images:,} images of test, of which {scores.refused:.1%} are refused; points: where it refuses"
    finding = f"it refuses {scores.far['all'].refused:.0%} of far pictures and {scores.near['all'].refused:.0%} of near ones"
    _entitle(figure, f"{name}: {finding}", where, footnote)
    return figure


def draw_dice(name: str, dice: npt.NDArray[np.float64], footnote: str) -> "Figure":
    """How the Dice of the test images spreads."""
    figure = _figure(8.0, 5.2)
    axes = figure.subplots()
    axes.hist(dice, bins=20, range=(0, 1), color=PREDICTED_OUTLINE, edgecolor="white")
    median = float(np.median(dice))
    axes.axvline(median, color="#222222", linewidth=1.6)
    axes.text(median, 1.01, f"median {median:.2f}", transform=axes.get_xaxis_transform(), ha="center", fontsize=12)
    axes.set_xlim(0, 1)
    axes.set_xlabel("Dice of an image (0: no overlap, 1: the same mask)", fontsize=13)
    axes.set_ylabel("test images", fontsize=13)
    axes.tick_params(labelsize=11)
    _grid(axes, "y")
    finding = f"half of the masks reach Dice {median:.2f}; {np.mean(dice < 0.5):.0%} stay below 0.5"
    _entitle(figure, f"{name}: {finding}", f"test split, n = {len(dice):,} images, mean {dice.mean():.2f}", footnote)
    return figure


@dataclass(frozen=True)
class Overlay:
    """One image with both masks: `image` H x W x 3 uint8 RGB, masks H x W bool."""

    image_id: str
    image: RGBImage
    truth: npt.NDArray[np.bool_]
    predicted: npt.NDArray[np.bool_]
    dice: float


def draw_overlays(name: str, overlays: Sequence[Overlay], images: int, footnote: str) -> "Figure":
    """True and predicted outline on test images, from the worst Dice to the best."""

    def show(axes: "Axes", overlay: Overlay) -> str:
        draw_outlines(axes, overlay.truth, overlay.predicted)
        return f"Dice {overlay.dice:.2f}" + ("" if overlay.predicted.any() else ", nothing found")

    worst, best = overlays[0].dice, overlays[-1].dice
    where = f"{LEGEND}\n{len(overlays)} of {images:,} test images, evenly spaced from the worst Dice to the best"
    return _sheet(overlays, show, f"{name}: outlines from Dice {worst:.2f} to {best:.2f}", where, footnote)


@dataclass(frozen=True)
class Case:
    """One image, H x W x 3 uint8 RGB, and what is said of it; `heat`: a map, H x W, 0 or more; `truth`: the mask, bool."""

    image_id: str
    image: RGBImage
    caption: str
    heat: npt.NDArray[np.float32] | None = None
    truth: npt.NDArray[np.bool_] | None = None


def draw_cases(cases: Sequence[Case], finding: str, where: str, footnote: str) -> "Figure":
    """A sheet of test images, at least one, each under what the model said of it."""

    def show(axes: "Axes", case: Case) -> str:
        if case.heat is not None:
            # Each map by its own greatest value: what a logit is worth differs from image to image.
            heat = case.heat / max(float(case.heat.max()), 1e-12)
            axes.imshow(heat, cmap="inferno", vmin=0, vmax=1, alpha=0.15 + 0.45 * heat)
        if case.truth is not None:
            draw_outlines(axes, case.truth, np.zeros_like(case.truth))
        return case.caption

    return _sheet(cases, show, finding, where, footnote)


_Shown = TypeVar("_Shown", Overlay, Case)


def _sheet(shown: Sequence[_Shown], show: "Callable[[Axes, _Shown], str]", finding: str, where: str, footnote: str) -> "Figure":
    """Images side by side, four a line; `show` draws on an image what belongs there, and gives its caption."""
    columns = min(4, len(shown))
    lines = -(-len(shown) // columns)
    height, width = shown[0].image.shape[:2]
    figure = _figure(2.9 * columns, (2.9 * height / width + 0.55) * lines + 1.6)
    panels = figure.subplots(lines, columns, squeeze=False).ravel()
    for axes in panels:
        axes.set_axis_off()
    for axes, one in zip(panels, shown, strict=False):
        axes.imshow(one.image)
        axes.set_title(show(axes, one), fontsize=11)
        axes.text(0.5, -0.02, one.image_id, transform=axes.transAxes, ha="center", va="top", fontsize=8)
    _entitle(figure, finding, where, footnote)
    return figure


def draw_slices(model: ClassifierScores | SegmenterScores, footnote: str) -> "Figure":
    """The figure of every slice of test with its 95 % interval, at least one; those with too few lesions are hollow."""
    figure = _figure(9.4, 2.4 + 0.27 * (len(model.slices) + len({one.dimension for one in model.slices})))
    axes = figure.subplots()
    place, names = 0.0, {}
    for before, one in zip((None, *model.slices), model.slices, strict=False):
        place += 1 if before is None or before.dimension == one.dimension else 2
        doubt = "" if one.judged else ", not judged"
        names[place] = f"{one.label}  n = {one.images:,} of {one.lesions:,} lesions{doubt}"
        colour = "#222222" if one.judged else "#999999"
        if one.interval is not None:
            axes.plot([one.interval.low, one.interval.high], [place, place], color=colour, linewidth=1.8)
        if one.score is not None:
            axes.plot(one.score, place, "o", color=colour, markerfacecolor=colour if one.judged else "white", markersize=7)
            axes.text(1.02, place, f"{one.score:.2f}", va="center", fontsize=10, color=colour, transform=axes.get_yaxis_transform())
    axes.set_yticks(list(names), list(names.values()), fontsize=10)
    axes.set_ylim(place + 1, 0)
    axes.set_xlim(right=1.01)
    axes.tick_params(axis="x", labelsize=11)
    axes.set_xlabel(_SLICE_FIGURES[model.slices[0].figure], fontsize=13)
    _grid(axes, "x")
    where = f"test split, n = {model.test.images:,} images; 95 % intervals, bootstrap over lesions; hollow: too few to be judged"
    _entitle(figure, f"{model.name}: {_slice_finding(model)}", where, footnote)
    return figure


_SLICE_FIGURES = {"malignant/auc": "AUC of malignant against benign", "dice": "mean Dice"}


def _slice_finding(model: ClassifierScores | SegmenterScores) -> str:
    gap = model.largest_gap
    if gap is None:
        return "no slice has lesions enough to be judged"
    span = f"{gap.gap:+.2f} ({gap.low:+.2f} to {gap.high:+.2f}, corrected for {gap.slices} slices)"
    verdict = "lags behind the rest" if gap.low > 0 else "lags most, but chance may do so"
    return f"{gap.dimension} {gap.value} {verdict}\n{span}"


def _confusion_finding(scores: ClassificationScores) -> str:
    """The most frequent mistake, as a share of the true diagnosis."""
    counts = np.array(scores.confusion)
    wrong = counts * (1 - np.eye(len(CODES), dtype=int))
    if not wrong.any():
        return "no mistake on this split"
    shares = wrong / np.maximum(counts.sum(axis=1, keepdims=True), 1)
    true, predicted = np.unravel_index(shares.argmax(), shares.shape)
    count = f"{counts[true, predicted]} of {counts[true].sum()}"
    return f"{shares[true, predicted]:.0%} of {CODES[true]} are taken for {CODES[predicted]} ({count})"


def _roc_finding(scores: ClassificationScores) -> str:
    areas = {code: one.auc for code, one in scores.classes.items() if one.auc is not None}
    if not areas:
        return "one diagnosis alone, so there is nothing to tell apart"
    best, worst = max(areas, key=lambda code: areas[code]), min(areas, key=lambda code: areas[code])
    return f"{best} is told apart best ({areas[best]:.2f}), {worst} least ({areas[worst]:.2f}); mean {scores.macro_auc:.2f}"


def _grid(axes: "Axes", axis: Literal["both", "x", "y"]) -> None:
    axes.grid(axis=axis, color="#DDDDDD", linewidth=0.6)
    axes.set_axisbelow(True)


def _figure(width: float, height: float) -> "Figure":
    # Not through pyplot: it keeps figures, picks a display, and is not made for threads.
    from matplotlib.figure import Figure

    return Figure(figsize=(width, height), layout="constrained")


def _entitle(figure: "Figure", finding: str, where: str, footnote: str) -> None:
    figure.suptitle(finding, fontsize=15, fontweight="bold")
    figure.supxlabel("\n".join(filter(None, (where, footnote))), fontsize=11, color="#444444")
