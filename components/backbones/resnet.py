"""ResNet50, 101 and 152 (He 2015) as Keras builds them, from images of RGB in 0 to 1.

The published ImageNet weights want BGR, 0 to 255, less the mean of ImageNet. The scale and the mean are the network's first layer,
whatever the weights (it counts no parameter), so that one graph serves both, and training, ONNX and serving need no second
preprocessing. The order of the colours is turned once, in the first convolution's kernel, when the weights are loaded.
"""

import socket
from collections.abc import Iterator
from contextlib import contextmanager

import numpy as np

from components.errors import WeightsError
from components.training.backend import keras, layers

# Mean of ImageNet's pixels in RGB, 0 to 255 (Simonyan 2014; `keras.applications.imagenet_utils`, mode "caffe").
_MEAN = (123.68, 116.779, 103.939)
# PyTorch's choice; with Keras's 0.99 a short training ends before the running averages arrive.
_MOMENTUM = 0.9
# Seconds without an answer after which the download is given up.
_PATIENCE = 10.0

_NETWORKS = {
    "resnet50": keras.applications.ResNet50,
    "resnet101": keras.applications.ResNet101,
    "resnet152": keras.applications.ResNet152,
}


def build(name: str, size: tuple[int, int]) -> keras.Model:
    """Build an untrained backbone.

    Args:
        name: resnet50, resnet101 or resnet152.
        size: height, width in pixels, 32 or more.

    Returns:
        N x H x W x 3, float32, RGB, 0 to 1 → N x 2048, the mean over the last feature map.
    """
    image = keras.Input((*size, 3), name="image")
    centred = layers.Rescaling(255.0, [-mean for mean in _MEAN])(image)
    network = _NETWORKS[name](include_top=False, weights=None, input_tensor=centred, pooling="avg")
    for layer in network.layers:
        if isinstance(layer, layers.BatchNormalization):
            layer.momentum = _MOMENTUM
    return keras.Model(image, network.output)


def load_imagenet(name: str, backbone: keras.Model) -> None:
    """Give a backbone the weights that Keras publishes, from its cache (~/.keras/models) or the network.

    Raises:
        WeightsError: they are not in the cache, and cannot be fetched.
    """
    try:
        with _short_patience():
            published = _NETWORKS[name](include_top=False, weights="imagenet", pooling="avg")
    except Exception as error:  # Keras raises a bare Exception where a download fails
        raise WeightsError(
            f"{name}: its ImageNet weights are not in ~/.keras/models and cannot be fetched ({error}); connect to a network once, "
            "or train from nothing with --set train_classifier.weights=none"
        ) from error
    take_published(backbone, published.get_weights())


def take_published(backbone: keras.Model, weights: list[np.ndarray[tuple[int, ...], np.dtype[np.float32]]]) -> None:
    """Give a backbone weights that were made for BGR images."""
    first, *others = weights
    backbone.set_weights([first[:, :, ::-1, :], *others])


@contextmanager
def _short_patience() -> Iterator[None]:
    before = socket.getdefaulttimeout()
    socket.setdefaulttimeout(_PATIENCE)
    try:
        yield
    finally:
        socket.setdefaulttimeout(before)
