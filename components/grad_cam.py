"""Where on an image a classifier finds what it says: Grad-CAM (Selvaraju 2017), from the ONNX network alone.

The last maps are what global average pooling takes; each counts by the gradient of the diagnosis's logit, and what speaks against
the diagnosis is cut off at 0. Behind the pooling there are only dense layers, whose gradient is a product of their weights and of
which ReLUs are open; so no TensorFlow is needed. With one dense layer it is CAM (Zhou 2016). A network with soft attention pools
its maps and the attended ones side by side, and both count. Of several members the mean of their maps is given.

Mirror images at test time are not looked at: the map is that of the image as it is.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
import numpy.typing as npt

from components.files import atomic_write
from components.images import RGBImage
from components.params import Size
from components.preprocess.normalise import normalise
from components.preprocess.resize import fit_input

if TYPE_CHECKING:
    from onnx import GraphProto, NodeProto

Floats = npt.NDArray[np.float32]
Run = Callable[[Sequence[str], Floats], Sequence[Floats]]
"""Gives values of a network by their names: `components.bundle.Bundle.values`."""

_BATCH = 32


@dataclass(frozen=True)
class Head:
    """What follows the last maps of a member: `layers` are weights, in x out, or names of what a ReLU gave."""

    maps: str
    layers: tuple[Floats | str, ...]

    @property
    def names(self) -> list[str]:
        """Of the network's values that are looked at."""
        return [self.maps, *(layer for layer in self.layers if isinstance(layer, str))]


def explained(model: bytes) -> tuple[bytes, tuple[Head, ...]]:
    """A network that gives out what Grad-CAM looks at besides its answers, and its heads.

    Args:
        model: a serialised ONNX model as `components.training` writes them.

    Returns:
        The serialised network, and no head where it does not end in global average pooling and dense layers, so that it cannot be
        explained.
    """
    from onnx import ModelProto

    network = ModelProto.FromString(model)
    heads = _find_heads(network.graph)
    known = {output.name for output in network.graph.output}
    for name in dict.fromkeys(name for head in heads for name in head.names):
        if name not in known:
            network.graph.output.add(name=name)
    return network.SerializeToString(), tuple(heads)


def write_heads(path: Path, heads: Sequence[Head]) -> None:
    """Write heads as a .npz without pickle."""
    parts = {f"{place}/maps": np.array(head.maps) for place, head in enumerate(heads)}
    for place, head in enumerate(heads):
        parts |= {f"{place}/{number:03d}": np.asarray(layer) for number, layer in enumerate(head.layers)}
    with atomic_write(path) as handle:
        np.savez(handle, allow_pickle=False, **parts)


def read_heads(path: Path) -> tuple[Head, ...]:
    """Read what `write_heads` wrote."""
    with np.load(path, allow_pickle=False) as parts:
        names = sorted(parts.files)
        count = sum(name.endswith("/maps") for name in names)
        layers = [[parts[name] for name in names if name.startswith(f"{place}/0")] for place in range(count)]
        return tuple(
            Head(str(parts[f"{place}/maps"]), tuple(str(one) if one.dtype.kind == "U" else one for one in layers[place]))
            for place in range(count)
        )


class GradCam:
    """A classifier, ready to be asked where it looks.

    Args:
        run: gives the values that `heads` name.
        heads: of the network; none: it cannot be explained.
        input_size: height, width that it sees.
    """

    def __init__(self, run: Run, heads: Sequence[Head], input_size: Size) -> None:
        self._run = run
        self._heads = heads
        self._size = input_size
        self._wanted = list(dict.fromkeys(name for head in heads for name in head.names))

    @classmethod
    def of_model(cls, model: bytes, input_size: Size) -> "GradCam":
        """Of a network by itself; arguments as of `explained` and the class."""
        from onnxruntime import InferenceSession

        network, heads = explained(model)
        session = InferenceSession(network, providers=["CPUExecutionProvider"]) if heads else None

        def run(names: Sequence[str], pixels: Floats) -> Sequence[Floats]:
            assert session is not None
            values: Sequence[Floats] = session.run(list(names), {"image": pixels})
            return values

        return cls(run, heads, input_size)

    @property
    def knows(self) -> bool:
        """Whether the network ends in global average pooling and dense layers, so that it can be explained."""
        return bool(self._heads)

    def maps(self, pixels: RGBImage, diagnoses: npt.NDArray[np.intp]) -> Floats:
        """How much each place speaks for a diagnosis.

        Args:
            pixels: N x H x W x 3, uint8, preprocessed, as `Dataset.images` gives them.
            diagnoses: N, the place of the diagnosis of each image in the order of `CODES`.

        Returns:
            N x h x w, 0 or more, of the size of the network's last maps; all 0 where nothing speaks for it.
        """
        parts = [
            self._batch(pixels[start : start + _BATCH], diagnoses[start : start + _BATCH])
            for start in range(0, len(pixels), _BATCH)
        ]
        return np.concatenate(parts)

    def _batch(self, pixels: RGBImage, diagnoses: npt.NDArray[np.intp]) -> Floats:
        seen = normalise(np.stack([fit_input(image, self._size) for image in pixels]))
        values = dict(zip(self._wanted, self._run(self._wanted, seen), strict=True))
        summed = sum(_map_of(head, values, diagnoses) for head in self._heads)
        return np.asarray(summed / len(self._heads), np.float32)


def _map_of(head: Head, values: dict[str, Floats], diagnoses: npt.NDArray[np.intp]) -> Floats:
    last = next(layer for layer in reversed(head.layers) if not isinstance(layer, str))
    gradient = np.eye(last.shape[1], dtype=np.float32)[diagnoses]
    for layer in reversed(head.layers):
        gradient = gradient * (values[layer] > 0) if isinstance(layer, str) else gradient @ layer.T
    maps = values[head.maps]
    weighed = np.einsum("nc,nchw->nhw", gradient / np.prod(maps.shape[2:]), maps)
    return np.asarray(np.maximum(weighed, 0), np.float32)


def _find_heads(graph: "GraphProto") -> list[Head]:
    """The head of every member; none where one of them is not pooling, flattening, dense layers and a softmax."""
    weights = {tensor.name: tensor for tensor in graph.initializer}
    followers: dict[str, list[NodeProto]] = {}
    for node in graph.node:
        for name in node.input:
            followers.setdefault(name, []).append(node)
    # Pooling that is not flattened belongs to the layers before, which scale their channels by it.
    pooled = [node for node in graph.node if node.op_type == "GlobalAveragePool"]
    flat = [(pool, after) for pool in pooled for after in followers.get(pool.output[0], []) if after.op_type == "Flatten"]
    heads = [_follow(pool.input[0], after.output[0], followers, weights) for pool, after in flat]
    known = [head for head in heads if head is not None]
    return known if len(known) == len(heads) else []


def _follow(maps: str, value: str, followers: "dict[str, list[NodeProto]]", weights: dict[str, object]) -> Head | None:
    from onnx import numpy_helper

    layers: list[Floats | str] = []
    while True:
        # What is given out beside the answer changes nothing of it.
        after = [node for node in followers.get(value, []) if node.op_type != "Identity"]
        if len(after) != 1 or after[0].op_type not in ("Gemm", "Relu", "Softmax"):
            return None
        (node,) = after
        if node.op_type == "Softmax":
            return Head(maps, tuple(layers))
        value = node.output[0]
        layers.append(value if node.op_type == "Relu" else numpy_helper.to_array(weights[node.input[1]]))
