"""The official scorer."""

from components.promotion.evidence import Evidence
from components.promotion.policy import Policy


def official(model: Evidence, policy: Policy) -> tuple[bool, str] | None:
    """The ISIC challenge's own scorer finds the same figures in the submission files as we do."""
    limit = policy.of(model.task).official_difference
    if limit is None or model.official_difference is None:
        return None
    told = f"the official ISIC scorer differs from these figures by at most {model.official_difference:.1g}"
    return model.official_difference <= limit, told if model.official_difference <= limit else f"{told}, allowed is {limit:g}"
