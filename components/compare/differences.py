"""Two models on the same images: each figure of both, and the 95 % interval of what is between them."""

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
import pandas as pd

from components.evaluate.classification import measure_classification, predicted_codes
from components.evaluate.intervals import paired_intervals
from components.lesions import Task
from components.predictions import probabilities_of
from components.scores import ClassificationScores

_DRAWS = 2000


@dataclass(frozen=True)
class Difference:
    """A figure of two models on the same images, and the ends of the 95 % interval of second - first."""

    first: float
    second: float
    low: float
    high: float

    @property
    def value(self) -> float:
        """By how much the second is higher."""
        return self.second - self.first

    @property
    def told(self) -> bool:
        """Whether the interval leaves out 0."""
        return self.low > 0 or self.high < 0


def differences(task: Task, first: pd.DataFrame, second: pd.DataFrame) -> dict[str, Difference]:
    """Compare two tables of predictions of the same images in the same order (`components.evaluate.judged`).

    Bootstrap over groups, both models judged on each draw: see `components.evaluate.intervals`.

    Returns:
        Flat name without the split → the difference: `balanced_accuracy`, `macro_f1`, `accuracy`; `dice`, `jaccard`.
    """
    return _of_classifiers(first, second) if task is Task.CLASSIFICATION else _of_segmenters(first, second)


def _of_classifiers(first: pd.DataFrame, second: pd.DataFrame) -> dict[str, Difference]:
    truth, groups = second["label"].tolist(), second["group_id"].tolist()
    probabilities = [probabilities_of(table) for table in (first, second)]
    said = [predicted_codes(one) for one in probabilities]
    ends = paired_intervals(truth, said[0], said[1], groups, draws=_DRAWS)
    figures = [_figures(measure_classification(truth, one)) for one in probabilities]
    return {name: Difference(value, figures[1][name], *ends[name]) for name, value in figures[0].items()}


def _figures(scores: ClassificationScores) -> Mapping[str, float]:
    return {"balanced_accuracy": scores.balanced_accuracy, "macro_f1": scores.macro.f1, "accuracy": scores.accuracy}


def _of_segmenters(first: pd.DataFrame, second: pd.DataFrame) -> dict[str, Difference]:
    groups, place = np.unique(second["group_id"].to_numpy(str), return_inverse=True)
    weights = np.random.default_rng(0).multinomial(len(groups), np.full(len(groups), 1 / len(groups)), size=_DRAWS)
    images = weights @ np.bincount(place)
    found = {}
    for name in ("dice", "jaccard"):
        one, other = first[name].to_numpy(float), second[name].to_numpy(float)
        change = weights @ np.bincount(place, weights=other - one) / images
        low, high = np.quantile(change, [0.025, 0.975])
        found[name] = Difference(float(one.mean()), float(other.mean()), float(low), float(high))
    return found
