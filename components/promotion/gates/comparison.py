"""Challenger against champion."""

from components.promotion.entries import Comparison
from components.promotion.evidence import Evidence
from components.promotion.figures import LOWER_IS_BETTER, NAMES, number, signed
from components.promotion.policy import Policy
from components.scores import Difference


def comparison(model: Evidence, policy: Policy) -> tuple[bool, str] | None:
    """A challenger is better than the champion on the same images, and the interval says so; or it is not worse within the margin,
    and better in a figure that the policy names."""
    asked = policy.of(model.task)
    if asked.figure is None:
        return None
    if model.champion is None:
        return True, "nothing serves yet"
    if model.comparison is None:
        return False, f"it cannot be compared with {model.champion.label}, which serves: {model.incomparable}"
    if asked.figure not in model.comparison.differences:
        return False, f"{NAMES.get(asked.figure, asked.figure)} cannot be told on {_images(model.comparison)}"
    main = _gain(model.comparison, asked.figure)
    told = f"{_told(model.comparison, asked.figure)} against {model.champion.label} on {_images(model.comparison)}"
    if main.low > 0:
        return True, told
    if main.low > -asked.margin:
        known = [name for name in asked.gains if name in model.comparison.differences]
        better = [_told(model.comparison, name) for name in known if _gain(model.comparison, name).low > 0]
        if better:
            return True, f"{told}: not worse by {number(asked.margin)} or more; and {better[0]}"
    if main.high < 0:
        return False, f"{told}: it is worse"
    return False, f"{told}: not shown to be better"


def _gain(comparison: Comparison, name: str) -> Difference:
    """How much better the challenger is by a figure."""
    found = comparison.differences[name]
    return Difference(value=-found.value, low=-found.high, high=-found.low) if name in LOWER_IS_BETTER else found


def _told(comparison: Comparison, name: str) -> str:
    difference = comparison.differences[name]
    return f"{NAMES.get(name, name)} {signed(difference.value)} ({signed(difference.low)} to {signed(difference.high)})"


def _images(comparison: Comparison) -> str:
    return f"{comparison.images:,} images of {comparison.groups:,} lesions"
