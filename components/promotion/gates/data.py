"""The version of the data."""

from components.promotion.evidence import FROM_FILE, Evidence
from components.promotion.policy import Policy


def data(model: Evidence, policy: Policy) -> tuple[bool, str]:
    """The version of the data that a model learned from is the one whose test split judges it, so that its manifest proves which
    images it never saw; and neither did the model that it was trained on from."""
    if model.data_version != model.judged_on:
        return False, (
            f"trained on data version {model.data_version[:12]} but judged on {model.judged_on[:12]}: "
            "which of these images it learned from is not proven"
        )
    if model.parent_learned is None:
        return False, "trained on from a model of which it is not known whether it learned from images that judge this one"
    if model.parent_learned:
        return False, f"trained on from a model that learned from {model.parent_learned:,} images that judge this one"
    told = f"trained and judged on data version {model.judged_on[:12]}, whose manifest keeps its splits apart"
    return True, f"{told}; {FROM_FILE}" if model.from_file else told
