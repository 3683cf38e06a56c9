"""Progressive resizing (Howard 2018): a network that saw images of several sizes, brought to the one at which it is used."""

from collections.abc import Callable

from components.params import TrainingParams
from components.training.backend import keras


def training_size(size: tuple[int, int], params: TrainingParams) -> tuple[int, int] | tuple[None, None]:
    """The size to build a network at that will be used at `size`: any, where its first epochs see smaller images."""
    return (None, None) if params.progressive else size


def at_size(model: keras.Model, size: tuple[int, int], build: Callable[[], keras.Model]) -> keras.Model:
    """The network at a fixed size: `model` itself if it is, else what `build` gives, with the weights of `model`."""
    if model.input_shape[1:3] == size:
        return model
    fixed = build()
    fixed.set_weights(model.get_weights())
    return fixed
