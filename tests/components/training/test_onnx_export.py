"""The exporter against Keras itself: each kind of layer, each architecture."""

from collections.abc import Callable
from typing import Any

import numpy as np
import numpy.typing as npt
import onnx
import pytest
from onnxruntime import InferenceSession

from components.errors import BundleError
from components.train_classifier.objective import DIAGNOSES
from components.train_classifier.registry import build as build_classifier
from components.train_unet.losses import MASKS
from components.train_unet.registry import build as build_unet
from components.training.backend import keras, layers
from components.training.loop import Trainer
from components.training.objective import Objective
from components.training.onnx_export import export_onnx
from components.training.phase import phase_of
from tests.trainings import classifier_params

Layer = Callable[[Any], Any]


def stack(*parts: Layer, size: tuple[int, int, int] = (9, 12, 3)) -> Any:
    image = tensor = keras.Input(size)
    for part in parts:
        tensor = part(tensor)
    return keras.Model(image, tensor)


def unsettle(model: Any) -> None:
    """Give every weight, batch norm's statistics included, a value of its own, as training does."""
    rng = np.random.default_rng(0)
    model.set_weights([weight + rng.uniform(0.05, 0.3, weight.shape).astype(np.float32) for weight in model.get_weights()])


def images_for(model: Any, count: int = 3) -> npt.NDArray[np.float32]:
    return np.random.default_rng(1).random((count, *model.input_shape[1:]), np.float32)


def assert_same(model: Any, output: str = "answer") -> None:
    content = export_onnx(model, output)
    onnx.checker.check_model(content, full_check=True)
    images = images_for(model)
    session = InferenceSession(content, providers=["CPUExecutionProvider"])
    theirs = np.array(model(images, training=False))
    np.testing.assert_allclose(session.run([output], {"image": images})[0], theirs, atol=1e-4, rtol=1e-4)
    assert theirs.std() > 1e-3, "the comparison would say nothing"


def squeeze_and_excite(tensor: Any) -> Any:
    gate = layers.GlobalAveragePooling2D(keepdims=True)(tensor)
    return layers.Multiply()([tensor, layers.Conv2D(3, 1, activation="sigmoid")(gate)])


def residual(tensor: Any) -> Any:
    return layers.Add()([tensor, layers.Conv2D(3, 3, padding="same")(tensor), tensor])


LAYERS: dict[str, Layer] = {
    "convolution, valid": layers.Conv2D(4, 3),
    "convolution, same, odd side, stride 2": layers.Conv2D(4, 3, strides=2, padding="same"),
    "convolution, same, even kernel": layers.Conv2D(4, (2, 4), padding="same"),
    "convolution, dilated": layers.Conv2D(4, 3, dilation_rate=2, padding="same"),
    "convolution, no bias, relu": layers.Conv2D(4, 3, use_bias=False, activation="relu"),
    "convolution, grouped": layers.Conv2D(6, 3, groups=3),
    "convolution, softmax": layers.Conv2D(4, 1, activation="softmax"),
    "depthwise convolution": layers.DepthwiseConv2D(3, depth_multiplier=2, padding="same", activation="relu6"),
    "depthwise convolution, stride 2": layers.DepthwiseConv2D(3, strides=2, padding="same", use_bias=False),
    "separable convolution": layers.SeparableConv2D(5, 3, depth_multiplier=2, padding="same", activation="sigmoid"),
    "transposed convolution, same": layers.Conv2DTranspose(4, 3, strides=2, padding="same"),
    "transposed convolution, same, kernel 2": layers.Conv2DTranspose(4, 2, strides=2, padding="same", activation="relu"),
    "transposed convolution, same, kernel 1": layers.Conv2DTranspose(4, 1, strides=2, padding="same"),
    "transposed convolution, same, even kernel": layers.Conv2DTranspose(4, 4, strides=2, padding="same", use_bias=False),
    "transposed convolution, valid": layers.Conv2DTranspose(4, 3, strides=2),
    "transposed convolution, valid, kernel 1": layers.Conv2DTranspose(4, 1, strides=2),
    "batch norm": layers.BatchNormalization(),
    "batch norm, neither scaled nor moved": layers.BatchNormalization(scale=False, center=False),
    "rescaling, one number": layers.Rescaling(2.0, -1.0),
    "rescaling, a number a channel": layers.Rescaling([1.0, 2.0, 3.0], [0.1, 0.2, 0.3]),
    "relu": layers.ReLU(),
    "relu, cut": layers.ReLU(max_value=0.5),
    "activation": layers.Activation("sigmoid"),
    "linear activation": layers.Activation("linear"),
    "max pooling": layers.MaxPooling2D(2),
    "max pooling, same": layers.MaxPooling2D(3, strides=2, padding="same"),
    "zero padding": layers.ZeroPadding2D(((1, 2), (3, 0))),
    "upsampling, nearest": layers.UpSampling2D((2, 3)),
    "upsampling, bilinear": layers.UpSampling2D(2, interpolation="bilinear"),
    "dropout": layers.Dropout(0.5),
    "global average": layers.GlobalAveragePooling2D(),
    "global average, kept": layers.GlobalAveragePooling2D(keepdims=True),
    "concatenation": lambda tensor: layers.Concatenate()([tensor, layers.Conv2D(2, 1)(tensor)]),
    "squeeze and excite": squeeze_and_excite,
    "residual": residual,
    "dense": lambda tensor: layers.Dense(5, activation="softmax")(layers.GlobalAveragePooling2D()(tensor)),
    "dense, no bias": lambda tensor: layers.Dense(5, use_bias=False)(layers.GlobalAveragePooling2D()(tensor)),
}


