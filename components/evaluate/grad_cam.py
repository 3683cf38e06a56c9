"""Where on an image a classifier finds what it says: Grad-CAM (Selvaraju 2017), from the ONNX network alone.

The last maps are what global average pooling takes; each counts by the gradient of the diagnosis's logit, and what speaks against
the diagnosis is cut off at 0. Behind the pooling there are only dense layers, whose gradient is a product of their weights and of
which ReLUs are open; so no TensorFlow is needed. With one dense layer it is CAM (Zhou 2016). A network with soft attention pools
its maps and the attended ones side by side, and both count. Of several members the mean of their maps is given.

Mirror images at test time are not looked at: the map is that of the image as it is.
"""

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
from onnx import GraphProto, ModelProto, NodeProto, numpy_helper
from onnxruntime import InferenceSession

from components.images import RGBImage
from components.params import Size
from components.preprocess.normalise import normalise
from components.preprocess.resize import fit_input

Floats = npt.NDArray[np.float32]

_BATCH = 32


@dataclass(frozen=True)
class _Head:
    """What follows the last maps of a member: `layers` are weights, in x out, or names of what a ReLU gave."""

    maps: str
    layers: tuple[Floats | str, ...]


class GradCam:
    """A classifier, ready to be asked where it looks.

    Args:
        model: the network, a serialised ONNX model as `components.training` writes them.
        input_size: height, width that it sees.
    """

    def __init__(self, model: bytes, input_size: Size) -> None:
        network = ModelProto.FromString(model)
        self._heads = _find_heads(network.graph)
        self._size = input_size
        self._wanted = [name for head in self._heads for name in (head.maps, *_rectified(head))]
        for name in self._wanted:
            network.graph.output.add(name=name)
        self._session = InferenceSession(network.SerializeToString(), providers=["CPUExecutionProvider"]) if self._heads else None

    @property
    def knows(self) -> bool:
        """Whether the network ends in global average pooling and dense layers, so that it can be explained."""
        return self._session is not None

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
        assert self._session is not None
        seen = normalise(np.stack([fit_input(image, self._size) for image in pixels]))
        values = dict(zip(self._wanted, self._session.run(self._wanted, {"image": seen}), strict=True))
        summed = sum(_map_of(head, values, diagnoses) for head in self._heads)
        return np.asarray(summed / len(self._heads), np.float32)


def _map_of(head: _Head, values: dict[str, Floats], diagnoses: npt.NDArray[np.intp]) -> Floats:
    last = next(layer for layer in reversed(head.layers) if not isinstance(layer, str))
    gradient = np.eye(last.shape[1], dtype=np.float32)[diagnoses]
    for layer in reversed(head.layers):
        gradient = gradient * (values[layer] > 0) if isinstance(layer, str) else gradient @ layer.T
    maps = values[head.maps]
    weighed = np.einsum("nc,nchw->nhw", gradient / np.prod(maps.shape[2:]), maps)
    return np.asarray(np.maximum(weighed, 0), np.float32)


def _find_heads(graph: GraphProto) -> list[_Head]:
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


def _follow(maps: str, value: str, followers: dict[str, list[NodeProto]], weights: dict[str, object]) -> _Head | None:
    layers: list[Floats | str] = []
    while True:
        # What is given out beside the answer changes nothing of it.
        after = [node for node in followers.get(value, []) if node.op_type != "Identity"]
        if len(after) != 1 or after[0].op_type not in ("Gemm", "Relu", "Softmax"):
            return None
        (node,) = after
        if node.op_type == "Softmax":
            return _Head(maps, tuple(layers))
        value = node.output[0]
        layers.append(value if node.op_type == "Relu" else numpy_helper.to_array(weights[node.input[1]]))


def _rectified(head: _Head) -> list[str]:
    return [layer for layer in head.layers if isinstance(layer, str)]
