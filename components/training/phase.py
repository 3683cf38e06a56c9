"""How a model is trained from one epoch to another, said once: a phase, made of the parameters."""

import math
from dataclasses import dataclass, replace

from components.params import TrainClassifierParams, TrainingParams


@dataclass(frozen=True)
class Phase:
    """How a model is trained, or a part of it; for what is not told here see the parameter of that name.

    Attributes:
        name: of the phase; it stands before the progress, unless it is empty.
        epochs: most epochs.
        learning_rate: the greatest.
        sizes: height, width of the images in the first epochs; the others see the model's own size.
        own_size: that size; None: nobody asks how long an epoch takes, compared to another.
    """

    name: str
    epochs: int
    learning_rate: float
    weight_decay: float
    clip_norm: float | None
    schedule: str
    warmup: float
    reduce_factor: float
    reduce_patience: int
    stop_patience: int | None
    keep: str
    ema: float | None
    sizes: tuple[tuple[int, int], ...]
    own_size: tuple[int, int] | None = None

    def size(self, epoch: int) -> tuple[int, int] | None:
        """Height, width of the images in an epoch of the phase, counted from 0; None: the model's own."""
        return self.sizes[epoch] if epoch < len(self.sizes) else None

    def pixels(self, epoch: int) -> int:
        """Pixels of an image in an epoch of the phase, counted from 0, which its time grows with; 1 where no size is known."""
        return 1 if self.own_size is None else math.prod(self.size(epoch) or self.own_size)


def phase_of(params: TrainingParams, name: str = "", size: tuple[int, int] | None = None) -> Phase:
    """The phase that trains all layers of a model that sees images of this `size`."""
    return Phase(
        name=name,
        epochs=params.epochs,
        learning_rate=params.learning_rate,
        weight_decay=params.weight_decay,
        clip_norm=params.clip_norm,
        schedule=params.schedule,
        warmup=params.warmup,
        reduce_factor=params.reduce_factor,
        reduce_patience=params.reduce_patience,
        stop_patience=params.stop_patience,
        keep=params.keep,
        ema=params.ema,
        sizes=tuple(stage.size for stage in params.progressive for _ in range(stage.epochs)),
        own_size=size,
    )


def frozen_phase_of(params: TrainClassifierParams, name: str) -> Phase:
    """The phase that trains the head alone, on features of a frozen backbone: they have one size."""
    return replace(phase_of(params, name), epochs=params.frozen_epochs, learning_rate=params.frozen_learning_rate, sizes=())
