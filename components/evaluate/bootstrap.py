"""How far a figure may move by chance: bootstrap over groups, since images of a lesion do not vary alone (Efron 1979, Field 2007).

A draw takes as many groups as there are, each as often as chance has it, with all of its images. Every figure is computed of the
same draws; one that a draw does not have (no image of a diagnosis) leaves that draw out. Intervals are percentiles of the draws.

Draws are made some at a time: of 3,800 images about 20 MB are held, whatever the number of draws.
"""

from collections.abc import Callable, Iterator, Mapping, Sequence

import numpy as np
import numpy.typing as npt
import pandas as pd

from components.evaluate.ranking import Floats
from components.evaluate.weighted import ClassifierMeasures
from components.overlap import IMAGE_MEASURES, MEASURES, Overlap, measure_overlap
from components.predictions import COUNT_COLUMNS
from components.scores import Difference, Interval

DRAWS = 2000
ENDS = [0.025, 0.975]
"""Quantiles of the draws between which a figure lies with 95 % confidence."""

_DRAWS_AT_ONCE = 100

Measure = Callable[[Floats], Mapping[str, Floats]]
"""Weights of groups (groups x R) → name of a figure → R, NaN where a weighting has none."""


def intervals(
    truth: Sequence[str],
    probabilities: npt.NDArray[np.float32],
    groups: Sequence[str],
    *,
    specificity: float = 0.9,
    draws: int = DRAWS,
    seed: int = 0,
) -> dict[str, Interval]:
    """95 % intervals of every figure of a classifier.

    Args:
        truth: N diagnosis codes, at least one.
        probabilities: N x 8, columns in the order of `CODES`.
        groups: N group ids; whole groups are drawn.
        specificity: at which the share of melanomas found is told.
        draws: bootstrap samples.
        seed: of the draws.

    Returns:
        By flat name (`macro_f1`, `MEL/recall`): those of the figures that exist on these images.
    """
    group, count = places_of_groups(groups)
    return _intervals(ClassifierMeasures(truth, probabilities, group, count, specificity).measure, count, draws, seed)


def mask_intervals(table: pd.DataFrame, groups: Sequence[str], *, draws: int = DRAWS, seed: int = 0) -> dict[str, Interval]:
    """95 % intervals of every figure of a segmenter: `dice`, `pooled/dice`.

    Args:
        table: N rows, the pixel counts and each of `IMAGE_MEASURES`, as `components.evaluate.judged` makes them.
        groups: N group ids; whole groups are drawn.
        draws: bootstrap samples.
        seed: of the draws.
    """
    group, count = places_of_groups(groups)
    return _intervals(_mask_measures(table, group, count), count, draws, seed)


def paired_differences(
    truth: Sequence[str],
    first: npt.NDArray[np.float32],
    second: npt.NDArray[np.float32],
    groups: Sequence[str],
    *,
    specificity: float = 0.9,
    draws: int = DRAWS,
    seed: int = 0,
) -> dict[str, Difference]:
    """How much higher each figure of the second of two classifiers is on the same images.

    Both are judged on each draw, so that what makes images hard for both falls out of the difference.

    Args:
        truth: N diagnosis codes, at least one.
        first: N x 8, the probabilities of one, columns in the order of `CODES`.
        second: those of the other.
        groups: N group ids; whole groups are drawn.
        specificity: at which the share of melanomas found is told.
        draws: bootstrap samples.
        seed: of the draws.

    Returns:
        By flat name: second - first, and its 95 % interval, of each figure that exists on these images.
    """
    group, count = places_of_groups(groups)
    one, other = (ClassifierMeasures(truth, said, group, count, specificity).measure for said in (first, second))
    return _differences(one, other, count, draws, seed)


def paired_mask_differences(
    first: pd.DataFrame, second: pd.DataFrame, groups: Sequence[str], *, draws: int = DRAWS, seed: int = 0
) -> dict[str, Difference]:
    """How much higher each figure of the second of two segmenters is; tables as of `mask_intervals`, rows of the same images."""
    group, count = places_of_groups(groups)
    one, other = (_mask_measures(table, group, count) for table in (first, second))
    return _differences(one, other, count, draws, seed)


def draw_weights(groups: int, draws: int, seed: int) -> Iterator[Floats]:
    """How often each group is drawn: groups x (at most 100) at a time."""
    rng = np.random.default_rng(seed)
    for start in range(0, draws, _DRAWS_AT_ONCE):
        now = min(_DRAWS_AT_ONCE, draws - start)
        taken = rng.integers(groups, size=(groups, now)) * now + np.arange(now)
        yield np.bincount(taken.ravel(), minlength=groups * now).reshape(groups, now).astype(np.float64)


def _intervals(measure: Measure, groups: int, draws: int, seed: int) -> dict[str, Interval]:
    drawn = _all(measure(weights) for weights in draw_weights(groups, draws, seed))
    known = {name for name, values in measure(np.ones((groups, 1))).items() if not np.isnan(values[0])}
    held = {name: values[~np.isnan(values)] for name, values in drawn.items() if name in known}
    ends = {name: np.quantile(values, ENDS) for name, values in held.items() if len(values)}
    return {name: Interval(low=float(low), high=float(high)) for name, (low, high) in ends.items()}


def _differences(first: Measure, second: Measure, groups: int, draws: int, seed: int) -> dict[str, Difference]:
    def measure(weights: Floats) -> dict[str, Floats]:
        one, other = first(weights), second(weights)
        return {name: other[name] - one[name] for name in one}

    values = {name: float(value[0]) for name, value in measure(np.ones((groups, 1))).items()}
    ends = _intervals(measure, groups, draws, seed)
    return {name: Difference(value=values[name], low=one.low, high=one.high) for name, one in ends.items()}


def _mask_measures(table: pd.DataFrame, group: npt.NDArray[np.intp], groups: int) -> Measure:
    def sums(names: Sequence[str]) -> Floats:
        return np.stack([np.bincount(group, table[name].to_numpy(np.float64), groups) for name in names])

    images, per_image, pixels = np.bincount(group, minlength=groups), sums(IMAGE_MEASURES), sums(COUNT_COLUMNS)

    def measure(weights: Floats) -> dict[str, Floats]:
        means = (per_image @ weights) / (images @ weights)
        pooled = measure_overlap(Overlap(*(pixels @ weights).astype(np.int64)))
        figures = dict(zip(IMAGE_MEASURES, means, strict=True))
        return figures | {f"pooled/{name}": pooled[name].to_numpy() for name in MEASURES}

    return measure


def places_of_groups(groups: Sequence[str] | pd.Series) -> tuple[npt.NDArray[np.intp], int]:
    """The place of each image's group among the distinct ones, and how many there are."""
    names, place = np.unique(np.array(groups, str), return_inverse=True)
    return place.astype(np.intp), len(names)


def _all(parts: Iterator[Mapping[str, Floats]]) -> dict[str, Floats]:
    measured = list(parts)
    return {name: np.concatenate([part[name] for part in measured]) for name in measured[0]}