@pytest.mark.parametrize("name", LAYERS)
def test_a_layer_gives_what_keras_gives(name: str) -> None:
    model = stack(LAYERS[name])
    unsettle(model)
    assert_same(model)


def test_a_layer_that_is_used_twice_keeps_one_set_of_weights() -> None:
    shared = layers.Conv2D(3, 3, padding="same")
    model = stack(shared, layers.ReLU(), shared)
    assert_same(model)
    names = [tensor.name for tensor in onnx.load_from_string(export_onnx(model, "answer")).graph.initializer]
    assert len(names) == 2


def test_a_head_alone_takes_features() -> None:
    features = keras.Input((7,))
    assert_same(keras.Model(features, layers.Dense(3)(features)))


@pytest.mark.parametrize(
    ("layer", "named"),
    [
        (lambda tensor: layers.LayerNormalization(name="odd")(tensor), "odd: .* the layer LayerNormalization"),
        (lambda tensor: layers.Conv2D(2, 1, activation="gelu", name="odd")(tensor), "odd: .* Conv2D with activation=gelu"),
        (lambda tensor: layers.ReLU(negative_slope=0.1, name="odd")(tensor), "odd: .* ReLU with negative_slope"),
        (lambda tensor: layers.BatchNormalization(axis=1, name="odd")(tensor), "odd: .* BatchNormalization with axis=1"),
        (lambda tensor: layers.Dense(2, name="odd")(tensor), "odd: .* Dense with input of 4 dimensions"),
        (lambda tensor: layers.UpSampling2D(2, interpolation="bicubic", name="odd")(tensor), "odd: .* interpolation=bicubic"),
    ],
)
def test_what_it_does_not_know_is_an_error_that_names_the_layer(layer: Layer, named: str) -> None:
    with pytest.raises(BundleError, match=named):
        export_onnx(stack(layer), "answer")


def test_input_and_output_are_named_and_take_any_number_of_images() -> None:
    session = InferenceSession(export_onnx(build_unet("unet_tiny", (16, 24), 0.1), "mask"))
    (given,), (answer,) = session.get_inputs(), session.get_outputs()
    assert (given.name, given.shape, given.type) == ("image", ["N", 16, 24, 3], "tensor(float)")
    assert (answer.name, answer.shape) == ("mask", ["N", 16, 24, 1])


def test_the_same_model_gives_the_same_bytes() -> None:
    model = build_unet("unet_tiny", (16, 16), 0.1)
    assert export_onnx(model, "mask") == export_onnx(model, "mask")


def train_a_little(model: Any, objective: Objective, targets: npt.NDArray[np.float32]) -> None:
    """A few real steps, so that batch norm's statistics are those of data."""
    trainer = Trainer(model, objective, phase_of(classifier_params(learning_rate=1e-3)), steps=3)
    for _ in range(3):
        trainer.train_step(images_for(model, 8), targets, np.ones(8, np.float32))


def test_the_u_net_gives_what_keras_gives() -> None:
    model = build_unet("unet_plain", (32, 48), 0.1)
    assert_same(model, "mask")


@pytest.mark.parametrize("name", ["unet_tiny", pytest.param("unet_plain", marks=pytest.mark.slow)])
def test_a_trained_segmenter_gives_what_keras_gives(name: str) -> None:
    model = build_unet(name, (32, 48), 0.1)
    train_a_little(model, MASKS, (np.random.default_rng(2).random((8, 32, 48, 1)) < 0.5).astype(np.float32))
    assert_same(model, "mask")


# The deeper ones are trained and compared in tests/components/test_architectures.py.
@pytest.mark.parametrize("name", ["tiny_cnn", pytest.param("resnet50", marks=pytest.mark.slow)])
def test_a_trained_classifier_gives_what_keras_gives(name: str) -> None:
    model = build_classifier(name, (64, 64), 0.3).model
    train_a_little(model, DIAGNOSES, np.eye(8, dtype=np.float32))
    assert_same(model, "probabilities")
