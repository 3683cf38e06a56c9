"""Every architecture of both registries: it sees, it trains, it fits any size, and its ONNX model answers alike."""

from typing import Any

import numpy as np
import onnx
import pytest
from onnxruntime import InferenceSession

from components.train_classifier import registry as classifiers
from components.train_classifier.objective import DIAGNOSES
from components.train_unet import registry as segmenters
from components.train_unet.losses import MASKS
from components.training.backend import keras
from components.training.devices import start_afresh
from components.training.loop import Trainer, predictor
from components.training.onnx_export import export_onnx
from components.training.phase import phase_of
from tests.trainings import classifier_params, unet_params

# Those that take many seconds.
_BIG = {
    "resnet50",
    "resnet101",
    "resnet152",
    "resnet101_soft_attention",
    "efficientnet_lite1",
    "efficientnet_lite2",
    "unet_resnet50",
}
SIZE = (64, 96)


def marked(names: list[str]) -> list[Any]:
    return [pytest.param(name, marks=pytest.mark.slow) if name in _BIG else name for name in names]


def build(name: str, size: Any = SIZE) -> keras.Model:
    start_afresh(3)
    if name in classifiers.architectures():
        return classifiers.build(name, size, 0.2).model
    return segmenters.build(name, size, 0.1)


def images(count: int) -> np.ndarray:
    return np.random.default_rng(1).random((count, *SIZE, 3), np.float32)


def targets_for(model: keras.Model, count: int) -> np.ndarray:
    if len(model.output_shape) == 2:
        return np.eye(8, dtype=np.float32)[np.arange(count) % 8]
    return (np.random.default_rng(2).random((count, *SIZE, 1)) < 0.5).astype(np.float32)


ARCHITECTURES = [*classifiers.architectures(), *segmenters.architectures()]
# Without those that the same functions make of more blocks, or of wider ones, than a network that is here. All of them train below.
FAMILIES = [name for name in ARCHITECTURES if name not in ("resnet101", "resnet152", "efficientnet_lite1", "efficientnet_lite2")]


@pytest.mark.parametrize("name", marked(ARCHITECTURES))
def test_it_trains_and_its_onnx_model_gives_what_keras_gives(name: str) -> None:
    model = build(name)
    masks = len(model.output_shape) == 4
    before = model.get_weights()
    loss = "binary_crossentropy" if masks else "categorical_crossentropy"
    model.compile(keras.optimizers.Adam(1e-3), loss, run_eagerly=True)
    assert np.isfinite(model.train_on_batch(images(4), targets_for(model, 4)))
    assert all(np.isfinite(weights).all() for weights in model.get_weights())
    moved = [not np.array_equal(old, new) for old, new in zip(before, model.get_weights(), strict=True)]
    assert np.mean(moved) > 0.95, "a training step leaves weights as they were"

    answers = np.array(model(images(3), training=False))
    assert answers.shape == ((3, *SIZE, 1) if masks else (3, 8))
    assert 0 <= answers.min() < answers.max() <= 1
    if not masks:
        np.testing.assert_allclose(answers.sum(axis=1), 1, rtol=1e-5)
    content = export_onnx(model, "answer")
    onnx.checker.check_model(content, full_check=True)
    session = InferenceSession(content, providers=["CPUExecutionProvider"])
    np.testing.assert_allclose(session.run(["answer"], {"image": images(3)})[0], answers, atol=1e-4)


@pytest.mark.parametrize("name", marked(FAMILIES))
def test_weights_of_the_model_for_any_size_fit_the_one_of_a_fixed_size(name: str) -> None:
    anywhere, fixed = build(name, (None, None)), build(name)
    assert anywhere.input_shape == (None, None, None, 3)
    weights = [np.float32(0.9) * values for values in anywhere.get_weights()]
    anywhere.set_weights(weights)
    fixed.set_weights(weights)
    seen = images(2)
    np.testing.assert_allclose(np.array(anywhere(seen, training=False)), np.array(fixed(seen, training=False)), atol=1e-6)


@pytest.mark.parametrize("name", marked(FAMILIES))
def test_the_model_for_any_size_takes_the_steps_of_a_training_and_predicts(name: str) -> None:
    model = build(name, (None, None))
    masks = len(model.output_shape) == 4
    params = unet_params(name) if masks else classifier_params(name)
    trainer = Trainer(model, MASKS if masks else DIAGNOSES, phase_of(params), steps=1)
    loss, _, count = trainer.train_step(images(2), targets_for(model, 2), np.ones(2, np.float32))
    assert np.isfinite(float(loss))
    assert int(count) == 2
    # At the end of a training its worst images are looked for.
    wanted = np.array(model(images(2), training=False))
    np.testing.assert_allclose(predictor(model)(images(2)), wanted, atol=1e-4)
