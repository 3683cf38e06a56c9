"""Slices of test."""

from components.promotion.evidence import Evidence
from components.promotion.figures import NAMES, number, signed
from components.promotion.policy import Policy


def slices(model: Evidence, policy: Policy) -> tuple[bool, str] | None:
    """No slice lags behind the rest by more than chance explains, however many slices were looked at."""
    limit = policy.of(model.task).slice_gap
    if limit is None:
        return None
    gap = model.largest_gap
    if gap is None:
        return False, "no slice of test has lesions enough to be judged"
    span = f"{signed(gap.gap)} ({signed(gap.low)} to {signed(gap.high)}, corrected for {gap.slices} slices)"
    told = f"{NAMES.get(gap.figure, gap.figure)} of {gap.dimension} {gap.value} lags behind the rest by {span}"
    return gap.low <= limit, f"{told}, at most {number(limit)} is asked of the lower end"
