"""Two models on the same images: each figure of both, and the 95 % interval of what is between them."""

from collections.abc import Mapping
from dataclasses import dataclass

import pandas as pd

from components.evaluate.bootstrap import paired_differences, paired_mask_differences
from components.evaluate.classification import measure_classification
from components.lesions import Task
from components.predictions import probabilities_of
from components.scores import ClassificationScores

_OF_SEGMENTERS = ("dice", "jaccard", "thresholded_jaccard", "boundary_f1")


@dataclass(frozen=True)
class Contrast:
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


def differences(task: Task, first: pd.DataFrame, second: pd.DataFrame) -> dict[str, Contrast]:
    """Compare two tables of predictions of the same images in the same order (`components.evaluate.judged`).

    Bootstrap over the groups of the second, both models judged on each draw: see `components.evaluate.bootstrap`.

    Returns:
        Flat name without the split → what is between them: `balanced_accuracy`, `macro_f1`, …; `dice`, `jaccard`, …. A figure that
        does not exist on these images (no AUC) is left out.
    """
    return _of_classifiers(first, second) if task is Task.CLASSIFICATION else _of_segmenters(first, second)


def _of_classifiers(first: pd.DataFrame, second: pd.DataFrame) -> dict[str, Contrast]:
    truth, groups = second["label"].tolist(), second["group_id"].tolist()
    probabilities = [probabilities_of(table) for table in (first, second)]
    found = paired_differences(truth, probabilities[0], probabilities[1], groups)
    one, other = (_figures(measure_classification(truth, said)) for said in probabilities)
    return {name: Contrast(one[name], other[name], found[name].low, found[name].high) for name in one if name in found}


def _figures(scores: ClassificationScores) -> Mapping[str, float]:
    figures = {
        "balanced_accuracy": scores.balanced_accuracy,
        "macro_f1": scores.macro.f1,
        "accuracy": scores.accuracy,
        "macro_auc": scores.macro_auc,
        "malignant/auc": scores.malignant.auc if scores.malignant else None,
        "brier": scores.brier,
    }
    return {name: value for name, value in figures.items() if value is not None}


def _of_segmenters(first: pd.DataFrame, second: pd.DataFrame) -> dict[str, Contrast]:
    found = paired_mask_differences(first, second, second["group_id"].tolist())
    return {
        name: Contrast(float(first[name].mean()), float(second[name].mean()), found[name].low, found[name].high)
        for name in _OF_SEGMENTERS
    }
