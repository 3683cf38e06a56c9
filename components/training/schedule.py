"""When the learning rate falls and when training stops, as Keras's callbacks of these names decide it.

Both are values without hidden state: `observe` gives the next one, and its fields go into the checkpoint.
"""

import math
from dataclasses import dataclass, replace

# Keras's default: a smaller gain does not count for the learning rate (for stopping, every gain counts).
_LEAST_GAIN = 1e-4


@dataclass(frozen=True)
class ReduceLROnPlateau:
    """Multiplies the learning rate by `factor` after `patience` epochs without gain.

    Attributes:
        rate: the learning rate now.
        factor: new rate / old rate, 0 to 1.
        patience: epochs without gain before the rate falls.
        best: least loss so far.
        waited: epochs since it, or since the rate fell.
    """

    rate: float
    factor: float
    patience: int
    best: float = math.inf
    waited: int = 0

    def observe(self, loss: float) -> "ReduceLROnPlateau":
        """The state after an epoch with this validation loss."""
        if loss < self.best - _LEAST_GAIN:
            return replace(self, best=loss, waited=0)
        if self.waited + 1 >= self.patience:
            return replace(self, rate=self.rate * self.factor, waited=0)
        return replace(self, waited=self.waited + 1)


@dataclass(frozen=True)
class EarlyStopping:
    """Stops after `patience` epochs without gain; the best epoch's weights are the ones to keep.

    Attributes:
        patience: epochs without gain before training stops; None: it never does.
        best: least loss so far.
        waited: epochs since it; 0 says that the newest epoch is the best.
    """

    patience: int | None
    best: float = math.inf
    waited: int = 0

    @property
    def stopped(self) -> bool:
        """Whether training should stop."""
        return self.patience is not None and self.waited >= self.patience

    def observe(self, loss: float) -> "EarlyStopping":
        """The state after an epoch with this validation loss."""
        if loss < self.best:
            return replace(self, best=loss, waited=0)
        return replace(self, waited=self.waited + 1)
