"""From a Keras model to ONNX, layer by layer.

Ours, because the way through tf2onnx (`model.export(format="onnx")`) traces the model again and rewrites its graph: measured on two
cores 35 s and 9.5 GB of memory for a ResNet50, 77 s and 13 GB for a ResNet152, more than a short training takes. Walking the layers
takes 0.6 and 1.7 s, and two copies of the weights. A layer that is not listed here is an error, never a guess.

Inside the ONNX graph images lie channels first, as its convolutions want them; its input and output lie channels last, as ours do.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt
from onnx import ModelProto, TensorProto, helper

from components.errors import BundleError
from components.training.backend import keras, layers
from components.training.batch_norm import BatchNormalization

INPUT = "image"
_OPSET = 17
# The oldest format that goes with the operator set, so that older runtimes read it too.
_IR_VERSION = 8


@dataclass(frozen=True)
class _Tensor:
    """A value of the graph: its ONNX name, and its shape as Keras has it (channels last)."""

    name: str
    shape: tuple[int | None, ...]


class _Graph:
    """What has been written so far, all in one place: onnx's helpers copy the weights with each part that they put together."""

    def __init__(self) -> None:
        self.model = ModelProto(ir_version=_IR_VERSION, producer_name="dermacare", opset_import=[helper.make_opsetid("", _OPSET)])
        self.model.graph.name = "dermacare"
        self._constants: set[str] = set()

    def add(self, operator: str, inputs: Sequence[str], output: str = "", **attributes: Any) -> str:
        """Append a node and return the name of its output."""
        nodes = self.model.graph.node
        name = output or f"{operator}_{len(nodes)}"
        nodes.append(helper.make_node(operator, list(inputs), [name], name=name, **attributes))
        return name

    def constant(self, name: str, value: npt.NDArray[Any]) -> str:
        """Store an array under a name, once."""
        if name not in self._constants:
            self._constants.add(name)
            data_type = helper.np_dtype_to_tensor_dtype(value.dtype)
            self.model.graph.initializer.add(name=name, dims=value.shape, data_type=data_type, raw_data=value.tobytes())
        return name


_Emitter = Callable[[_Graph, Any, list[_Tensor]], str]


def export_onnx(model: keras.Model, output: str, features: str | None = None) -> bytes:
    """Write a functional Keras model, one input and one output, as ONNX.

    Args:
        model: N x H x W x 3, or N x F; H and W fixed.
        output: name of the output.
        features: name of a second output, what the last layer sees, N x F; None: there is none.

    Returns:
        A serialised ONNX model, the same bytes for the same model: input `image`, float32, shaped as the Keras model's, any N.

    Raises:
        BundleError: a layer, or a setting of one, is not known here; the text names it.
    """
    graph = _Graph()
    config = model.get_config()
    tensors: dict[tuple[str, int], _Tensor] = {}
    waiting = [
        (entry["name"], node, _sources(call))
        for entry in config["layers"]
        for node, call in enumerate(entry["inbound_nodes"] or [None])
    ]
    inbound = {(name, node): sources for name, node, sources in waiting}
    while waiting:  # one round, unless a layer is used more than once
        later = []
        for name, node, sources in waiting:
            if all(source in tensors for source in sources):
                tensors[name, node] = _emit(graph, model.get_layer(name), [tensors[source] for source in sources])
            else:
                later.append((name, node, sources))
        waiting = later
    (last,) = _references(config["output_layers"])
    _finish(graph, model, tensors[last], output)
    if features is not None:
        (seen,) = inbound[last]
        graph.add("Identity", [tensors[seen].name], features)
        shape = ["N", *tensors[seen].shape[1:]]
        graph.model.graph.output.add().CopyFrom(helper.make_tensor_value_info(features, TensorProto.FLOAT, shape))
    serialised: bytes = graph.model.SerializeToString(deterministic=True)
    return serialised


def _sources(call: Any) -> list[tuple[str, int]]:
    """(layer, node) of each tensor that a layer was called with; none for an input layer."""
    if isinstance(call, dict):
        if call.get("class_name") == "__keras_tensor__":
            return _references(call["config"]["keras_history"])
        return [key for value in call.values() for key in _sources(value)]
    if isinstance(call, (list, tuple)):
        return [key for value in call for key in _sources(value)]
    return []


