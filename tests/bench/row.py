"""One line of the bench, and how it is measured."""

import statistics
import time
from collections.abc import Callable
from dataclasses import dataclass


@dataclass(frozen=True)
class Row:
    """A figure of ours beside theirs.

    Attributes:
        name: what is measured.
        ours: our figure, in `unit`.
        theirs: the figure of what we are held against, in `unit`.
        unit: of both.
        ratio: how many times better ours is; above 1: ours is better.
    """

    name: str
    ours: float
    theirs: float
    unit: str
    ratio: float

    @classmethod
    def of_rates(cls, name: str, unit: str, *, ours: float, theirs: float) -> "Row":
        """A row where more is better: images/s."""
        return cls(name, ours, theirs, unit, ours / theirs)

    @classmethod
    def of_costs(cls, name: str, unit: str, *, ours: float, theirs: float) -> "Row":
        """A row where less is better: seconds, bytes."""
        return cls(name, ours, theirs, unit, theirs / ours)


def race(ours: Callable[[], object], theirs: Callable[[], object], *, repeats: int) -> tuple[float, float]:
    """Median seconds of a call of ours and of theirs.

    They alternate, and who goes first alternates too, so that whatever else the machine does meets both alike; one call of each
    before, to warm up, does not count.
    """
    ours()
    theirs()
    times: tuple[list[float], list[float]] = ([], [])
    for repeat in range(repeats):
        for side in (0, 1) if repeat % 2 == 0 else (1, 0):
            start = time.perf_counter()
            (ours, theirs)[side]()
            times[side].append(time.perf_counter() - start)
    return statistics.median(times[0]), statistics.median(times[1])
