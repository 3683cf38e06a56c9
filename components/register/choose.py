"""Which model goes to production: validation chooses, test only reports."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from components.promotion.figures import NAMES


@dataclass(frozen=True)
class Candidate:
    """A model that could go to production.

    Attributes:
        name: the model's name.
        parameters: how many it has.
        figures: its figures on validation, 0 to 1; one that does not exist (no AUC) is left out.
    """

    name: str
    parameters: int
    figures: Mapping[str, float]


@dataclass(frozen=True)
class Choice:
    """The model that was chosen, and why, as the beginning of a sentence without its full stop."""

    name: str
    reason: str


def choose(candidates: Sequence[Candidate], metric: str) -> Choice:
    """Choose the candidate with the highest figure; of equals the one with fewer parameters, then the first by name.

    Args:
        candidates: at least one.
        metric: a key of `NAMES`.
    """
    ranked = sorted(candidates, key=lambda one: (-one.figures.get(metric, -1.0), one.parameters, one.name))
    best, rest = ranked[0], ranked[1:]
    figure = _figure(best, metric)
    if not rest:
        return Choice(best.name, f"{best.name} is the only candidate, {NAMES[metric]} {figure} on validation")
    others = ", ".join(f"{one.name} {_figure(one, metric)}" for one in rest)
    reason = f"{best.name} has the best {NAMES[metric]} on validation, {figure} ({others})"
    return Choice(best.name, reason + _tie(best, rest, metric))


def _tie(best: Candidate, rest: Sequence[Candidate], metric: str) -> str:
    equal = [one for one in rest if one.figures.get(metric) == best.figures.get(metric)]
    if not equal:
        return ""
    if all(one.parameters > best.parameters for one in equal):
        return ", and of equals the fewest parameters"
    return ", and of equals comes first by name"


def _figure(candidate: Candidate, metric: str) -> str:
    return f"{candidate.figures[metric]:.3f}" if metric in candidate.figures else "none"