def _references(value: Any) -> list[tuple[str, int]]:
    """(layer, node) of each [layer, node, tensor], however deep they lie."""
    if isinstance(value[0], str):
        return [(value[0], int(value[1]))]
    return [key for part in value for key in _references(part)]


def _emit(graph: _Graph, layer: Any, inputs: list[_Tensor]) -> _Tensor:
    if isinstance(layer, layers.InputLayer):
        shape = tuple(layer.batch_shape)
        return _Tensor(graph.add("Transpose", [INPUT], perm=[0, 3, 1, 2]) if len(shape) == 4 else INPUT, shape)
    emitter = _EMITTERS.get(type(layer))
    if emitter is None:
        raise BundleError(
            f"{layer.name}: the ONNX export does not know the layer {type(layer).__name__}; "
            "add it to components/training/onnx_export.py"
        )
    shapes = [tensor.shape for tensor in inputs]
    return _Tensor(emitter(graph, layer, inputs), tuple(layer.compute_output_shape(shapes[0] if len(shapes) == 1 else shapes)))


def _finish(graph: _Graph, model: keras.Model, last: _Tensor, output: str) -> None:
    if len(last.shape) == 4:
        graph.add("Transpose", [last.name], output, perm=[0, 2, 3, 1])
    else:
        graph.add("Identity", [last.name], output)
    ends = ((graph.model.graph.input, INPUT, model.input_shape), (graph.model.graph.output, output, model.output_shape))
    for place, name, shape in ends:
        place.append(helper.make_tensor_value_info(name, TensorProto.FLOAT, ["N", *shape[1:]]))


# One function a kind of layer. Each appends its nodes and returns the name of the layer's output.


def _identity(graph: _Graph, layer: Any, inputs: list[_Tensor]) -> str:
    return inputs[0].name


def _rescaling(graph: _Graph, layer: Any, inputs: list[_Tensor]) -> str:
    scale = graph.constant(f"{layer.name}/scale", _by_channel(layer.scale))
    offset = graph.constant(f"{layer.name}/offset", _by_channel(layer.offset))
    return graph.add("Add", [graph.add("Mul", [inputs[0].name, scale]), offset])


def _convolution(graph: _Graph, layer: Any, inputs: list[_Tensor]) -> str:
    kernel = np.asarray(layer.kernel).transpose(3, 2, 0, 1)
    return _activate(graph, layer, _convolve(graph, layer, inputs[0], kernel, _bias(graph, layer), layer.groups), inputs[0])


def _depthwise_convolution(graph: _Graph, layer: Any, inputs: list[_Tensor]) -> str:
    kernel = _depthwise(np.asarray(layer.kernel))
    return _activate(graph, layer, _convolve(graph, layer, inputs[0], kernel, _bias(graph, layer), _channels(inputs[0])), inputs[0])


def _separable_convolution(graph: _Graph, layer: Any, inputs: list[_Tensor]) -> str:
    depth = _convolve(graph, layer, inputs[0], _depthwise(np.asarray(layer.depthwise_kernel)), [], _channels(inputs[0]))
    point = graph.constant(f"{layer.name}/pointwise", np.asarray(layer.pointwise_kernel).transpose(3, 2, 0, 1))
    return _activate(graph, layer, graph.add("Conv", [depth, point, *_bias(graph, layer)]), inputs[0])


