"""What a task trains for: its loss, its score, and what is measured on val after each epoch."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

Tensor = Any
"""A Keras tensor: TensorFlow's, inside the loop; numpy's in tests."""
Values = npt.NDArray[np.float32]


@dataclass(frozen=True)
class Objective:
    """What a task trains for; `loss` and `score` are made of `keras.ops` alone.

    Attributes:
        loss: (targets, predictions) → N, one loss an image; training lowers its weighted mean.
        score: (targets, predictions) → N, 0 to 1, larger is better; its mean is a curve for people.
        score_name: what to call it.
        measure: (targets, predictions) of all of val → more figures, by name; None: there are none.
        headline: the figure of val that the line of progress shows.
    """

    loss: Callable[[Tensor, Tensor], Tensor]
    score: Callable[[Tensor, Tensor], Tensor]
    score_name: str
    measure: Callable[[Values, Values], Mapping[str, float]] | None
    headline: str
