"""The report's U-Net (Ronneberger 2015): 16 to 256 filters, batch norm, transposed convolutions.

At 256 x 384 x 3 it has 2,164,593 parameters, 2,161,649 of them trainable.
"""

from collections.abc import Sequence
from typing import Any

from components.training.backend import keras, layers

# PyTorch's choice; with Keras's 0.99 a short training ends before the running averages arrive.
_MOMENTUM = 0.9


def build(size: tuple[int, int], dropout: float, filters: Sequence[int] = (16, 32, 64, 128, 256)) -> keras.Model:
    """Build a U-Net.

    Args:
        size: height, width in pixels; multiples of 2 to the number of levels below the first (16 for five levels).
        dropout: share of activations dropped at each level, 0 to 1.
        filters: of each level, from the image down.

    Returns:
        N x H x W x 3, float32, 0 to 1 → N x H x W x 1, the probability of each pixel to be lesion.
    """
    image = tensor = keras.Input((*size, 3), name="image")
    skips = []
    for count in filters[:-1]:
        skip = _two_convolutions(tensor, count)
        skips.append(skip)
        tensor = layers.Dropout(dropout)(layers.MaxPooling2D(2)(skip))
    tensor = _two_convolutions(tensor, filters[-1])
    for count, skip in zip(reversed(filters[:-1]), reversed(skips), strict=True):
        tensor = layers.Conv2DTranspose(count, 3, strides=2, padding="same")(tensor)
        tensor = layers.Dropout(dropout)(layers.Concatenate()([tensor, skip]))
        tensor = _two_convolutions(tensor, count)
    return keras.Model(image, layers.Conv2D(1, 1, activation="sigmoid", name="mask")(tensor))


def _two_convolutions(tensor: Any, filters: int) -> Any:
    for _ in range(2):
        tensor = layers.Conv2D(filters, 3, padding="same", kernel_initializer="he_normal")(tensor)
        tensor = layers.ReLU()(layers.BatchNormalization(momentum=_MOMENTUM)(tensor))
    return tensor
