"""The loop: one trace a graph, Adam as Keras has it, the best epoch kept, and no epoch done twice."""

import json
import math
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from components.augment_balance.reader import Batch
from components.errors import TrainingDiverged
from components.reporter import Reporter
from components.train_classifier.objective import DIAGNOSES
from components.training.backend import keras, layers
from components.training.checkpoint import Checkpoints
from components.training.loop import Adam, Phase, Run, Trainer, fit, predictor

PHASE = Phase("whole", epochs=6, learning_rate=0.01, reduce_factor=0.5, reduce_patience=1, stop_patience=3)


class Points:
    """Batches of sizes 4, 4 and 2 of random points; it notes which epochs were asked for."""

    steps = 3

    def __init__(self) -> None:
        self.asked: list[int] = []

    def epoch(self, number: int) -> Iterator[Batch]:
        self.asked.append(number)
        rng = np.random.default_rng(number)
        for size in (4, 4, 2):
            targets = np.eye(8, dtype=np.float32)[rng.integers(0, 8, size)]
            yield Batch(rng.random((size, 5), np.float32), targets, np.ones(size, np.float32))

    def val(self) -> Iterator[Batch]:
        return Points().epoch(99)


def model() -> Any:
    keras.utils.set_random_seed(3)
    inputs = keras.Input((5,))
    hidden = layers.Dropout(0.5)(layers.Dense(16, activation="relu")(inputs))
    return keras.Model(inputs, layers.Dense(8, activation="softmax")(hidden))


def run(folder: Path) -> Run:
    return Run(Checkpoints(folder), Reporter(folder, "test", folder / "events"), PHASE.epochs)


def script(monkeypatch: pytest.MonkeyPatch, losses: list[float]) -> list[list[np.ndarray]]:
    """Let val say these losses; gives the weights that each epoch ended with."""
    weights: list[list[np.ndarray]] = []

    def judge(self: Trainer, batches: object) -> dict[str, float]:
        weights.append(list(self.model_values()))
        return {"val_loss": losses[len(weights) - 1], "val_macro_f1": 0.25}

    monkeypatch.setattr(Trainer, "judge", judge)
    return weights


def test_batches_of_any_size_need_one_trace_of_each_graph() -> None:
    trainer, points = Trainer(model(), DIAGNOSES), Points()
    trainer.train(points.epoch(0), lambda done, loss: None)
    trainer.judge(points.val())
    assert trainer.train_step.experimental_get_tracing_count() == 1
    assert trainer.judge_step.experimental_get_tracing_count() == 1


def test_adam_takes_the_steps_that_keras_takes() -> None:
    start = np.random.default_rng(0).normal(size=(3, 4)).astype(np.float32)
    theirs, ours = keras.Variable(start), keras.Variable(start)
    keras_adam, adam = keras.optimizers.Adam(0.01), Adam([ours.value])
    adam.rate.assign(0.01)
    for step in range(5):
        gradient = np.random.default_rng(step + 1).normal(size=(3, 4)).astype(np.float32)
        keras_adam.apply([keras.ops.convert_to_tensor(gradient)], [theirs])
        adam.apply([keras.ops.convert_to_tensor(gradient)])
    np.testing.assert_allclose(np.array(ours), np.array(theirs), rtol=1e-5)
    assert not np.allclose(np.array(ours), start)


def test_a_sample_of_weight_two_counts_as_two_samples() -> None:
    batch = next(Points().epoch(0))
    doubled = Batch(batch.images, batch.targets, np.array([2, 0, 0, 0], np.float32))
    alone = Batch(batch.images[:1], batch.targets[:1], np.ones(1, np.float32))
    trainer = Trainer(model(), DIAGNOSES)
    assert trainer.judge([doubled])["val_loss"] * 4 == pytest.approx(2 * trainer.judge([alone])["val_loss"])


def test_the_mean_of_val_is_over_images_whatever_the_batches() -> None:
    trainer, batches = Trainer(model(), DIAGNOSES), list(Points().val())
    whole = Batch(*(np.concatenate([getattr(batch, name) for batch in batches]) for name in ("images", "targets", "weights")))
    assert trainer.judge(batches) == pytest.approx(trainer.judge([whole]))


