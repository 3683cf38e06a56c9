"""The table of the corpus: every place where we read, crossed with every class of failure."""

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass

from tests.corpus.scene import Answer, Scene

PLACES = ("image", "mask", "table", "metadata", "zip", "S3", "DVC", "params")
FAILURES = (
    "absent",
    "empty",
    "truncated",
    "wrong type",
    "wrong encoding",
    "too large",
    "contradictory",
    "hostile",
    "unreadable",
    "changing while read",
)

Arrange = Callable[[Scene], object]


@dataclass(frozen=True)
class Cell:
    """One case: what is done to a sound scene, and the answer that is owed."""

    place: str
    failure: str
    arrange: Arrange
    answer: Answer


def cells_of(place: str, cells: Mapping[str, tuple[Arrange, Answer]]) -> Iterator[Cell]:
    """The cells of a place, one for each class of failure."""
    missing = set(FAILURES) ^ set(cells)
    assert not missing, f"{place}: {missing}"
    for failure in FAILURES:
        yield Cell(place, failure, *cells[failure])


def table(answers: Mapping[tuple[str, str], str]) -> str:
    """The corpus as Markdown: a line a class of failure, a column a place."""
    lines = ["| | " + " | ".join(PLACES) + " |", "|---" * (len(PLACES) + 1) + "|"]
    lines += ["| " + " | ".join([failure, *(answers.get((place, failure), "") for place in PLACES)]) + " |" for failure in FAILURES]
    return "\n".join(lines)
