"""The audit of the data."""

from components.promotion.evidence import Evidence
from components.promotion.policy import Policy

_WORST_FIRST = ("critical", "high", "medium", "low")


def audit(model: Evidence, policy: Policy) -> tuple[bool, str] | None:
    """The data's audit found nothing as bad as the policy names, or worse."""
    if policy.audit is None:
        return None
    if model.audit is None:
        return False, f"no audit of data version {model.judged_on[:12]} is in this home"
    counted = _WORST_FIRST[: _WORST_FIRST.index(policy.audit) + 1]
    found = {severity: model.audit.counts.get(severity, 0) for severity in counted}
    bad = ", ".join(f"{count} {severity}" for severity, count in found.items() if count)
    if bad:
        return False, f"the data's audit has {bad} findings; {model.audit.headline.rstrip('.')}"
    return True, f"the data's audit has no finding that is {' or '.join(counted)}"
