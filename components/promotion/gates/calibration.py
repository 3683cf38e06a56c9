"""Calibration."""

from components.promotion.evidence import Evidence
from components.promotion.figures import number
from components.promotion.policy import Policy


def calibration(model: Evidence, policy: Policy) -> tuple[bool, str] | None:
    """What a classifier says is as probable as it says."""
    limit = policy.of(model.task).calibration_error
    if limit is None:
        return None
    if model.calibration_error is None:
        return False, "its calibration was not measured"
    return (
        model.calibration_error <= limit,
        f"expected calibration error {number(model.calibration_error)}, at most {number(limit)}",
    )
