"""95 % intervals of any figure: bootstrap over groups (Efron 1979)."""

from collections.abc import Callable, Sequence

import numpy as np
import numpy.typing as npt


def interval(
    figure: Callable[[npt.NDArray[np.intp]], float], groups: Sequence[str], *, draws: int = 500, seed: int = 0
) -> tuple[float, float]:
    """Lower and upper end for a figure of rows, which is given the places of the rows to take; whole groups are drawn."""
    _, place = np.unique(np.array(groups), return_inverse=True)
    rows_of = np.split(np.argsort(place, kind="stable"), np.cumsum(np.bincount(place))[:-1])
    rng = np.random.default_rng(seed)
    drawn = (np.concatenate([rows_of[one] for one in rng.integers(len(rows_of), size=len(rows_of))]) for _ in range(draws))
    low, high = np.quantile([figure(rows) for rows in drawn], [0.025, 0.975])
    return float(low), float(high)
