"""A U-Net whose way down is a ResNet50 (He 2015; the report, chapter 5), so that it can start from ImageNet weights.

At any size it has 33,389,793 parameters, 33,334,689 of them trainable.
"""

from components.backbones import resnet
from components.train_unet.unet_plain import two_convolutions
from components.training.backend import keras, layers

# The last feature map of each resolution, from half of the image's sides down to a thirty-second.
_SCALES = ("conv1_relu", "conv2_block3_out", "conv3_block4_out", "conv4_block6_out", "conv5_block3_out")
_FILTERS = (256, 128, 64, 32, 16)


def build(size: tuple[int, int] | tuple[None, None], dropout: float) -> keras.Model:
    """Build it; arguments and result as of `unet_plain.build`, sizes multiples of 32."""
    backbone = resnet.build("resnet50", size)
    *skips, tensor = (backbone.get_layer(name).output for name in _SCALES)
    for filters in _FILTERS:
        tensor = layers.Conv2DTranspose(filters, 3, strides=2, padding="same")(tensor)
        if skips:
            tensor = layers.Concatenate()([tensor, skips.pop()])
        tensor = two_convolutions(layers.Dropout(dropout)(tensor), filters)
    return keras.Model(backbone.input, layers.Conv2D(1, 1, activation="sigmoid", name="mask", dtype="float32")(tensor))
