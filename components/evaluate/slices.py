"""Whom a model fails: its main figure on every slice of test, and how far a slice lags behind the rest.

A classifier's figure is the area under the ROC curve of malignant against benign: it does not depend on how many of a slice are
malignant, as accuracy does, and is there for every slice that has both, as recalls of eight diagnoses are not. Which malignant and
which benign diagnoses a slice has still moves it. A diagnosis is all malignant or all benign: it is set against all images of the
other kind, and so is its rest. A segmenter's figure is the mean Dice.

Slices and their rests are judged on the same draws of groups (`components/evaluate/bootstrap.py`). Where many slices are looked at,
one of them lags by chance; so the intervals of the gaps hold for all of them at once: gap ± c times its standard error, with c the
95 % quantile, over the draws, of the largest deviation of all, in standard errors (Romano and Wolf 2005). Correlated slices (one is
nearly another's rest) cost less so than by Bonferroni's division, which would want far more draws.
"""

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
import pandas as pd

from components.evaluate.bootstrap import DRAWS, ENDS, draw_weights, places_of_groups
from components.evaluate.dimensions import DIAGNOSIS, UNKNOWN
from components.evaluate.ranking import Floats, Ranking
from components.evaluate.weighted import is_malignant, malignancy
from components.predictions import probabilities_of
from components.scores import Gap, Interval, Slice

LEAST_LESIONS = 30
"""A slice with fewer is listed and not judged; a classifier's wants as many malignant and as many benign ones."""

CLASSIFIER_FIGURE = "malignant/auc"
SEGMENTER_FIGURE = "dice"

Flags = npt.NDArray[np.bool_]
Measure = Callable[[Floats], Floats]
"""Weights of groups (groups x R) → the figure of each weighting, R; NaN where one has none."""


@dataclass(frozen=True)
class Sliced:
    """The slices of test, and the one that lags most surely; None: none could be judged."""

    slices: tuple[Slice, ...]
    largest_gap: Gap | None


def slice_classifier(table: pd.DataFrame, dimensions: pd.DataFrame, *, draws: int = DRAWS, seed: int = 0) -> Sliced:
    """Judge a classifier on every slice.

    Args:
        table: N answers to test, as `components.evaluate.judged` makes them.
        dimensions: of its images at least, as `image_dimensions` makes them.
        draws: bootstrap samples.
        seed: of the draws.
    """
    return _judge(_Ranked(table), list(_cut(table, dimensions, is_malignant(table["label"].tolist()))), draws, seed)


def slice_segmenter(table: pd.DataFrame, dimensions: pd.DataFrame, *, draws: int = DRAWS, seed: int = 0) -> Sliced:
    """Judge a segmenter on every slice; arguments as of `slice_classifier`."""
    return _judge(_Overlapping(table), list(_cut(table, dimensions, None)), draws, seed)


@dataclass(frozen=True, eq=False)
class _Part:
    """A slice: N flags each. `own`: its images; `here`: those that its figure is of; `rest`: those that it is set against."""

    dimension: str
    value: str
    own: Flags
    here: Flags
    rest: Flags


def _cut(table: pd.DataFrame, dimensions: pd.DataFrame, malignant: Flags | None) -> Iterator[_Part]:
    """Every slice that has an image. Images of which a dimension is not known are listed; they are nobody's rest, and have none."""
    known = dimensions.loc[table["image_id"]]
    for dimension in known.columns:
        values = known[dimension]
        for value in values.cat.categories[values.cat.categories.isin(values)]:
            own = (values == value).to_numpy()
            rest = ~own & (values != UNKNOWN).to_numpy() if value != UNKNOWN else np.zeros_like(own)
            if dimension != DIAGNOSIS or malignant is None:
                yield _Part(dimension, value, own, own, rest)
            else:
                others = malignant != malignant[own][0]
                yield _Part(dimension, value, own, own | others, rest | others)


