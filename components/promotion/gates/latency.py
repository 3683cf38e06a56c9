"""Latency."""

from components.promotion.evidence import Evidence
from components.promotion.policy import Policy


def latency(model: Evidence, policy: Policy) -> tuple[bool, str] | None:
    """A prediction takes no longer than a clinician waits."""
    if policy.milliseconds is None:
        return None
    told = f"{model.milliseconds:,.0f} ms an image on the machine that registered it, at most {policy.milliseconds:,.0f}"
    return model.milliseconds <= policy.milliseconds, told
