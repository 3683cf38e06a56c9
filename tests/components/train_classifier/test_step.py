"""The step on a small drawn dataset, in each combination of its phases."""

import json
import shutil
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from components.augment_balance.reader import TrainingReader, read_rows
from components.bundle import Bundle, Parent, bundle_digest, read_description
from components.calibration import calibrate, fit_temperature
from components.dataset import Dataset
from components.errors import ParamsError, WeightsError
from components.files import sha256_file
from components.lesions import CODES, Split, Task
from components.params import Stage, TrainClassifierParams, bundle_weights
from components.refusal import REFUSED
from components.train_classifier import step
from components.train_classifier.registry import build
from components.training.card import write_card
from components.training.devices import start_afresh
from tests.datasets import preprocessed_dataset
from tests.trainings import Data, classifier_params, make_data, open_first_feed, train_tiny


@pytest.fixture(scope="module")
def data(tmp_path_factory: pytest.TempPathFactory) -> Data:
    return make_data(tmp_path_factory.mktemp("data"), per_class=6)


@pytest.fixture(scope="module")
def trained(data: Data, tmp_path_factory: pytest.TempPathFactory) -> Path:
    params = classifier_params(frozen_epochs=2, epochs=14, learning_rate=0.01, stop_patience=14)
    return train_tiny(data, tmp_path_factory.mktemp("trained") / "out", params)


def epochs_of(out: Path) -> list[dict[str, Any]]:
    lines = [json.loads(line) for line in (out / "metrics.jsonl").read_text().splitlines()]
    return [line["values"] for line in lines if line["epoch"] is not None]


def val_probabilities(out: Path, data: Data) -> tuple[np.ndarray, np.ndarray]:
    """True labels of val, and what the network itself says, as it was trained to."""
    dataset, bundle = Dataset(data.dataset), Bundle.load(out)
    bundle.description = bundle.description.model_copy(update={"temperature": None})
    rows = dataset.rows(Task.CLASSIFICATION, Split.VAL)
    return rows["label"].to_numpy(), bundle.predict_pixels(dataset.images(rows))


def test_it_learns(data: Data, trained: Path) -> None:
    labels, probabilities = val_probabilities(trained, data)
    assert np.mean(np.array(CODES)[probabilities.argmax(axis=1)] == labels) > 0.5


def test_the_bundle_holds_the_weights_of_the_best_epoch_of_phase_2(data: Data, trained: Path) -> None:
    labels, probabilities = val_probabilities(trained, data)
    right = probabilities[np.arange(len(labels)), [CODES.index(label) for label in labels]]
    assert -np.log(right).mean() == pytest.approx(min(epoch["val_loss"] for epoch in epochs_of(trained)[2:]), rel=1e-3)


def test_the_weights_for_keras_are_those_of_the_onnx_model(data: Data, trained: Path) -> None:
    model = build("tiny_cnn", (16, 16), 0.3).model
    model.load_weights(trained / "weights.weights.h5")
    (batch,) = read_rows(
        Dataset(data.dataset), Task.CLASSIFICATION, Dataset(data.dataset).rows(Task.CLASSIFICATION, Split.VAL), None, 1000
    )
    np.testing.assert_allclose(val_probabilities(trained, data)[1], np.array(model(batch.images, training=False)), atol=1e-4)


def test_what_it_answers_is_calibrated_on_val(data: Data, trained: Path) -> None:
    labels, said = val_probabilities(trained, data)
    description = read_description(trained)
    assert description.temperature == fit_temperature(np.array([CODES.index(label) for label in labels]), said)
    rows = Dataset(data.dataset).rows(Task.CLASSIFICATION, Split.VAL)
    answered = Bundle.load(trained).predict_pixels(Dataset(data.dataset).images(rows))
    np.testing.assert_allclose(answered, calibrate(said, description.temperature), atol=1e-6)
    assert f"Temperature {description.temperature:g}, fitted on val" in (trained / "MODEL_CARD.md").read_text()


def test_what_is_strange_to_it_is_measured_by_its_features_and_val_is_answered(data: Data, trained: Path) -> None:
    bundle = Bundle.load(trained)
    assert bundle.description.refuses == REFUSED
    assert "refusal.npz" in bundle.description.files
    rows = Dataset(data.dataset).rows(Task.CLASSIFICATION, Split.VAL)
    val = list(Dataset(data.dataset).images(rows))
    answers, refused = bundle.predict_or_refuse(val)
    np.testing.assert_array_equal(answers, bundle.predict(val))
    assert refused.mean() < 0.2
    assert bundle.refusal is not None
    strange = bundle.strangeness_of(np.stack(val))
    np.testing.assert_array_equal(refused, strange > bundle.refusal.threshold)
    noise = np.random.default_rng(0).integers(0, 256, (8, 16, 16, 3)).astype(np.uint8)
    assert (bundle.strangeness_of(noise) > bundle.refusal.threshold).all()


