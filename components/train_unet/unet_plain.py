"""The report's U-Net (Ronneberger 2015): 16 to 256 filters, batch norm, transposed convolutions.

At 256 x 384 x 3 it has 2,164,593 parameters, 2,161,649 of them trainable.
"""

from collections.abc import Sequence
from typing import Any

from components.training.backend import keras, layers
from components.training.batch_norm import BatchNormalization


def build(
    size: tuple[int, int] | tuple[None, None],
    dropout: float,
    filters: Sequence[int] = (16, 32, 64, 128, 256),
    dilations: Sequence[int] = (1, 1, 1, 1, 1),
) -> keras.Model:
    """Build a U-Net.

    Args:
        size: height, width in pixels; multiples of 2 to the number of levels below the first (16 for five levels). (None, None):
            any.
        dropout: share of activations dropped at each level, 0 to 1.
        filters: of each level, from the image down.
        dilations: pixels between a kernel's neighbours at each level on the way down; 1 is a common convolution.

    Returns:
        N x H x W x 3, float32, 0 to 1 → N x H x W x 1, the probability of each pixel to be lesion.
    """
    image = tensor = keras.Input((*size, 3), name="image")
    skips = []
    for count, dilation in zip(filters[:-1], dilations, strict=False):
        skip = two_convolutions(tensor, count, dilation)
        skips.append(skip)
        tensor = layers.Dropout(dropout)(layers.MaxPooling2D(2)(skip))
    tensor = two_convolutions(tensor, filters[-1], dilations[len(filters) - 1])
    for count, skip in zip(reversed(filters[:-1]), reversed(skips), strict=True):
        tensor = layers.Conv2DTranspose(count, 3, strides=2, padding="same")(tensor)
        tensor = layers.Dropout(dropout)(layers.Concatenate()([tensor, skip]))
        tensor = two_convolutions(tensor, count)
    return keras.Model(image, layers.Conv2D(1, 1, activation="sigmoid", name="mask", dtype="float32")(tensor))


def two_convolutions(tensor: Any, filters: int, dilation: int = 1) -> Any:
    """Twice a 3 x 3 convolution, batch norm and ReLU: a level of the U-Net."""
    for _ in range(2):
        convolution = layers.Conv2D(filters, 3, padding="same", dilation_rate=dilation, kernel_initializer="he_normal")
        tensor = layers.ReLU()(BatchNormalization()(convolution(tensor)))
    return tensor
