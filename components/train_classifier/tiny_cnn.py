"""A backbone of two convolutions and 1,488 parameters, for tests: traced and trained in seconds."""

from components.errors import WeightsError
from components.training.backend import keras, layers


def build(name: str, size: tuple[int, int]) -> keras.Model:
    """Build it: N x H x W x 3, float32, RGB, 0 to 1 → N x 16."""
    image = tensor = keras.Input((*size, 3), name="image")
    for filters in (8, 16):
        tensor = layers.Conv2D(filters, 3, padding="same")(tensor)
        tensor = layers.ReLU()(layers.BatchNormalization(momentum=0.9)(tensor))
        tensor = layers.MaxPooling2D(2)(tensor)
    return keras.Model(image, layers.GlobalAveragePooling2D()(tensor))


def load_imagenet(name: str, backbone: keras.Model) -> None:
    """There are none.

    Raises:
        WeightsError: always.
    """
    raise WeightsError(f"{name}: nobody trained it on ImageNet; train from nothing with --set train_classifier.weights=none")
