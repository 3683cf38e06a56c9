"""The segmenters by name. A new one is a file of this folder with a function like `unet_plain.build`, and a line here."""

from importlib import import_module
from typing import TYPE_CHECKING

from components.errors import ParamsError

if TYPE_CHECKING:
    from components.training.backend import keras

# Name → file, and what height and width must be multiples of.
_ARCHITECTURES = {
    "unet_plain": ("unet_plain", 16),
    "unet_tiny": ("unet_tiny", 2),
}


def architectures() -> list[str]:
    """Names that `train_unet.models` may hold; known without TensorFlow."""
    return list(_ARCHITECTURES)


def build(name: str, size: tuple[int, int], dropout: float) -> "keras.Model":
    """Build an untrained segmenter; for arguments and result see `unet_plain.build`.

    Raises:
        ParamsError: there is no architecture of this name, or it cannot see images of this size.
    """
    if name not in _ARCHITECTURES:
        raise ParamsError(f"train_unet.models: {name} is no architecture; there are {', '.join(_ARCHITECTURES)}")
    file, multiple = _ARCHITECTURES[name]
    if any(side % multiple for side in size):
        raise ParamsError(
            f"train_unet.input_size is {size[0]} x {size[1]}, but {name} needs multiples of {multiple}; "
            f"set it, or preprocess.segmentation_size, to such a size"
        )
    model: keras.Model = import_module(f"components.train_unet.{file}").build(size, dropout)
    return model
