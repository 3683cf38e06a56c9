"""Size."""

from components.promotion.evidence import Evidence
from components.promotion.policy import Policy


def size(model: Evidence, policy: Policy) -> tuple[bool, str] | None:
    """A model's files are no larger than the machines that serve it bear."""
    if policy.megabytes is None:
        return None
    return model.megabytes <= policy.megabytes, f"{model.megabytes:,.0f} MB, at most {policy.megabytes:,.0f}"
