"""Networks in 8-bit integers: real trainings of tiny networks, and what is then judged and served."""

from pathlib import Path

import numpy as np
import onnx
import pytest

from components.bundle import MODEL, Bundle, read_description
from components.dataset import Dataset
from components.grad_cam import GradCam
from components.lesions import Split, Task
from components.reporter import Reporter
from components.train_classifier.registry import build
from components.training.int8 import in_integers
from components.training.judge import Judge
from components.training.onnx_export import INPUT, export_onnx
from components.training.quantisation import quantise
from tests.trainings import Data, classifier_params, make_data, train_tiny, unet_params

SHORT = {"frozen_epochs": 0, "epochs": 4, "learning_rate": 0.01}


@pytest.fixture(scope="module")
def data(tmp_path_factory: pytest.TempPathFactory) -> Data:
    return make_data(tmp_path_factory.mktemp("data"), per_class=6, size=(32, 32))


@pytest.fixture(scope="module")
def plain(data: Data, tmp_path_factory: pytest.TempPathFactory) -> Path:
    return train_tiny(data, tmp_path_factory.mktemp("plain") / "out", classifier_params(**SHORT))


@pytest.fixture(scope="module")
def small(data: Data, tmp_path_factory: pytest.TempPathFactory) -> Path:
    return train_tiny(data, tmp_path_factory.mktemp("small") / "out", classifier_params(int8_loss=0.5, **SHORT))


def integers(bundle: Path) -> int:
    """Convolutions whose weights are 8-bit integers."""
    graph = onnx.load(bundle / MODEL).graph
    made = {node.output[0]: node for node in graph.node}
    types = {tensor.name: tensor.data_type for tensor in graph.initializer}
    sources = [made.get(node.input[1]) for node in graph.node if node.op_type == "Conv"]
    return sum(source is not None and types.get(source.input[0]) == onnx.TensorProto.INT8 for source in sources)


def test_a_classifier_in_integers_answers_nearly_as_before_and_says_what_it_costs(data: Data, plain: Path, small: Path) -> None:
    assert (integers(plain), read_description(plain).int8) == (0, None)
    assert integers(small) > 0
    cost = read_description(small).int8
    assert cost is not None
    assert cost.figure == "balanced accuracy"
    assert cost.low <= cost.difference <= cost.high
    dataset = Dataset(data.dataset)
    val = dataset.rows(Task.CLASSIFICATION, Split.VAL)
    assert cost.images == len(val)
    before, now = (Bundle.load(one).predict_pixels(dataset.images(val)) for one in (plain, small))
    assert 0 < np.abs(now - before).max() < 0.2
    assert "8-bit integers" in (small / "MODEL_CARD.md").read_text()


def test_the_image_itself_stays_as_it_is() -> None:
    # Its backbone rescales the image by a multiplication and an addition before the first convolution.
    network = build("efficientnet_lite0", (32, 32), 0.3).model
    images = np.random.default_rng(0).random((2, 32, 32, 3)).astype(np.float32)
    graph = onnx.load_from_string(quantise(export_onnx(network, "probabilities"), [images])).graph
    seen, read = {INPUT}, []
    for node in graph.node:
        if seen & set(node.input):
            read.append(node.op_type)
            seen |= set(node.output) if node.op_type != "Conv" else set()
    assert read == ["Transpose", "Mul", "Add", "Conv"]


def test_its_weights_for_further_training_are_the_same(plain: Path, small: Path) -> None:
    assert (small / "weights.weights.h5").read_bytes() == (plain / "weights.weights.h5").read_bytes()


def test_it_can_still_be_explained_and_still_refuses(data: Data, small: Path) -> None:
    images = Dataset(data.dataset).images(Dataset(data.dataset).rows(Task.CLASSIFICATION, Split.VAL))
    camera = GradCam.of_model((small / MODEL).read_bytes(), (32, 32))
    assert camera.knows
    assert camera.maps(images, np.zeros(len(images), np.intp)).max() > 0
    bundle = Bundle.load(small)
    assert bundle.refusal is not None
    assert bundle.features_of(images).shape == (len(images), len(bundle.refusal.features.mean))


def test_the_same_training_gives_the_same_integers(data: Data, small: Path, tmp_path: Path) -> None:
    again = train_tiny(data, tmp_path / "out", classifier_params(int8_loss=0.5, **SHORT))
    assert (again / "bundle.json").read_bytes() == (small / "bundle.json").read_bytes()


def test_where_it_loses_more_than_it_may_it_stays_in_float32(data: Data, plain: Path, tmp_path: Path) -> None:
    dataset = Dataset(data.dataset)
    learned, rows = (dataset.rows(Task.CLASSIFICATION, split) for split in (Split.TRAIN, Split.VAL))
    judges = [Judge(None, plain, learned, rows)]
    reporter = Reporter(tmp_path, "training", tmp_path / "events")
    # It would have to gain as much as there is.
    assert in_integers(dataset, judges, read_description(plain), -1.0, tmp_path, reporter) is None
    assert "stays in float32: in 8-bit integers balanced accuracy " in (tmp_path / "events").read_text()
    assert in_integers(dataset, judges, read_description(plain), 1.0, tmp_path, reporter) is not None


@pytest.mark.slow
def test_folds_and_seeds_are_one_network_in_integers(tmp_path: Path) -> None:
    data = make_data(tmp_path / "data", per_class=6, size=(32, 32), folds=2)
    out = train_tiny(data, tmp_path / "out", unet_params(epochs=2, folds=2, seeds=2, int8_loss=0.5))
    described, rows = read_description(out), Dataset(data.dataset).rows(Task.SEGMENTATION)
    assert len(described.members) == 4
    assert described.int8 is not None
    assert described.int8.images == int((rows["split"] != Split.TEST.value).sum())
    assert integers(out) >= 4
    masks = Bundle.load(out).predict_pixels(Dataset(data.dataset).images(rows.head(3)))
    assert masks.shape == (3, 32, 32)
