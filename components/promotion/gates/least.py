"""Least figures."""

from components.promotion.evidence import Evidence
from components.promotion.figures import NAMES, number, span
from components.promotion.policy import Policy


def least(model: Evidence, policy: Policy) -> tuple[bool, str] | None:
    """The lower end of each figure's interval reaches what the policy asks: a small test split proves little."""
    limits = policy.of(model.task).least
    if not limits:
        return None
    short = [name for name, limit in limits.items() if _low(model, name) < limit]
    figures = [f"{NAMES.get(name, name)} {span(model, name)}, at least {number(limits[name])}" for name in short or limits]
    return not short, f"{'; '.join(figures)} is asked of the lower end"


def _low(model: Evidence, name: str) -> float:
    if name in model.intervals:
        return model.intervals[name][0]
    return model.figures.get(name, float("-inf"))
