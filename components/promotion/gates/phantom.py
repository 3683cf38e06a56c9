"""Drawn images."""

from components.promotion.evidence import FROM_FILE, Evidence
from components.promotion.policy import Policy


def phantom(model: Evidence, policy: Policy) -> tuple[bool, str] | None:
    """A model that learned from drawn images serves only where the policy allows it."""
    if policy.phantom:
        return None
    if model.phantom:
        return False, "it learned from drawn images (phantom)"
    return True, f"it learned from photographs alone; {FROM_FILE}" if model.from_file else "it learned from photographs alone"
