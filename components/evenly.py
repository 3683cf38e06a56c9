"""Some of many, evenly spread."""

import numpy as np
import numpy.typing as npt


def evenly(count: int, most: int) -> npt.NDArray[np.intp]:
    """At most `most` of the places 0 to `count` - 1, the first and the last among them, rising; `count` and `most` at least 1."""
    return np.unique(np.linspace(0, count - 1, min(most, count)).round().astype(np.intp))
