"""The running mean of the weights, which generalises better than the weights that training ends with (Polyak and Juditsky 1992)."""

from collections.abc import Iterable, Iterator, Sequence
from typing import Any

import numpy as np
import numpy.typing as npt

from components.training.backend import keras

import tensorflow as tf  # isort: skip  # after Keras, whose import sets how TensorFlow runs


class RunningMean:
    """An exponential moving average of variables, batch norm's moving statistics among them: they belong to the weights.

    After t steps the decay is min(decay, (1 + t) / (10 + t)), so that what training began with is soon forgotten (as
    TensorFlow's `ExponentialMovingAverage` does it).

    Args:
        variables: to average; whole numbers (random seeds) are passed over.
        decay: 0 to 1.
    """

    def __init__(self, variables: Sequence[keras.Variable], decay: float) -> None:
        self._variables = [variable.value for variable in variables if "float" in variable.dtype]
        self._means = [tf.Variable(variable) for variable in self._variables]
        self._decay = decay

    def update(self, steps: Any) -> None:
        """Take in the variables as they are after `steps` steps (a tensor)."""
        done = tf.cast(steps, tf.float32)
        share = 1 - tf.minimum(self._decay, (1 + done) / (10 + done))
        for mean, variable in zip(self._means, self._variables, strict=True):
            mean.assign_sub(share * (mean - variable))

    def swap(self) -> None:
        """Let variables and means change places."""
        for mean, variable in zip(self._means, self._variables, strict=True):
            now = variable.numpy()
            variable.assign(mean)
            mean.assign(now)

    def values(self) -> Iterator[npt.NDArray[np.float32]]:
        """Copies of the means."""
        return (np.array(mean) for mean in self._means)

    def restore(self, values: Iterable[npt.NDArray[np.float32]]) -> None:
        """Set the means."""
        for mean, value in zip(self._means, values, strict=True):
            mean.assign(value)
