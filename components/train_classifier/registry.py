"""The classifiers' backbones by name. A new one is a file of this folder with `build` and `load_imagenet`, and a line here."""

from importlib import import_module
from typing import TYPE_CHECKING

from components.errors import ParamsError

if TYPE_CHECKING:
    from components.train_classifier.head import Classifier

# Name → module, and the least height and width in pixels.
_ARCHITECTURES = {
    "resnet50": ("components.backbones.resnet", 32),
    "resnet101": ("components.backbones.resnet", 32),
    "resnet152": ("components.backbones.resnet", 32),
    "efficientnet_lite0": ("components.backbones.efficientnet_lite", 32),
    "efficientnet_lite1": ("components.backbones.efficientnet_lite", 32),
    "efficientnet_lite2": ("components.backbones.efficientnet_lite", 32),
    "tiny_cnn": ("components.train_classifier.tiny_cnn", 4),
}


def architectures() -> list[str]:
    """Names that `train_classifier.models` may hold; known without TensorFlow."""
    return list(_ARCHITECTURES)


def build(name: str, size: tuple[int, int], dropout: float) -> "Classifier":
    """Build an untrained classifier: a backbone with the report's head.

    Args:
        name: of the backbone.
        size: height, width in pixels.
        dropout: share of the head's activations dropped, 0 to 1.

    Raises:
        ParamsError: there is no architecture of this name, or it cannot see images of this size.
    """
    from components.train_classifier.head import attach_head

    if name not in _ARCHITECTURES:
        raise ParamsError(f"train_classifier.models: {name} is no architecture; there are {', '.join(_ARCHITECTURES)}")
    module, least = _ARCHITECTURES[name]
    if min(size) < least:
        raise ParamsError(
            f"train_classifier.input_size is {size[0]} x {size[1]}, but {name} needs {least} x {least} or more; "
            "set it, or preprocess.classification_size, to such a size"
        )
    return attach_head(import_module(module).build(name, size), dropout)


def load_imagenet(name: str, classifier: "Classifier") -> None:
    """Give a classifier's backbone its published ImageNet weights.

    Raises:
        WeightsError: there are none, or they can be had neither from Keras's cache nor from the network.
    """
    import_module(_ARCHITECTURES[name][0]).load_imagenet(name, classifier.backbone)
