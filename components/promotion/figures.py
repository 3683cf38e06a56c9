"""How figures are written in sentences."""

from collections.abc import Mapping

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
}
"""Flat name of a figure → what people call it."""


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