def test_the_best_epoch_is_kept_and_training_stops_when_patience_ends(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    weights = script(monkeypatch, [1.0, 0.8, 0.9, 0.9, 0.9, 0.1])
    trained, points = model(), Points()
    assert fit(trained, DIAGNOSES, points, points.val, PHASE, run(tmp_path)) == 5
    for kept, best in zip(trained.variables, weights[1], strict=True):
        np.testing.assert_array_equal(np.array(kept), best)


def test_the_learning_rate_falls_on_a_plateau_and_is_told(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    script(monkeypatch, [1.0, 0.8, 0.9, 0.9, 0.7, 0.6])
    fit(model(), DIAGNOSES, Points(), Points().val, PHASE, run(tmp_path))
    lines = [json.loads(line) for line in (tmp_path / "metrics.jsonl").read_text().splitlines()]
    assert [line["values"]["learning_rate"] for line in lines] == [0.01, 0.01, 0.01, 0.005, 0.0025, 0.0025]
    assert [line["epoch"] for line in lines] == [0, 1, 2, 3, 4, 5]


def test_every_epoch_tells_loss_scores_rate_and_speed(tmp_path: Path) -> None:
    fit(model(), DIAGNOSES, Points(), Points().val, PHASE, run(tmp_path))
    values = json.loads((tmp_path / "metrics.jsonl").read_text().splitlines()[0])["values"]
    val = {"val_loss", "val_accuracy", "val_balanced_accuracy", "val_macro_f1"}
    assert set(values) == {"loss", "accuracy", "learning_rate", "images_per_second"} | val


def test_progress_names_the_epoch_the_loss_and_the_score_of_val(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    script(monkeypatch, [1.0] * 6)
    told: list[tuple[int, int, str]] = []
    monkeypatch.setattr(Reporter, "progress", lambda self, done, total, what: told.append((done, total, what)))
    fit(model(), DIAGNOSES, Points(), Points().val, PHASE, run(tmp_path))
    assert told[0][:2] == (1, 18)
    assert told[4][:2] == (5, 18)
    assert told[0][2].startswith("whole: epoch 1/6, loss ")
    assert told[4][2].startswith("whole: epoch 2/6, loss ")
    assert told[4][2].endswith(", val macro F1 0.25")


def test_it_goes_on_from_the_newest_checkpoint_and_comes_to_the_same_weights(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    losses = [1.0, 0.8, 0.7, 0.9, 0.9, 0.9]
    for folder in ("whole", "broken"):
        (tmp_path / folder).mkdir()
    script(monkeypatch, losses)
    whole = model()
    fit(whole, DIAGNOSES, Points(), Points().val, PHASE, run(tmp_path / "whole"))

    script(monkeypatch, losses)
    points, early = Points(), Phase("whole", 4, 0.01, 0.5, 1, 3)
    fit(model(), DIAGNOSES, points, points.val, early, run(tmp_path / "broken"))
    script(monkeypatch, losses[4:])
    resumed = model()
    fit(resumed, DIAGNOSES, points, points.val, PHASE, run(tmp_path / "broken"))

    assert points.asked == [0, 1, 2, 3, 4, 5]
    for ours, theirs in zip(resumed.variables, whole.variables, strict=True):
        np.testing.assert_array_equal(np.array(ours), np.array(theirs))


def test_it_goes_on_from_the_one_before_a_damaged_checkpoint(tmp_path: Path) -> None:
    points = Points()
    phase = Phase("whole", 3, 0.01, 0.5, 3, 3)
    first, second = model(), model()
    fit(first, DIAGNOSES, points, points.val, phase, run(tmp_path))
    (tmp_path / "checkpoints/0003.npz").write_bytes(b"damaged")
    fit(second, DIAGNOSES, points, points.val, phase, run(tmp_path))
    assert points.asked == [0, 1, 2, 2]
    for ours, theirs in zip(second.variables, first.variables, strict=True):
        np.testing.assert_array_equal(np.array(ours), np.array(theirs))
    assert "0003.npz: this checkpoint cannot be read" in (tmp_path / "events").read_text()


def test_a_loss_that_is_no_number_ends_training_and_says_what_to_do(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    script(monkeypatch, [1.0, math.nan])
    with pytest.raises(TrainingDiverged, match=r"val_loss is nan after epoch 2: training diverged at the learning rate 0\.01"):
        fit(model(), DIAGNOSES, Points(), Points().val, PHASE, run(tmp_path))


def test_the_predictor_infers_without_dropout() -> None:
    network, images = model(), next(Points().epoch(0)).images
    np.testing.assert_allclose(predictor(network)(images), np.array(network(images, training=False)), rtol=1e-5)
