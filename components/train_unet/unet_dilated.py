"""The report's U-Net with dilated convolutions (Liu 2019), which see further with as many parameters: 2,164,593 at any size.

On the way down the kernels of the third, fourth and fifth level take pixels that lie 2, 2 and 4 apart. So a pixel of the lowest
level sees 380 x 380 pixels of the image instead of 140 x 140: a whole lesion and the skin around it. The rates are ours; the way up
is plain.
"""

from components.train_unet import unet_plain
from components.training.backend import keras


def build(size: tuple[int, int] | tuple[None, None], dropout: float) -> keras.Model:
    """Build it; arguments and result as of `unet_plain.build`."""
    return unet_plain.build(size, dropout, dilations=(1, 1, 2, 2, 4))
