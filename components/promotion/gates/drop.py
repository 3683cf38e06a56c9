"""Diagnoses that a challenger finds less well."""

from components.promotion.evidence import Evidence
from components.promotion.figures import number, signed
from components.promotion.policy import Policy

_RECALL = "/recall"


def drop(model: Evidence, policy: Policy) -> tuple[bool, str] | None:
    """No diagnosis is found so much more seldom than by the champion, however much better the whole is."""
    limit = policy.of(model.task).largest_drop
    if limit is None or model.comparison is None:
        return None
    drops = {
        name.removesuffix(_RECALL): difference
        for name, difference in model.comparison.differences.items()
        if name.endswith(_RECALL) and difference.value < -limit
    }
    if not drops:
        return True, f"no diagnosis is found more seldom by more than {number(limit)}"
    told = ", ".join(f"{code} {signed(one.value)} ({signed(one.low)} to {signed(one.high)})" for code, one in drops.items())
    return False, f"sensitivity fell by more than {number(limit)}: {told}"
