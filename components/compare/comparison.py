"""What there is to say of two sides: a pure function, nothing is read here."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass

from components.compare.paired import Paired, pair
from components.compare.sides import Model, Side
from components.lesions import Task


@dataclass(frozen=True)
class Differing:
    """Something that both sides have and that differs: what it is called, and its value on either side."""

    name: str
    first: str
    second: str


@dataclass(frozen=True)
class Pair:
    """A model of either side, compared.

    Attributes:
        first, second: the two.
        paired: image by image; None where they have no image of test in common, or the answers of one cannot be had.
        decisions: test set of either → how many decisions it has taken; empty: not known.
    """

    first: Model
    second: Model
    paired: Paired | None
    decisions: Mapping[str, int]

    @property
    def task(self) -> Task:
        """What both answer."""
        return self.first.task


@dataclass(frozen=True)
class Comparison:
    """Two sides, compared.

    Attributes:
        first, second: the two.
        facts: what differs of data version, commit, libraries.
        params: parameters that differ.
        pairs: the chosen models of each task first, then the others that both have by name.
        alone: names of models that one side alone has, and that are in no pair.
    """

    first: Side
    second: Side
    facts: tuple[Differing, ...]
    params: tuple[Differing, ...]
    pairs: tuple[Pair, ...]
    alone: tuple[tuple[str, ...], tuple[str, ...]]


def compare(first: Side, second: Side, decisions: Mapping[str, int]) -> Comparison:
    """Compare two sides.

    Args:
        first, second: the two.
        decisions: test set → how many decisions it has taken.
    """
    pairs = tuple(_pair(one, other, decisions) for one, other in _pairs(first, second))
    compared = [{one.first.name for one in pairs}, {one.second.name for one in pairs}]
    alone = [tuple(model.name for model in side.models if model.name not in compared[n]) for n, side in enumerate((first, second))]
    # What is known of one side alone does not differ: MLflow does not have all that a home has.
    facts = first.facts.keys() & second.facts.keys()
    return Comparison(
        first=first,
        second=second,
        facts=tuple(one for one in _differing(first.facts, second.facts) if one.name in facts),
        params=_differing(first.params, second.params) if first.params and second.params else (),
        pairs=pairs,
        alone=(alone[0], alone[1]),
    )


def _pairs(first: Side, second: Side) -> Iterator[tuple[Model, Model]]:
    for task in Task:
        models = [{model.name: model for model in side.models if model.task is task} for side in (first, second)]
        chosen = [next((model for model in side.values() if model.chosen), None) for side in models]
        if chosen[0] is not None and chosen[1] is not None:
            yield chosen[0], chosen[1]
        taken = [model.name if model else None for model in chosen]
        for name, model in models[0].items():
            if name in models[1] and [name, name] != taken:
                yield model, models[1][name]


def _pair(first: Model, second: Model, decisions: Mapping[str, int]) -> Pair:
    said = [model.answers for model in (first, second)]
    paired = pair(first.task, said[0].table, said[1].table) if said[0] is not None and said[1] is not None else None
    sets = dict.fromkeys(model.test_set for model in (first, second))
    return Pair(first, second, paired, {one: decisions[one] for one in sets if one in decisions})


def _differing(first: Mapping[str, str], second: Mapping[str, str]) -> tuple[Differing, ...]:
    keys = dict.fromkeys((*first, *second))
    found = (Differing(key, first.get(key, "absent"), second.get(key, "absent")) for key in keys)
    return tuple(one for one in found if one.first != one.second)
