"""Which member of a bundle each member of a model goes on from: never one that learned from what judges the new one.

Without folds all members learned from train, and val judges. With folds each member goes on from the one of its own fold.
"""

from pathlib import Path

from components.bundle import Description, read_description
from components.errors import WeightsError
from components.params import TrainingParams
from components.training.folds import Member


def place_in_parent(parent: Description, params: TrainingParams, member: Member) -> int:
    """The place of a member's weights among those of the bundle that it goes on from; of several seeds, one after another.

    Raises:
        WeightsError: the bundle has no member that did not learn from what judges this one.
    """
    # Bundles of version 0.1.0 know neither folds nor seeds.
    theirs = {"folds": 1, "fold": None, "seeds": 1} | dict(parent.training)
    folds, fold, seeds = theirs["folds"], theirs["fold"], theirs["seeds"]
    if folds != params.folds or fold not in (None, member.fold):
        told = f"folds {folds}" + ("" if fold is None else f", fold {fold}")
        raise WeightsError(
            f"{parent.name} was trained with {told}, and goes on with folds {params.folds}, so that it learned from what judges "
            f"{member.name}; set folds (and fold) as they were"
        )
    before = member.fold if member.fold is not None and fold is None else 0
    return int(before * seeds + member.seed % seeds)


def place_in_folder(folder: Path, params: TrainingParams, member: Member) -> int:
    """The same of the bundle in a folder, where `params.weights` names one; 0 where it does not.

    Raises:
        BundleError: there is none.
        WeightsError: as above.
    """
    return place_in_parent(read_description(folder), params, member) if params.parent else 0
