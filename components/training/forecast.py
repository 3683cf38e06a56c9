"""What memory a training will take, told before the first step, and a clear no where the machine has less.

Counted from the network itself: its weights, gradients, Adam's two moments, the copies of the best and of the newest epoch, the
running mean; what gradients need of a batch; batches that wait; features of a frozen backbone. Held against the peak of resident
memory of trainings of two epochs with their checkpoints (TensorFlow 2.21, two cores), in MiB:

    network                  image     batch   ema   measured  foretold
    resnet50                 224x224   8       no    1308      1315
    resnet50                 128x128   32      yes   1679      1835
    efficientnet_lite0       224x224   16      no    1236      1286
    unet_plain               256x256   4       no    543       550
    unet_plain               128x128   16      yes   631       614
    tiny_cnn                 64x64     32      no    56        70
    unet_tiny                64x64     32      no    118       128
    resnet101                64x64     32      no    1164      1420
    efficientnet_lite2       128x128   16      yes   822       876
    unet_resnet50            96x96     8       no    1011      999
    unet_dilated             96x128    16      no    450       442

The constants below were set on the first seven; the others were measured afterwards.

The process's own 0.7 GiB are there already when this is asked.
"""

import math
from collections.abc import Callable
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any

import psutil

from components.cores import usable_cores
from components.errors import MachineError
from components.params import TrainClassifierParams, TrainUnetParams
from components.quantities import size
from components.reporter import Reporter
from components.training.backend import keras, layers
from components.training.feed import Feed

import tensorflow as tf  # isort: skip  # after Keras, whose import sets how TensorFlow runs

_FLOAT = 4
# Gradients, two moments, the best epoch's weights and the newest's.
_COPIES = 5
# The running mean, and what changes places with it.
_COPIES_OF_MEAN = 2
# Where the gradient is at the largest layer: its output, that of its batch norm, the gradients of both.
_PASSING = 3
# Graphs, kernels and threads: measured, much the same for small networks and for deep ones.
_GRAPH, _GRAPH_A_LAYER = 30 << 20, 650 << 10
# Layers whose gradient needs their output; all that have weights need their input.
_NEED_OUTPUT = (layers.ReLU, layers.Activation, layers.Softmax, layers.MaxPooling2D, layers.Dropout)


@dataclass(frozen=True)
class Memory:
    """Bytes that a training will take beyond those of the built model: a fixed part, and more for each image of a batch."""

    fixed: int
    image: int

    def at(self, batch_size: int) -> int:
        """Bytes with batches of this size."""
        return self.fixed + batch_size * self.image


def training_memory(model: keras.Model, image: tuple[int, ...], ema: bool) -> Memory:
    """What training all layers of a model takes.

    Args:
        model: built.
        image: height, width, channels that it will see.
        ema: whether there is a running mean of the weights.
    """
    weights = _FLOAT * sum(math.prod(variable.shape) for variable in model.variables)
    kept, largest, count = _kept_for_gradients(model, image)
    batch = math.prod(image) + math.prod(side or image[place] for place, side in enumerate(model.output_shape[1:]))
    waiting = batch * (usable_cores() + 1)
    fixed = weights * (_COPIES + _COPIES_OF_MEAN * ema) + _GRAPH + _GRAPH_A_LAYER * count * (1 + ema)
    return Memory(fixed, _FLOAT * (kept + _PASSING * largest + waiting))


def features_memory(backbone: keras.Model, image: tuple[int, ...], samples: int, batch_size: int) -> int:
    """What phase 1 takes: the features of all samples, twice while they are joined, and a batch on its way through the backbone."""
    _, largest, count = _kept_for_gradients(backbone, image)
    features = math.prod(_shapes(backbone, image)[id(backbone.outputs[0])])
    return 2 * _FLOAT * samples * features + _FLOAT * batch_size * _PASSING * largest + _GRAPH + _GRAPH_A_LAYER * count


def available_memory(root: Path = Path("/sys/fs/cgroup")) -> int:
    """Bytes that this process may still take: what the machine has free, or less where a control group (a container) sets a limit.

    Args:
        root: where control groups are mounted, of version 2 or 1.
    """
    free = psutil.virtual_memory().available
    for folder, limit, used, pages in (
        (root, "memory.max", "memory.current", "file"),
        (root / "memory", "memory.limit_in_bytes", "memory.usage_in_bytes", "cache"),
    ):
        if (folder / limit).exists():
            most = (folder / limit).read_text().strip()
            if most != "max":
                # Pages of files count as used, and are given back when memory is wanted.
                files = dict(line.split() for line in (folder / "memory.stat").read_text().splitlines())[pages]
                free = min(free, int(most) - int((folder / used).read_text()) + int(files))
    return max(free, 0)