def _transposed_convolution(graph: _Graph, layer: Any, inputs: list[_Tensor]) -> str:
    _require(layer, layer.output_padding is None and tuple(layer.dilation_rate) == (1, 1), "output_padding or dilation")
    begin, end, extra = [], [], []
    for size, stride in zip(layer.kernel_size, layer.strides, strict=True):
        # TensorFlow's "same" gives stride x input pixels; what the kernel reaches beyond them is cut off, the odd one at the end.
        cut = max(size - stride, 0) if layer.padding == "same" else 0
        begin.append(cut // 2)
        end.append(cut - cut // 2)
        extra.append(max(stride - size, 0))
    kernel = graph.constant(f"{layer.name}/kernel", np.asarray(layer.kernel).transpose(3, 2, 0, 1))
    operands = [inputs[0].name, kernel, *_bias(graph, layer)]
    output = graph.add("ConvTranspose", operands, strides=list(layer.strides), pads=begin + end, output_padding=extra)
    return _activate(graph, layer, output, inputs[0])


def _batch_normalisation(graph: _Graph, layer: Any, inputs: list[_Tensor]) -> str:
    _require(layer, layer.axis in (-1, len(inputs[0].shape) - 1), f"axis={layer.axis}")
    mean, variance = np.asarray(layer.moving_mean), np.asarray(layer.moving_variance)
    values = {
        "gamma": np.asarray(layer.gamma) if layer.scale else np.ones_like(mean),
        "beta": np.asarray(layer.beta) if layer.center else np.zeros_like(mean),
        "mean": mean,
        "variance": variance,
    }
    constants = [graph.constant(f"{layer.name}/{name}", value) for name, value in values.items()]
    return graph.add("BatchNormalization", [inputs[0].name, *constants], epsilon=layer.epsilon)


def _dense(graph: _Graph, layer: Any, inputs: list[_Tensor]) -> str:
    _require(layer, len(inputs[0].shape) == 2, f"input of {len(inputs[0].shape)} dimensions")
    operands = [inputs[0].name, graph.constant(f"{layer.name}/kernel", np.asarray(layer.kernel)), *_bias(graph, layer)]
    return _activate(graph, layer, graph.add("Gemm", operands), inputs[0])


def _relu(graph: _Graph, layer: Any, inputs: list[_Tensor]) -> str:
    _require(layer, layer.negative_slope == 0 and layer.threshold == 0, "negative_slope or threshold")
    if layer.max_value is None:
        return graph.add("Relu", [inputs[0].name])
    return _clip(graph, inputs[0].name, float(layer.max_value))


def _activation(graph: _Graph, layer: Any, inputs: list[_Tensor]) -> str:
    return _activate(graph, layer, inputs[0].name, inputs[0])


def _softmax(graph: _Graph, layer: Any, inputs: list[_Tensor]) -> str:
    """Over the places of each channel."""
    shape = inputs[0].shape
    _require(layer, tuple(layer.axis) == (1, 2) if isinstance(layer.axis, (list, tuple)) else False, f"axis={layer.axis}")
    _require(layer, len(shape) == 4 and None not in shape[1:3], "an image size that is not fixed")
    flat = graph.constant("shape/flat", np.array([0, 0, -1], np.int64))
    back = graph.constant(f"{layer.name}/shape", np.array([0, 0, *shape[1:3]], np.int64))
    return graph.add("Reshape", [graph.add("Softmax", [graph.add("Reshape", [inputs[0].name, flat])], axis=2), back])


def _max_pooling(graph: _Graph, layer: Any, inputs: list[_Tensor]) -> str:
    pads = _pads(layer, inputs[0], layer.pool_size, layer.strides, (1, 1))
    return graph.add("MaxPool", [inputs[0].name], kernel_shape=list(layer.pool_size), strides=list(layer.strides), pads=pads)


def _global_average_pooling(graph: _Graph, layer: Any, inputs: list[_Tensor]) -> str:
    pooled = graph.add("GlobalAveragePool", [inputs[0].name])
    return pooled if layer.keepdims else graph.add("Flatten", [pooled])


def _zero_padding(graph: _Graph, layer: Any, inputs: list[_Tensor]) -> str:
    (top, bottom), (left, right) = layer.padding
    pads = graph.constant(f"{layer.name}/pads", np.array([0, 0, top, left, 0, 0, bottom, right], np.int64))
    return graph.add("Pad", [inputs[0].name, pads])


def _upsampling(graph: _Graph, layer: Any, inputs: list[_Tensor]) -> str:
    settings = {
        "nearest": {"mode": "nearest", "coordinate_transformation_mode": "asymmetric", "nearest_mode": "floor"},
        "bilinear": {"mode": "linear", "coordinate_transformation_mode": "half_pixel"},
    }
    _require(layer, layer.interpolation in settings, f"interpolation={layer.interpolation}")
    scales = graph.constant(f"{layer.name}/scales", np.array([1, 1, *layer.size], np.float32))
    return graph.add("Resize", [inputs[0].name, "", scales], **settings[layer.interpolation])


def _concatenate(graph: _Graph, layer: Any, inputs: list[_Tensor]) -> str:
    _require(layer, layer.axis in (-1, len(inputs[0].shape) - 1), f"axis={layer.axis}")
    return graph.add("Concat", [tensor.name for tensor in inputs], axis=1)


def _elementwise(operator: str) -> _Emitter:
    def emit(graph: _Graph, layer: Any, inputs: list[_Tensor]) -> str:
        _require(layer, len({len(tensor.shape) for tensor in inputs}) == 1, "inputs of different dimensions")
        result = inputs[0].name
        for tensor in inputs[1:]:
            result = graph.add(operator, [result, tensor.name])
        return result

    return emit


_EMITTERS: dict[type, _Emitter] = {
    layers.Dropout: _identity,
    layers.Rescaling: _rescaling,
    layers.Conv2D: _convolution,
    layers.DepthwiseConv2D: _depthwise_convolution,
    layers.SeparableConv2D: _separable_convolution,
    layers.Conv2DTranspose: _transposed_convolution,
    layers.BatchNormalization: _batch_normalisation,
    BatchNormalization: _batch_normalisation,
    layers.Dense: _dense,
    layers.ReLU: _relu,
    layers.Activation: _activation,
    layers.Softmax: _softmax,
    layers.MaxPooling2D: _max_pooling,
    layers.GlobalAveragePooling2D: _global_average_pooling,
    layers.ZeroPadding2D: _zero_padding,
    layers.UpSampling2D: _upsampling,
    layers.Concatenate: _concatenate,
    layers.Add: _elementwise("Add"),
    layers.Multiply: _elementwise("Mul"),
}


def _activate(graph: _Graph, layer: Any, value: str, of: _Tensor) -> str:
    """Apply the layer's own activation to a value of as many dimensions as `of`."""
    name = layer.activation.__name__
    _require(layer, name in ("linear", "relu", "relu6", "sigmoid", "softmax"), f"activation={name}")
    if name == "linear":
        return value
    if name == "relu6":
        return _clip(graph, value, 6.0)
    if name == "softmax":
        return graph.add("Softmax", [value], axis=1)
    return graph.add({"relu": "Relu", "sigmoid": "Sigmoid"}[name], [value])


def _clip(graph: _Graph, value: str, top: float) -> str:
    limits = [graph.constant(f"limit/{limit:g}", np.array(limit, np.float32)) for limit in (0.0, top)]
    return graph.add("Clip", [value, *limits])


def _convolve(graph: _Graph, layer: Any, image: _Tensor, kernel: npt.NDArray[Any], bias: list[str], groups: int) -> str:
    operands = [image.name, graph.constant(f"{layer.name}/kernel", kernel), *bias]
    pads = _pads(layer, image, layer.kernel_size, layer.strides, layer.dilation_rate)
    return graph.add("Conv", operands, strides=list(layer.strides), dilations=list(layer.dilation_rate), pads=pads, group=groups)


def _pads(layer: Any, image: _Tensor, kernel: Sequence[int], strides: Sequence[int], dilations: Sequence[int]) -> list[int]:
    """What TensorFlow's padding adds at the top, left, bottom and right: of an odd number the larger part at the end."""
    if layer.padding == "valid":
        return [0, 0, 0, 0]
    begin, end = [], []
    for side, size, stride, dilation in zip(image.shape[1:3], kernel, strides, dilations, strict=True):
        _require(layer, side is not None, "an image size that is not fixed")
        assert side is not None
        reach = (size - 1) * dilation + 1
        missing = max((-(-side // stride) - 1) * stride + reach - side, 0)
        begin.append(missing // 2)
        end.append(missing - missing // 2)
    return begin + end


def _by_channel(value: Any) -> npt.NDArray[np.float32]:
    array = np.asarray(value, np.float32)
    return array.reshape(-1, 1, 1) if array.ndim else array


def _depthwise(kernel: npt.NDArray[Any]) -> npt.NDArray[Any]:
    height, width, channels, multiplier = kernel.shape
    return kernel.transpose(2, 3, 0, 1).reshape(channels * multiplier, 1, height, width)


def _bias(graph: _Graph, layer: Any) -> list[str]:
    return [graph.constant(f"{layer.name}/bias", np.asarray(layer.bias))] if layer.use_bias else []


def _channels(image: _Tensor) -> int:
    channels = image.shape[-1]
    assert channels is not None
    return channels


def _require(layer: Any, holds: bool, what: str) -> None:
    if not holds:
        raise BundleError(
            f"{layer.name}: the ONNX export does not know {type(layer).__name__} with {what}; "
            "add it to components/training/onnx_export.py"
        )
