"""Challenger against champion."""

from components.promotion.entries import Comparison
from components.promotion.evidence import Evidence
from components.promotion.figures import NAMES, number, signed
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
    main = model.comparison.differences[asked.figure]
    told = f"{_told(asked.figure, main)} against {model.champion.label} on {_images(model.comparison)}"
    if main.low > 0:
        return True, told
    if main.low > -asked.margin:
        gains = {name: model.comparison.differences[name] for name in asked.gains if name in model.comparison.differences}
        better = [_told(name, difference) for name, difference in gains.items() if difference.low > 0]
        if better:
            return True, f"{told}: not worse by {number(asked.margin)} or more; and {better[0]}"
    if main.high < 0:
        return False, f"{told}: it is worse"
    return False, f"{told}: not shown to be better"


def _told(name: str, difference: Difference) -> str:
    return f"{NAMES.get(name, name)} {signed(difference.value)} ({signed(difference.low)} to {signed(difference.high)})"


def _images(comparison: Comparison) -> str:
    return f"{comparison.images:,} images of {comparison.groups:,} lesions"
