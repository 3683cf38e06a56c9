"""A network in 8-bit integers, a quarter of the size and about twice as fast on processors that multiply them (Jacob 2018).

Weights are scaled channel by channel, what flows between layers by the range that it has on images that the network learned from.
Weights have seven bits, since older processors overflow on eight. The first layer, with what the image goes through before it,
stays in float32, since an error there goes through all others and little time is spent there; so does what answers: the head of a
classifier, by which it can be explained, and the last layer of a segmenter, whose probabilities would come in steps.
"""

import tempfile
from collections.abc import Iterable, Iterator
from pathlib import Path

import numpy as np
import numpy.typing as npt
from onnx import ModelProto
from onnxruntime.quantization import CalibrationDataReader, QuantFormat, QuantType, quantize_static
from onnxruntime.quantization.shape_inference import quant_pre_process

from components.training.onnx_export import INPUT

Floats = npt.NDArray[np.float32]

# What the time goes into, and what lies between such layers.
_LAYERS = ["Conv", "Add", "Concat", "MaxPool", "Resize"]


def quantise(model: bytes, images: Iterable[Floats]) -> bytes:
    """Turn a network's layers into 8-bit integers.

    Args:
        model: a serialised ONNX model as `export_onnx` or `average` writes it.
        images: batches of what it looks at, N x H x W x 3, float32, 0 to 1, one or more.

    Returns:
        A serialised ONNX model of the same input and outputs; the same bytes for the same arguments.
    """
    with tempfile.TemporaryDirectory(prefix="dermacare-") as place:
        plain, folded, small = (Path(place) / f"{name}.onnx" for name in ("plain", "folded", "small"))
        plain.write_bytes(model)
        # Batch norm becomes part of the convolution before it.
        quant_pre_process(plain, folded, skip_symbolic_shape=True)
        quantize_static(
            folded,
            small,
            _Images(images),
            quant_format=QuantFormat.QDQ,
            op_types_to_quantize=_LAYERS,
            nodes_to_exclude=_first_and_last(ModelProto.FromString(folded.read_bytes())),
            per_channel=True,
            reduce_range=True,
            activation_type=QuantType.QUInt8,
            weight_type=QuantType.QInt8,
        )
        return _without_origin(small.read_bytes())


class _Images(CalibrationDataReader):  # type: ignore[misc]
    """Batches, one after the other."""

    def __init__(self, images: Iterable[Floats]) -> None:
        self._images: Iterator[Floats] = iter(images)

    def get_next(self) -> dict[str, Floats] | None:
        """The next batch; None: that was all."""
        batch = next(self._images, None)
        return None if batch is None else {INPUT: batch}


def _first_and_last(network: ModelProto) -> list[str]:
    """Names of the nodes from the image to the convolutions that see it, and of the convolutions whose result becomes a probability
    at once."""
    answered = {node.input[0] for node in network.graph.node if node.op_type == "Sigmoid"}
    image, names = {INPUT}, []
    for node in network.graph.node:  # in the order in which they run
        sees = any(name in image for name in node.input)
        if sees or (node.op_type == "Conv" and node.output[0] in answered):
            names.append(node.name)
        if sees and node.op_type != "Conv":
            image |= set(node.output)
    return names


def _without_origin(model: bytes) -> bytes:
    """The model without notes of what made it and where."""
    network = ModelProto.FromString(model)
    network.ClearField("producer_name")
    network.ClearField("producer_version")
    del network.metadata_props[:]
    serialised: bytes = network.SerializeToString(deterministic=True)
    return serialised
