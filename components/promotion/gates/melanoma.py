"""Melanomas."""

from components.promotion.evidence import Evidence
from components.promotion.figures import number, span
from components.promotion.policy import Policy

_RECALL = "MEL/recall"


def melanoma(model: Evidence, policy: Policy) -> tuple[bool, str] | None:
    """A model finds enough of the melanomas, the lower end of the interval included: a missed one kills."""
    limit = policy.of(model.task).melanoma_sensitivity
    if limit is None:
        return None
    if not model.figures.get("MEL/support"):
        return False, "test has no melanoma to find"
    low = model.intervals[_RECALL][0] if _RECALL in model.intervals else model.figures[_RECALL]
    return low >= limit, f"sensitivity for melanoma {span(model, _RECALL)}, at least {number(limit)} of the lower end is asked"
