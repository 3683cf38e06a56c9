"""The backbones by name. A new one is a file of this folder with `build`, `load_imagenet` and `is_here`, and a line here."""

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from components.training.backend import keras

# Name → file.
_BACKBONES = {
    "efficientnet_lite0": "efficientnet_lite",
    "efficientnet_lite1": "efficientnet_lite",
    "efficientnet_lite2": "efficientnet_lite",
    "resnet50": "resnet",
    "resnet101": "resnet",
    "resnet152": "resnet",
    "tiny_cnn": "tiny_cnn",
}


def build(name: str, size: tuple[int, int] | tuple[None, None]) -> "keras.Model":
    """Build an untrained backbone.

    Args:
        name: of the backbone.
        size: height, width in pixels; (None, None): any. The same weights fit, whatever the size.

    Returns:
        N x H x W x 3, float32, RGB, 0 to 1 → N x F, the mean over the last feature map, which its last layer takes.
    """
    backbone: keras.Model = _file(name).build(name, size)
    return backbone


def load_imagenet(name: str, network: "keras.Model") -> None:
    """Give a backbone, or the part of a network that was built on one, its published weights; other layers stay as they are.

    Raises:
        WeightsError: nobody published any, or they cannot be had.
    """
    _file(name).load_imagenet(name, network)


def with_weights_here() -> list[str]:
    """Names of the backbones whose published weights lie on this machine."""
    return [name for name in _BACKBONES if _file(name).is_here(name)]


def _file(name: str) -> Any:
    return import_module(f"components.backbones.{_BACKBONES[name]}")
