"""A U-Net of three levels and some seven thousand parameters, for tests: traced and trained in seconds."""

from components.train_unet import unet_plain
from components.training.backend import keras


def build(size: tuple[int, int], dropout: float) -> keras.Model:
    """Build it; arguments and result as of `unet_plain.build`, sizes multiples of 4."""
    return unet_plain.build(size, dropout, filters=(4, 8, 16))
