"""The classifiers by name, their exact sizes, and their ImageNet weights."""

import re
import subprocess
import sys
import time
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from threading import Event, Thread

import numpy as np
import pytest

from components.backbones import resnet
from components.errors import ParamsError, WeightsError
from components.params import for_model, load_params
from components.train_classifier.registry import architectures, build, check_sizes, load_weights
from components.training.backend import keras
from components.training.members import Parameters, count_parameters

HEAD = 1_053_192


def test_names_are_known_without_tensorflow() -> None:
    code = (
        "import sys, components.train_classifier, components.train_classifier.registry as r; print(*r.architectures()); "
        "assert not {'tensorflow', 'keras', 'onnx', 'matplotlib'} & set(sys.modules)"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.split() == architectures()


@pytest.mark.parametrize(
    ("name", "size", "parameters"),
    [
        ("resnet50", (75, 100), Parameters(total=24_640_904, trainable=24_587_784)),
        ("resnet101", (224, 224), Parameters(total=43_711_368, trainable=43_606_024)),
        ("resnet152", (224, 224), Parameters(total=59_424_136, trainable=59_272_712)),
        # 42,658,176 of the backbone; 3x3x2048x16 + 16 draw the maps, 16 weigh them; 4096x512 + 512 and 512x8 + 8 are the head.
        ("resnet101_soft_attention", (64, 64), Parameters(total=45_054_888, trainable=44_949_544)),
        # 4,694,024 and so on with 1,000 classes: less 1,281,000, more 1280x8 + 8.
        ("efficientnet_lite0", (160, 160), Parameters(total=3_423_272, trainable=3_381_256)),
        ("efficientnet_lite1", (160, 160), Parameters(total=4_199_592, trainable=4_145_928)),
        ("efficientnet_lite2", (160, 160), Parameters(total=4_879_416, trainable=4_821_320)),
        ("tiny_cnn", (32, 32), Parameters(total=14_296, trainable=14_248)),
    ],
)
def test_a_network_has_the_reports_parameters(name: str, size: tuple[int, int], parameters: Parameters) -> None:
    classifier = build(name, size, 0.3)
    assert classifier.model.input_shape == (None, *size, 3)
    assert count_parameters(classifier.model) == parameters
    classifier.backbone.trainable = False
    frozen = count_parameters(classifier.model)
    assert frozen.total == parameters.total
    if name in ("resnet50", "resnet101", "resnet152"):
        assert frozen.trainable == HEAD


def test_the_head_and_the_backbone_are_the_model() -> None:
    classifier = build("tiny_cnn", (16, 16), 0.3)
    images = np.random.default_rng(0).random((3, 16, 16, 3), np.float32)
    probabilities = np.array(classifier.model(images))
    np.testing.assert_allclose(np.array(classifier.head(classifier.backbone(images))), probabilities, rtol=1e-5)
    np.testing.assert_allclose(probabilities.sum(axis=1), 1, rtol=1e-5)


def test_an_unknown_name_is_an_error_that_lists_what_there_is() -> None:
    with pytest.raises(ParamsError, match=r"train_classifier\.models: vgg16 is no architecture; there are resnet50, "):
        build("vgg16", (32, 32), 0.3)


@pytest.mark.parametrize(
    ("assignment", "told"),
    [
        ("train_classifier.input_size=[16,48]", "train_classifier.input_size is 16 x 48"),
        ("preprocess.classification_size=[16,48]", "preprocess.classification_size is 16 x 48"),
        ("train_classifier.progressive=[{epochs: 1, size: [16, 48]}]", "train_classifier.progressive.0.size is 16 x 48"),
    ],
)
def test_too_small_a_size_is_an_error_that_says_what_is_needed(assignment: str, told: str) -> None:
    params = load_params(assignments=[assignment]).params
    with pytest.raises(ParamsError, match=rf"{re.escape(told)}, but resnet50 needs 32 x 32 or more"):
        check_sizes(for_model(params.train_classifier, "resnet50"), params.preprocess)


def test_a_stage_that_is_larger_than_the_models_own_size_is_refused() -> None:
    params = load_params(profile="best", assignments=["preprocess.classification_size=[96,96]"]).params
    told = r"train_classifier\.progressive\.0\.size is 144 x 192, more than the 96 x 96 of preprocess\.classification_size"
    with pytest.raises(ParamsError, match=told):
        check_sizes(for_model(params.train_classifier, "tiny_cnn"), params.preprocess)


@pytest.mark.slow
def test_published_weights_give_the_features_that_keras_gives_on_its_own_preprocessing() -> None:
    published = keras.applications.ResNet50(include_top=False, weights=None, pooling="avg", input_shape=(40, 56, 3))
    backbone = resnet.build("resnet50", (40, 56))
    resnet.take_published(backbone, published)
    pixels = np.random.default_rng(0).integers(0, 256, (2, 40, 56, 3)).astype(np.float32)
    theirs = np.array(published(keras.applications.resnet.preprocess_input(pixels.copy()), training=False))
    ours = np.array(backbone(pixels / 255, training=False))
    np.testing.assert_allclose(ours, theirs, atol=1e-3 * np.abs(theirs).max())


@pytest.fixture
def silent_server() -> Iterator[str]:
    """A server that takes a request and never answers."""
    over = Event()

    class Silent(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            over.wait()

    server = ThreadingHTTPServer(("127.0.0.1", 0), Silent)
    Thread(target=server.serve_forever, daemon=True).start()
    yield f"http://127.0.0.1:{server.server_port}/"
    over.set()
    server.shutdown()
    server.server_close()


@pytest.mark.parametrize("answers", ["never", "refused"])
def test_weights_that_cannot_be_fetched_are_given_up_soon_with_a_way_out(
    answers: str, silent_server: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    from keras.src.applications import resnet as published

    address = silent_server if answers == "never" else "http://127.0.0.1:9/"
    monkeypatch.setattr(published, "BASE_WEIGHTS_PATH", address)
    monkeypatch.setattr(resnet, "_PATIENCE", 0.5)
    monkeypatch.setattr(keras.config, "keras_home", lambda: str(tmp_path), raising=False)
    monkeypatch.setattr("keras.src.utils.file_utils.config.keras_home", lambda: str(tmp_path))
    classifier = build("tiny_cnn", (16, 16), 0.3)
    monkeypatch.setenv("KERAS_HOME", str(tmp_path))
    start = time.monotonic()
    with pytest.raises(
        WeightsError, match=r"resnet50: its ImageNet weights .* has: efficientnet_lite0, .*train_classifier\.weights=none"
    ):
        load_weights("resnet50", classifier, "imagenet", tmp_path / "parent", 0)
    assert time.monotonic() - start < 20
