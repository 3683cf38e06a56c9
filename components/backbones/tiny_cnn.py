"""A backbone of two convolutions and 1,488 parameters, for tests: traced and trained in seconds."""

from components.errors import WeightsError
from components.training.backend import keras, layers
from components.training.batch_norm import BatchNormalization


def build(name: str, size: tuple[int, int] | tuple[None, None]) -> keras.Model:
    """Build it: N x H x W x 3, float32, RGB, 0 to 1 → N x 16."""
    image = tensor = keras.Input((*size, 3), name="image")
    for number, filters in enumerate((8, 16)):
        tensor = layers.Conv2D(filters, 3, padding="same", name=f"tiny_{number}_conv")(tensor)
        tensor = layers.ReLU()(BatchNormalization(name=f"tiny_{number}_bn")(tensor))
        tensor = layers.MaxPooling2D(2)(tensor)
    return keras.Model(image, layers.GlobalAveragePooling2D()(tensor))


def load_imagenet(name: str, network: keras.Model) -> None:
    """There are none.

    Raises:
        WeightsError: always.
    """
    raise WeightsError(f"{name}: nobody trained it on ImageNet")


def is_here(name: str) -> bool:
    """Whether its published weights lie on this machine: never."""
    return False
