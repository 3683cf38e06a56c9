"""Drawn images."""

from components.promotion.evidence import Evidence
from components.promotion.policy import Policy


def phantom(model: Evidence, policy: Policy) -> tuple[bool, str] | None:
    """A model that learned from drawn images serves only where the policy allows it."""
    if policy.phantom:
        return None
    return not model.phantom, "it learned from drawn images (phantom)" if model.phantom else "it learned from photographs alone"
