"""bfloat16, on a processor that stands for a GPU: it trains, and what comes of it computes in float32."""

import json
from pathlib import Path

import numpy as np
import pytest

from components.bundle import Bundle
from components.calibration import calibrate
from components.dataset import Dataset
from components.errors import MachineError
from components.lesions import Split, Task
from components.nvidia import NEEDED
from components.params import TrainClassifierParams, TrainUnetParams
from components.train_classifier import registry as classifiers
from components.train_classifier.registry import build
from components.train_unet import registry as segmenters
from components.training.backend import layers
from components.training.devices import set_precision, start_afresh
from tests.trainings import Data, classifier_params, make_data, train_tiny, unet_params


@pytest.fixture(scope="module")
def data(tmp_path_factory: pytest.TempPathFactory) -> Data:
    return make_data(tmp_path_factory.mktemp("data"))


def losses(folder: Path) -> list[float]:
    lines = [json.loads(line) for line in (folder / "metrics.jsonl").read_text().splitlines()]
    return [line["values"]["loss"] for line in lines if line["epoch"] is not None]


def test_where_a_gpu_was_asked_for_nothing_else_trains(data: Data, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv(NEEDED, "needed")
    with pytest.raises(MachineError, match="this step asked for a GPU, and TensorFlow finds none"):
        train_tiny(data, tmp_path / "out", unet_params(epochs=1))


PARAMS = (classifier_params(frozen_epochs=1, epochs=2), unet_params(epochs=4))


@pytest.mark.parametrize("params", PARAMS, ids=["classifier", "segmenter"])
def test_it_trains_nearly_as_float32_does(data: Data, tmp_path: Path, params: TrainClassifierParams | TrainUnetParams) -> None:
    exact = losses(train_tiny(data, tmp_path / "float32", params))
    rounded = losses(train_tiny(data, tmp_path / "bfloat16", params.model_copy(update={"precision": "bfloat16"})))
    assert rounded != exact
    assert rounded == pytest.approx(exact, rel=0.05)


def test_the_bundle_answers_as_float32_weights_do(data: Data, tmp_path: Path) -> None:
    out = train_tiny(data, tmp_path / "out", classifier_params(frozen_epochs=0, epochs=1, precision="bfloat16"))
    start_afresh(1)
    model = build("tiny_cnn", (16, 16), 0.3).model
    model.load_weights(out / "weights.weights.h5")
    dataset = Dataset(data.dataset)
    pixels = dataset.images(dataset.rows(Task.CLASSIFICATION, Split.TEST))
    bundle = Bundle.load(out)
    wanted = calibrate(np.array(model(pixels.astype(np.float32) / 255, training=False)), bundle.description.temperature)
    np.testing.assert_allclose(bundle.predict_pixels(pixels), wanted, atol=1e-5)


def test_only_what_is_built_until_the_next_start_computes_in_it() -> None:
    start_afresh(1)
    set_precision("bfloat16")
    model = build("tiny_cnn", (16, 16), 0.3).model
    assert {variable.dtype for variable in model.variables if "float" in variable.dtype} == {"float32"}
    assert {layer.compute_dtype for layer in model.layers} == {"bfloat16", "float32"}
    assert model.layers[-1].compute_dtype == "float32"
    start_afresh(1)
    assert {layer.compute_dtype for layer in build("tiny_cnn", (16, 16), 0.3).model.layers} == {"float32"}


CLASSIFIERS = [classifier_params(name, precision="auto") for name in classifiers.architectures()]
SEGMENTERS = [unet_params(name, precision="auto") for name in segmenters.architectures()]


@pytest.mark.parametrize("params", CLASSIFIERS + SEGMENTERS, ids=lambda params: params.models[0])
def test_auto_is_bfloat16_on_amx_for_whole_networks_of_plain_convolutions(
    params: TrainClassifierParams | TrainUnetParams, monkeypatch: pytest.MonkeyPatch
) -> None:
    (name,) = params.models
    start_afresh(1)
    model = segmenters.build(name, (64, 64), 0) if isinstance(params, TrainUnetParams) else build(name, (64, 64), 0).model
    plain = not any(isinstance(layer, (layers.DepthwiseConv2D, layers.SeparableConv2D)) for layer in model.layers)
    wanted = "bfloat16" if plain and "tiny" not in name else "float32"
    assert precision_on(params, monkeypatch, amx=True) == wanted
    assert precision_on(params, monkeypatch, amx=False) == "float32"


@pytest.mark.parametrize("precision", ["float32", "bfloat16"])
def test_what_is_named_is_taken_on_every_processor(precision: str, monkeypatch: pytest.MonkeyPatch) -> None:
    for amx in (True, False):
        assert precision_on(classifier_params("resnet50", precision=precision), monkeypatch, amx=amx) == precision


def precision_on(params: TrainClassifierParams | TrainUnetParams, monkeypatch: pytest.MonkeyPatch, *, amx: bool) -> str:
    """What is chosen on a processor with AMX, which only some machines have, or on one without."""
    monkeypatch.setattr("components.training.devices.has_amx", lambda: amx)
    if isinstance(params, TrainUnetParams):
        return segmenters.precision_here(params)
    return classifiers.precision_here(params)
