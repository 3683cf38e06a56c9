"""From the network that is trained to the one that is used: at one size, though it saw several (Howard 2018), and in float32."""

from collections.abc import Callable

from components.params import TrainingParams
from components.training.backend import keras


def training_size(size: tuple[int, int], params: TrainingParams) -> tuple[int, int] | tuple[None, None]:
    """The size to build a network at that will be used at `size`: any, where its first epochs see smaller images."""
    return (None, None) if params.progressive else size


def as_used(model: keras.Model, size: tuple[int, int], build: Callable[[], keras.Model]) -> keras.Model:
    """The network at a fixed size, in float32: `model` itself if it is such, else what `build` gives, with the same weights."""
    if model.input_shape[1:3] == size and keras.config.dtype_policy().name == "float32":
        return model
    keras.config.set_dtype_policy("float32")
    used = build()
    used.set_weights(model.get_weights())
    return used
