"""A U-Net whose way down is an EfficientNet-Lite0 (Liu 2020; U-Net: Ronneberger 2015) and whose way up is as cheap (Chollet 2017).

For a CPU: it starts from ImageNet weights that a package ships, and separable convolutions keep it light. At any size it has
3,124,673 parameters, 3,083,873 of them trainable.
"""

from typing import Any

from components.backbones import efficientnet_lite
from components.training.backend import keras, layers
from components.training.batch_norm import BatchNormalization

_FILTERS = (128, 96, 64, 32, 16)


def build(size: tuple[int, int] | tuple[None, None], dropout: float) -> keras.Model:
    """Build it; arguments and result as of `unet_plain.build`, sizes multiples of 32."""
    features = efficientnet_lite.extract("efficientnet_lite0", size)
    *skips, tensor = features.scales
    for filters in _FILTERS:
        tensor = layers.UpSampling2D(2, interpolation="bilinear")(tensor)
        if skips:
            tensor = layers.Concatenate()([tensor, skips.pop()])
        tensor = _two_convolutions(layers.Dropout(dropout)(tensor), filters)
    return keras.Model(features.image, layers.Conv2D(1, 1, activation="sigmoid", name="mask", dtype="float32")(tensor))


def _two_convolutions(tensor: Any, filters: int) -> Any:
    for _ in range(2):
        tensor = layers.SeparableConv2D(filters, 3, padding="same", use_bias=False)(tensor)
        tensor = layers.ReLU()(BatchNormalization()(tensor))
    return tensor
