"""ResNet50, 101 and 152 (He 2015) as Keras builds them, from images of RGB in 0 to 1.

The published ImageNet weights want BGR, 0 to 255, less the mean of ImageNet. The scale and the mean are the network's first layer,
whatever the weights (it counts no parameter), so that one graph serves both, and training, ONNX and serving need no second
preprocessing. The order of the colours is turned once, in the first convolution's kernel, when the weights are loaded.
"""

import os
import socket
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from components.errors import WeightsError
from components.training.backend import keras, layers
from components.training.batch_norm import fuse

# Mean of ImageNet's pixels in RGB, 0 to 255 (Simonyan 2014; `keras.applications.imagenet_utils`, mode "caffe").
_MEAN = (123.68, 116.779, 103.939)
_FIRST = "conv1_conv"
# Seconds without an answer after which the download is given up.
_PATIENCE = 10.0

_NETWORKS = {
    "resnet50": keras.applications.ResNet50,
    "resnet101": keras.applications.ResNet101,
    "resnet152": keras.applications.ResNet152,
}


def build(name: str, size: tuple[int, int] | tuple[None, None]) -> keras.Model:
    """Build an untrained backbone.

    Args:
        name: resnet50, resnet101 or resnet152.
        size: height, width in pixels, 32 or more; (None, None): any.

    Returns:
        N x H x W x 3, float32, RGB, 0 to 1 → N x 2048, the mean over the last feature map.
    """
    image = keras.Input((*size, 3), name="image")
    centred = layers.Rescaling(255.0, [-mean for mean in _MEAN])(image)
    network = _NETWORKS[name](include_top=False, weights=None, input_tensor=centred, pooling="avg")
    return fuse(keras.Model(image, network.output))


def load_imagenet(name: str, network: keras.Model) -> None:
    """Give a backbone, or a network built on one, the weights that Keras publishes, from its cache or the network.

    Raises:
        WeightsError: they are not in the cache, and cannot be fetched.
    """
    try:
        with _short_patience():
            published = _NETWORKS[name](include_top=False, weights="imagenet", pooling="avg")
    except Exception as error:  # Keras raises a bare Exception where a download fails
        raise WeightsError(
            f"{name}: its ImageNet weights are not in {_cache()} and cannot be fetched ({error}); connect to a network once"
        ) from error
    take_published(network, published)


def take_published(network: keras.Model, published: keras.Model) -> None:
    """Give the layers of a network the weights of those that Keras calls the same, which were made for BGR images."""
    names = {layer.name for layer in network.layers}
    for layer in published.layers:
        weights = layer.get_weights()
        if layer.name == _FIRST:
            weights = [weights[0][:, :, ::-1, :], *weights[1:]]
        if weights and layer.name in names:
            network.get_layer(layer.name).set_weights(weights)


def is_here(name: str) -> bool:
    """Whether its published weights lie in Keras's cache."""
    return (_cache() / f"{name}_weights_tf_dim_ordering_tf_kernels_notop.h5").is_file()


def _cache() -> Path:
    return Path(os.environ.get("KERAS_HOME", "~/.keras")).expanduser() / "models"


@contextmanager
def _short_patience() -> Iterator[None]:
    before = socket.getdefaulttimeout()
    socket.setdefaulttimeout(_PATIENCE)
    try:
        yield
    finally:
        socket.setdefaulttimeout(before)