class _Ranked:
    """A classifier on any part of test."""

    figure = CLASSIFIER_FIGURE

    def __init__(self, table: pd.DataFrame) -> None:
        self.group, self.groups = places_of_groups(table["group_id"])
        self._malignant = is_malignant(table["label"].tolist())
        self._score = malignancy(probabilities_of(table))

    def kinds(self, part: Flags) -> tuple[Flags, ...]:
        """The images of a part by kind; each kind must have lesions enough."""
        return part & self._malignant, part & ~self._malignant

    def on(self, part: Flags) -> Measure:
        ranking = Ranking(self._malignant[part], self._score[part], self.group[part], self.groups)
        return lambda weights: ranking.measure(weights, 1.0).auc


class _Overlapping:
    """A segmenter on any part of test."""

    figure = SEGMENTER_FIGURE

    def __init__(self, table: pd.DataFrame) -> None:
        self.group, self.groups = places_of_groups(table["group_id"])
        self._dice = table["dice"].to_numpy(np.float64)

    def kinds(self, part: Flags) -> tuple[Flags, ...]:
        return (part,)

    def on(self, part: Flags) -> Measure:
        images = np.bincount(self.group[part], minlength=self.groups)
        total = np.bincount(self.group[part], self._dice[part], self.groups)

        def measure(weights: Floats) -> Floats:
            shown = images @ weights
            means: Floats = np.where(shown > 0, total @ weights / np.maximum(shown, 1e-300), np.nan)
            return means

        return measure


def _judge(model: _Ranked | _Overlapping, parts: Sequence[_Part], draws: int, seed: int) -> Sliced:
    if not parts:
        return Sliced((), None)
    judged = [part for part in parts if _enough(model, part.here) and _enough(model, part.rest)]
    measures = [*(model.on(part.here) for part in parts), *(model.on(part.rest) for part in judged)]
    scores = _of_all(measures, np.ones((model.groups, 1)))[:, 0]
    drawn = np.hstack([_of_all(measures, weights) for weights in draw_weights(model.groups, draws, seed)])
    slices = [
        Slice(
            dimension=part.dimension,
            value=part.value,
            images=int(part.own.sum()),
            lesions=_lesions(model, part.own),
            figure=model.figure,
            score=None if np.isnan(score) else float(score),
            interval=None if np.isnan(score) else _interval(values),
            judged=part in judged,
        )
        for part, score, values in zip(parts, scores, drawn, strict=False)
    ]
    places = [place for place, part in enumerate(parts) if part in judged]
    count = len(parts)
    gap = _largest(model.figure, judged, scores[count:] - scores[places], drawn[count:] - drawn[places]) if judged else None
    return Sliced(tuple(slices), gap)


def _largest(figure: str, judged: Sequence[_Part], gaps: Floats, drawn: Floats) -> Gap:
    """The gap whose lower end is highest, of K gaps and K x R draws: a large one of few lesions may hide a sure one of many."""
    errors = np.nanstd(drawn, axis=1)
    # A gap that no draw moves has no error: a model that is always right.
    deviations = np.abs(drawn - gaps[:, None]) / np.where(errors > 0, errors, 1)[:, None]
    reach = float(np.quantile(np.nan_to_num(deviations).max(axis=0), 0.95)) * errors
    place = int(np.argmax(gaps - reach))
    return Gap(
        dimension=judged[place].dimension,
        value=judged[place].value,
        figure=figure,
        gap=float(gaps[place]),
        low=float(gaps[place] - reach[place]),
        high=float(gaps[place] + reach[place]),
        slices=len(judged),
    )


def _of_all(measures: Sequence[Measure], weights: Floats) -> Floats:
    """Every measure of groups x R weights: K x R."""
    return np.stack([measure(weights) for measure in measures])


def _interval(drawn: Floats) -> Interval | None:
    known = drawn[~np.isnan(drawn)]
    if not len(known):
        return None
    low, high = np.quantile(known, ENDS)
    return Interval(low=float(low), high=float(high))


def _lesions(model: _Ranked | _Overlapping, part: Flags) -> int:
    return len(np.unique(model.group[part]))


def _enough(model: _Ranked | _Overlapping, part: Flags) -> bool:
    return all(_lesions(model, kind) >= LEAST_LESIONS for kind in model.kinds(part))