def memory_to_train_in() -> int:
    """Bytes that a training of this process may take: what is free, and what trainings before it left to the process.

    TensorFlow gives back little of what a training took, and the next one, of another member say, takes it again. How much that is
    shows in how the process has grown since this was asked first, its pages of files aside: they count as free.
    """
    first = _own_memory_at_first()
    return available_memory() + max(_own_memory() - first, 0)


@cache
def _own_memory_at_first() -> int:
    return _own_memory()


def _own_memory() -> int:
    """Resident bytes of this process without pages of files."""
    memory = psutil.Process().memory_info()
    return int(memory.rss - getattr(memory, "shared", 0))  # Linux alone tells the latter


def check_memory(
    model: keras.Model,
    feed: Feed,
    params: TrainUnetParams | TrainClassifierParams,
    reporter: Reporter,
    backbone: keras.Model | None = None,
    available: Callable[[], int] = memory_to_train_in,
) -> None:
    """Tell what memory training will take.

    Args:
        model: built, not trained.
        feed: what it will be trained on.
        params: how; `models` holds one name.
        reporter: is told.
        backbone: of a classifier, whose features phase 1 holds in memory.
        available: gives the bytes that it may take.

    Raises:
        MachineError: it is more than there is. Where a GPU trains, its own memory is left to itself (`devices.enough_memory`).
    """
    image = (*feed.size, 3)
    memory, free = training_memory(model, image, params.ema is not None), available()
    need = memory.at(params.batch_size) if params.epochs else 0
    features = 0
    if isinstance(params, TrainClassifierParams) and params.frozen_epochs and backbone is not None:
        features = features_memory(backbone, image, feed.train.samples + len(feed.rows.judged), params.batch_size)
    if tf.config.list_physical_devices("GPU"):
        # What a GPU has too little of it says itself; features lie in the machine's memory.
        need = 0
    if max(need, features):
        reporter.message(f"training will take about {size(max(need, features))} of memory; {size(free)} are free")
    if max(need, features) <= free:
        return
    section = "train_classifier" if isinstance(params, TrainClassifierParams) else "train_unet"
    what = f"{params.models[0]} at {image[0]} x {image[1]} with batches of {params.batch_size}"
    lacks = f"needs about {size(max(need, features))} of memory, and {size(free)} are free"
    raise MachineError(f"{what} {lacks}; {_way_out(section, memory, features, free)}")


def _way_out(section: str, memory: Memory, features: int, free: int) -> str:
    if features > free:
        return (
            f"the features of phase 1 alone take {size(features)}: set {section}.frozen_epochs to 0, or augment_balance.max_images"
        )
    fits = (free - memory.fixed) // memory.image
    if fits < 1:
        return f"not even one image fits: set {section}.input_size smaller, train a smaller model, or use a larger machine"
    return f"set {section}.batch_size to {fits} or less, or {section}.input_size smaller"


def _kept_for_gradients(model: keras.Model, image: tuple[int, ...]) -> tuple[int, int, int]:
    """Of one image: numbers kept from the way forwards for the way back, and those of the largest layer; and how many layers."""
    sizes, nodes = {tensor: math.prod(shape) for tensor, shape in _shapes(model, image).items()}, _nodes(model)
    kept, within = set(), 0
    for node in nodes:
        given, made = {id(tensor) for tensor in node.input_tensors}, {id(tensor) for tensor in node.outputs}
        kept |= given if node.operation.weights else set()
        kept |= made if isinstance(node.operation, _NEED_OUTPUT) else set()
        if isinstance(node.operation, layers.SeparableConv2D):  # between its two convolutions
            within += sum(sizes[tensor] for tensor in given)
    return sum(sizes[tensor] for tensor in kept) + within, max(sizes.values()), len(nodes)


def _shapes(model: keras.Model, image: tuple[int, ...]) -> dict[int, tuple[int, ...]]:
    """Shape of one image's part of each tensor of a network, by the tensor's id."""
    shapes: dict[int, tuple[int, ...]] = {}
    for node in _nodes(model):
        if node.is_input:
            shapes[id(node.outputs[0])] = image
            continue
        given = [(1, *shapes[id(tensor)]) for tensor in node.input_tensors]
        answer = node.operation.compute_output_shape(given[0] if len(given) == 1 else given)
        shapes[id(node.outputs[0])] = tuple(answer[1:])
    return shapes


def _nodes(model: keras.Model) -> list[Any]:
    """The calls of layers that a network is made of, from the image on; Keras runs them by this table of its own."""
    return [node for depth in sorted(model._nodes_by_depth, reverse=True) for node in model._nodes_by_depth[depth]]