def test_phase_2_goes_on_counting_epochs_at_its_own_rate(trained: Path) -> None:
    rates = [epoch["learning_rate"] for epoch in epochs_of(trained)]
    assert rates[:3] == [0.001, 0.001, 0.01]
    assert len(rates) == 16


def test_images_go_through_the_frozen_backbone_once(data: Data, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    drawn: list[int] = []
    epoch = TrainingReader.epoch
    monkeypatch.setattr(TrainingReader, "epoch", lambda self, number, *part: drawn.append(number) or epoch(self, number, *part))
    train_tiny(data, tmp_path / "out", classifier_params(frozen_epochs=3, epochs=2))
    assert drawn == [0, 3, 4]


def test_first_epochs_at_a_smaller_size_come_to_a_bundle_of_the_full_one(
    data: Data, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    seen: list[tuple[int, ...]] = []
    epoch = TrainingReader.epoch

    def noted(self: TrainingReader, *part: Any) -> Any:
        for batch in epoch(self, *part):
            seen.append(batch.images.shape[1:3])
            yield batch

    monkeypatch.setattr(TrainingReader, "epoch", noted)
    progressive = [Stage(epochs=1, size=(16, 24))]
    params = classifier_params(frozen_epochs=0, epochs=2, progressive=progressive, input_size=(24, 32), ema=0.9)
    out = train_tiny(data, tmp_path / "out", params)
    half = len(seen) // 2
    assert seen == [(16, 24)] * half + [(24, 32)] * half
    assert read_description(out).input_size == (24, 32)
    model = build("tiny_cnn", (24, 32), 0.3).model
    model.load_weights(out / "weights.weights.h5")
    (batch,) = read_rows(
        Dataset(data.dataset), Task.CLASSIFICATION, Dataset(data.dataset).rows(Task.CLASSIFICATION, Split.VAL), (24, 32), 1000
    )
    np.testing.assert_allclose(val_probabilities(out, data)[1], np.array(model(batch.images, training=False)), atol=1e-4)


def test_phase_1_leaves_the_backbone_as_it_was(data: Data, tmp_path: Path) -> None:
    out = train_tiny(data, tmp_path / "out", classifier_params(frozen_epochs=2, epochs=0, seed=4))
    start_afresh(4)
    untouched, trained = build("tiny_cnn", (16, 16), 0.3), build("tiny_cnn", (16, 16), 0.3)
    trained.model.load_weights(out / "weights.weights.h5")
    for before, after in zip(untouched.backbone.get_weights(), trained.backbone.get_weights(), strict=True):
        np.testing.assert_array_equal(before, after)
    assert not np.allclose(untouched.head.get_weights()[0], trained.head.get_weights()[0])
    assert Bundle.load(out).description.parameters_trainable == 14_296 - 1_488


def test_without_phase_1_all_layers_train_from_the_start(data: Data, tmp_path: Path) -> None:
    out = train_tiny(data, tmp_path / "out", classifier_params(frozen_epochs=0, epochs=1))
    assert [epoch["learning_rate"] for epoch in epochs_of(out)] == [classifier_params().learning_rate]
    assert Bundle.load(out).description.parameters_trainable == 14_248


def test_what_stays_is_the_bundle_and_the_curves(trained: Path) -> None:
    wanted = ["MODEL_CARD.md", "bundle.json", "figures", "metrics.jsonl", "model.onnx", "refusal.npz", "weights.weights.h5"]
    assert sorted(path.name for path in trained.iterdir()) == wanted


def test_a_stage_that_is_too_small_is_an_error_before_anything_is_trained(data: Data, tmp_path: Path) -> None:
    stages = [Stage(epochs=1, size=(16, 16))]
    with pytest.raises(ParamsError, match=r"train_classifier\.progressive\.0\.size is 16 x 16, but resnet50 needs 32 x 32"):
        train_tiny(data, tmp_path / "out", classifier_params("resnet50", input_size=(32, 32), progressive=stages))
    assert not list((tmp_path / "out").iterdir())


def test_weights_that_nobody_published_are_an_error_before_anything_is_trained(data: Data, tmp_path: Path) -> None:
    with pytest.raises(WeightsError, match="weights=none"):
        train_tiny(data, tmp_path / "out", classifier_params(weights="imagenet"))
    assert not list((tmp_path / "out").iterdir())


def test_a_resumed_training_needs_no_published_weights_once_it_is_in_phase_2(
    data: Data, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(step, "load_weights", lambda *args: None)
    monkeypatch.setattr(step, "deliver", lambda *args: (_ for _ in ()).throw(KeyboardInterrupt))
    params = classifier_params(weights="imagenet", frozen_epochs=1, epochs=1)
    with pytest.raises(KeyboardInterrupt):
        train_tiny(data, tmp_path / "out", params)
    monkeypatch.undo()
    assert Bundle.load(train_tiny(data, tmp_path / "out", params)).name == "tiny_cnn"


def test_the_card_warns_first_of_drawn_images(trained: Path) -> None:
    first, *_ = (trained / "MODEL_CARD.md").read_text().splitlines()
    assert "Trained on drawn images (phantom)" in first


def test_the_card_counts_the_images_of_each_diagnosis(trained: Path) -> None:
    card = (trained / "MODEL_CARD.md").read_text()
    assert "| train | 64 | 32 | 8 | 8 | 8 | 8 | 8 | 8 | 8 | 8 |" in card
    assert "| SCC | Squamous cell carcinoma | malignant |" in card
    assert "14,296 parameters" in card
    assert "no medical device" in card


def test_the_card_of_photographs_does_not_warn_and_names_their_licences(trained: Path, tmp_path: Path) -> None:
    dataset = Dataset(preprocessed_dataset(tmp_path / "data", per_class=3, source="isic2019"))
    dataset.manifest["licence"] = "CC BY-NC 4.0"
    described = read_description(trained).model_copy(update={"phantom": False})
    card = write_card(described, dataset)
    assert card.startswith("# tiny_cnn")
    assert "CC BY-NC 4.0 (48 images)" in card
    assert "from isic2019" in card


def test_what_a_file_of_weights_learned_from_is_said_to_be_unknown(data: Data, trained: Path, tmp_path: Path) -> None:
    file = trained / "weights.weights.h5"
    out = train_tiny(data, tmp_path / "out", classifier_params(weights=f"{file}#sha256={sha256_file(file)}", epochs=1))
    told = "a file; what that learned from is not known, and figures of val and test may be too good"
    assert f"it starts from {told}" in (tmp_path / "out.events").read_text()
    assert f"It started from {told}." in (out / "MODEL_CARD.md").read_text()
    assert told not in (trained / "MODEL_CARD.md").read_text()


class TestTrainedOn:
    """From a bundle that lies in `parent/`."""

    def start(self, trained: Path, out: Path, **changes: Any) -> TrainClassifierParams:
        """Parameters that go on from a bundle, and the bundle where the step looks for it."""
        shutil.copytree(trained, out / "parent")
        return classifier_params(weights=bundle_weights("lesion-classifier/1", bundle_digest(trained)), **changes)

    def test_before_the_first_step_all_weights_are_the_parents(self, data: Data, trained: Path, tmp_path: Path) -> None:
        params = self.start(trained, tmp_path / "out")
        started = step._start(open_first_feed(data, params), params, None, tmp_path / "out" / "parent")
        parent = build("tiny_cnn", (16, 16), 0.3).model
        parent.load_weights(trained / "weights.weights.h5")
        for ours, theirs in zip(started.model.get_weights(), parent.get_weights(), strict=True):
            np.testing.assert_array_equal(ours, theirs)

    def test_it_goes_on_from_what_the_parent_knew_and_names_it(self, data: Data, trained: Path, tmp_path: Path) -> None:
        params = self.start(trained, tmp_path / "out", frozen_epochs=0, epochs=1, learning_rate=1e-4)
        out = train_tiny(data, tmp_path / "out", params)
        assert epochs_of(out)[0]["val_loss"] < 1.5 * min(epoch["val_loss"] for epoch in epochs_of(trained))
        parent, description = Bundle.load(trained).description, Bundle.load(out).description
        assert description.parent == Parent(
            digest=bundle_digest(trained), name="tiny_cnn", data_version=parent.data_version, phantom=True
        )
        assert description.training["weights"] == f"bundle#sha256={bundle_digest(trained)}"
        card = (out / "MODEL_CARD.md").read_text()
        assert f"Trained on from `tiny_cnn`, which had learned from the data version `{parent.data_version}`; " in card
        assert "It, or a model before it, saw drawn images (phantom)." in card
