"""The code."""

from components.promotion.evidence import Evidence
from components.promotion.policy import Policy


def code(model: Evidence, policy: Policy) -> tuple[bool, str] | None:
    """The code that made a model is a commit, unchanged, so that it can be made again."""
    if not policy.clean_code:
        return None
    if not model.commit:
        return False, "the code that made it was no clone of git"
    if model.dirty:
        return False, f"the code that made it differed from commit {model.commit[:12]}"
    return True, f"made by commit {model.commit[:12]}"
