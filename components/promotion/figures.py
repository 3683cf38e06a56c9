"""How figures are written in sentences."""

from collections.abc import Mapping

from components.lesions import CODES, Task
from components.overlap import IMAGE_MEASURES, MEASURES
from components.promotion.evidence import Evidence

NAMES: Mapping[str, str] = {
    "balanced_accuracy": "balanced accuracy",
    "macro_f1": "macro F1",
    "macro_auc": "macro AUC",
    "accuracy": "accuracy",
    "malignant/auc": "AUC of malignant against benign",
    "MEL/recall": "sensitivity for melanoma",
    "dice": "Dice",
    "jaccard": "Jaccard",
    "melanoma_sensitivity": "melanoma sensitivity at fixed specificity",
    "thresholded_jaccard": "Jaccard (0 below 0.65)",
    "boundary_f1": "boundary F1",
    "sensitivity": "sensitivity",
    "specificity": "specificity",
    "brier": "Brier score",
    "ece": "calibration error, plain",
}
"""Flat name of a figure → what people call it."""

LOWER_IS_BETTER = frozenset({"brier", "ece"})

_OF_A_DIAGNOSIS = ("auc", "average_precision", "precision", "recall", "f1", "specificity")
COMPARED: Mapping[Task, frozenset[str]] = {
    Task.CLASSIFICATION: frozenset(
        [
            *("accuracy", "balanced_accuracy", "melanoma_sensitivity", *LOWER_IS_BETTER),
            *(f"macro_{name}" for name in _OF_A_DIAGNOSIS if name != "specificity"),
            *(f"{mean}_{name}" for mean in ("micro", "weighted") for name in ("precision", "recall", "f1")),
            *(f"malignant/{name}" for name in ("auc", "average_precision", "sensitivity", "specificity")),
            *(f"{code}/{name}" for code in CODES for name in _OF_A_DIAGNOSIS),
        ]
    ),
    Task.SEGMENTATION: frozenset([*IMAGE_MEASURES, *(f"pooled/{name}" for name in MEASURES)]),
}
"""Task → flat names of the figures by which `components.evaluate.bootstrap` sets two models side by side."""


def number(value: float) -> str:
    """0 to 1, three places: `0.812`."""
    return f"{value:.3f}"


def signed(value: float) -> str:
    """A difference, three places: `+0.012`."""
    return f"{value:+.3f}"


def span(model: Evidence, name: str) -> str:
    """A figure with its interval, where it has one."""
    if name not in model.figures:
        return "none"
    value = number(model.figures[name])
    if name not in model.intervals:
        return value
    low, high = model.intervals[name]
    return f"{value} ({number(low)} to {number(high)})"
