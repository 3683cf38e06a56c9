"""The loop: one trace a graph, Adam as Keras has it, the best epoch kept, and no epoch done twice."""

import json
import math
import re
import resource
import signal
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from components.augment_balance.reader import Batch
from components.errors import MachineError, StoreError, TrainingDiverged
from components.reporter import Reporter
from components.train_classifier.objective import DIAGNOSES
from components.training.backend import keras, layers
from components.training.checkpoint import Checkpoints
from components.training.devices import enough_memory
from components.training.loop import Run, Trainer, fit, predictor
from components.training.objective import Tensor
from components.training.phase import Phase, phase_of
from tests.trainings import classifier_params


def phase(**changes: Any) -> Phase:
    """A phase of the report's kind, six epochs at most."""
    usual = {"epochs": 6, "learning_rate": 0.01, "reduce_factor": 0.5, "reduce_patience": 1, "stop_patience": 3}
    return phase_of(classifier_params(**usual | changes), "whole")


PHASE = phase()


class Points:
    """Batches of sizes 4, 4 and 2 of random points; it notes which epochs were asked for."""

    steps = 3

    def __init__(self) -> None:
        self.asked: list[int] = []

    def epoch(self, number: int, start: int = 0, size: tuple[int, int] | None = None) -> Iterator[Batch]:
        self.asked.append(number)
        rng = np.random.default_rng(number)
        batches = []
        for count in (4, 4, 2):
            targets = np.eye(8, dtype=np.float32)[rng.integers(0, 8, count)]
            batches.append(Batch(rng.random((count, 5), np.float32), targets, np.ones(count, np.float32)))
        yield from batches[start:]

    def val(self) -> Iterator[Batch]:
        return Points().epoch(99)


def model() -> Any:
    keras.utils.set_random_seed(3)
    inputs = keras.Input((5,))
    hidden = layers.Dropout(0.5)(layers.Dense(16, activation="relu")(inputs))
    return keras.Model(inputs, layers.Dense(8, activation="softmax")(hidden))


def figures_of(folder: Path) -> list[tuple[int, dict[str, float]]]:
    lines = [json.loads(line) for line in (folder / "metrics.jsonl").read_text().splitlines()]
    return [(line["epoch"], {k: v for k, v in line["values"].items() if k != "images_per_second"}) for line in lines]


def run(folder: Path) -> Run:
    folder.mkdir(exist_ok=True)
    return Run(Checkpoints(folder), Reporter(folder, "test", folder / "events"), PHASE.epochs)


def script(monkeypatch: pytest.MonkeyPatch, losses: list[float]) -> list[list[np.ndarray]]:
    """Let val say these losses; gives the weights that each epoch ended with."""
    weights: list[list[np.ndarray]] = []

    def judge(self: Trainer, batches: object) -> dict[str, float]:
        weights.append(list(self.model_values()))
        return {"val_loss": losses[len(weights) - 1], "val_macro_f1": 0.25}

    monkeypatch.setattr(Trainer, "judge", judge)
    return weights


def fail(text: str) -> None:
    raise AssertionError(text)


def a_trainer() -> Trainer:
    return Trainer(model(), DIAGNOSES, PHASE, steps=18)


def test_batches_of_any_length_need_one_trace_of_each_graph() -> None:
    traces: list[str] = []

    def loss(targets: Tensor, predictions: Tensor) -> Tensor:
        traces.append("once more")
        return DIAGNOSES.loss(targets, predictions)

    trainer, points = Trainer(model(), replace(DIAGNOSES, loss=loss), PHASE, steps=18), Points()
    for batch in points.epoch(0):
        trainer.train_step(batch.images, batch.targets, batch.weights)
    assert len(traces) == 1
    trainer.judge(points.val())
    assert len(traces) == 2


def test_a_sample_of_weight_two_counts_as_two_samples() -> None:
    batch = next(Points().epoch(0))
    doubled = Batch(batch.images, batch.targets, np.array([2, 0, 0, 0], np.float32))
    alone = Batch(batch.images[:1], batch.targets[:1], np.ones(1, np.float32))
    trainer = a_trainer()
    assert trainer.judge([doubled])["val_loss"] * 4 == pytest.approx(2 * trainer.judge([alone])["val_loss"])


def test_the_mean_of_val_is_over_images_whatever_the_batches() -> None:
    trainer, batches = a_trainer(), list(Points().val())
    whole = Batch(*(np.concatenate([getattr(batch, name) for batch in batches]) for name in ("images", "targets", "weights")))
    assert trainer.judge(batches) == pytest.approx(trainer.judge([whole]))


def test_the_best_epoch_is_kept_and_training_stops_when_patience_ends(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    weights = script(monkeypatch, [1.0, 0.8, 0.9, 0.9, 0.9, 0.1])
    trained, points = model(), Points()
    assert fit(trained, DIAGNOSES, points, points.val, PHASE, run(tmp_path)) == 5
    for kept, best in zip(trained.variables, weights[1], strict=True):
        np.testing.assert_array_equal(np.array(kept), best)


def test_epochs_on_smaller_images_neither_stop_training_nor_are_kept(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    weights = script(monkeypatch, [0.5, 0.6, 0.7, 1.0, 0.9, 0.95])
    trained, points = model(), Points()
    staged = replace(phase(stop_patience=1), sizes=((8, 8),) * 3)
    assert fit(trained, DIAGNOSES, points, points.val, staged, run(tmp_path)) == 6
    for kept, best in zip(trained.variables, weights[4], strict=True):
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
    monkeypatch.setattr(Reporter, "progress", lambda self, done, total, what, left: told.append((done, total, what)))
    fit(model(), DIAGNOSES, Points(), Points().val, PHASE, run(tmp_path))
    assert told[0][:2] == (1, 18)
    assert told[4][:2] == (5, 18)
    assert told[0][2].startswith("whole: epoch 1/6, loss ")
    assert told[4][2].startswith("whole: epoch 2/6, loss ")
    assert re.search(r", val macro F1 0\.25, [\d,.]+ images/s$", told[4][2])


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
    points, early = Points(), phase(epochs=4)
    fit(model(), DIAGNOSES, points, points.val, early, run(tmp_path / "broken"))
    script(monkeypatch, losses[4:])
    resumed = model()
    fit(resumed, DIAGNOSES, points, points.val, PHASE, run(tmp_path / "broken"))

    assert points.asked == [0, 1, 2, 3, 4, 5]
    for ours, theirs in zip(resumed.variables, whole.variables, strict=True):
        np.testing.assert_array_equal(np.array(ours), np.array(theirs))


def test_it_goes_on_from_the_one_before_a_damaged_checkpoint(tmp_path: Path) -> None:
    points = Points()
    three = phase(epochs=3, reduce_patience=3)
    first, second = model(), model()
    fit(first, DIAGNOSES, points, points.val, three, run(tmp_path))
    (tmp_path / "checkpoints/0003-00000.npz").write_bytes(b"damaged")
    fit(second, DIAGNOSES, points, points.val, three, run(tmp_path))
    assert points.asked == [0, 1, 2, 2]
    for ours, theirs in zip(second.variables, first.variables, strict=True):
        np.testing.assert_array_equal(np.array(ours), np.array(theirs))
    told = (tmp_path / "events").read_text()
    assert "0003-00000.npz: its bytes are not those that were written; this checkpoint is removed" in told


LATEST = {"schedule": "cosine", "warmup": 0.3, "ema": 0.9, "weight_decay": 0.1, "clip_norm": 0.5}


@pytest.mark.parametrize("recipe", [{}, LATEST, LATEST | {"keep": "last", "stop_patience": None}], ids=["report", "latest", "last"])
def test_broken_off_at_any_step_it_comes_to_the_same_weights(tmp_path: Path, recipe: dict[str, Any]) -> None:
    whole, points = model(), Points()
    fit(whole, DIAGNOSES, points, points.val, phase(epochs=2, **recipe), run(tmp_path / "whole"))

    class Broken(Points):
        def epoch(self, number: int, start: int = 0, size: tuple[int, int] | None = None) -> Iterator[Batch]:
            for place, batch in enumerate(super().epoch(number, start, size), start):
                if (number, place) == moment:
                    raise KeyboardInterrupt
                yield batch

    for moment in [(0, 1), (0, 2), (1, 0), (1, 1)]:
        where, resumed = tmp_path / str(moment), model()
        often = replace(run(where), interval=0.0)
        with pytest.raises(KeyboardInterrupt):
            fit(model(), DIAGNOSES, Broken(), points.val, phase(epochs=2, **recipe), often)
        fit(resumed, DIAGNOSES, points, points.val, phase(epochs=2, **recipe), often)
        for ours, theirs in zip(resumed.variables, whole.variables, strict=True):
            np.testing.assert_array_equal(np.array(ours), np.array(theirs))
        assert figures_of(where) == figures_of(tmp_path / "whole")


def test_the_last_epoch_is_kept_where_the_recipe_says_so(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    weights = script(monkeypatch, [1.0, 0.8, 0.9])
    trained, points = model(), Points()
    fit(trained, DIAGNOSES, points, points.val, phase(epochs=3, keep="last", stop_patience=None), run(tmp_path))
    for kept, last in zip(trained.variables, weights[2], strict=True):
        np.testing.assert_array_equal(np.array(kept), last)


def test_the_running_mean_is_what_is_judged_and_the_weights_come_back() -> None:
    trained, points = model(), Points()
    trainer = Trainer(trained, DIAGNOSES, phase(ema=0.4), steps=3)
    mean = np.array(trained.variables[0])
    for done, batch in enumerate(points.epoch(0), 1):
        trainer.train_step(batch.images, batch.targets, batch.weights)
        newest = np.array(trained.variables[0])
        decay = min(0.4, (1 + done) / (10 + done))
        mean = decay * mean + (1 - decay) * newest
    with trainer.averaged():
        np.testing.assert_allclose(np.array(trained.variables[0]), mean, rtol=1e-5)
    np.testing.assert_array_equal(np.array(trained.variables[0]), newest)


def test_a_loss_that_is_no_number_ends_training_and_says_what_to_do(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    script(monkeypatch, [1.0, math.nan])
    with pytest.raises(TrainingDiverged, match=r"val_loss is nan in epoch 2: training diverged at the learning rate 0\.01"):
        fit(model(), DIAGNOSES, Points(), Points().val, PHASE, run(tmp_path))


def test_no_checkpoint_holds_a_weight_that_is_no_number(tmp_path: Path) -> None:
    def steep(targets: Any, predictions: Any) -> Any:
        """A loss that is a number and has no gradient."""
        return DIAGNOSES.loss(targets, predictions) + keras.ops.sqrt(keras.ops.sum(0 * predictions, axis=-1))

    often = replace(run(tmp_path), interval=0.0)
    with pytest.raises(TrainingDiverged, match="a weight is nan in epoch 1"):
        fit(model(), replace(DIAGNOSES, loss=steep), Points(), Points().val, PHASE, often)
    assert often.checkpoints.newest(fail) is None


@pytest.fixture
def full_disk() -> Iterator[None]:
    """The kernel refuses what goes beyond the limit in the way in which it refuses a full disk: write() fails."""
    limit, before = resource.getrlimit(resource.RLIMIT_FSIZE), signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
    resource.setrlimit(resource.RLIMIT_FSIZE, (2048, limit[1]))
    yield
    resource.setrlimit(resource.RLIMIT_FSIZE, limit)
    signal.signal(signal.SIGXFSZ, before)


def test_a_full_disk_is_one_sentence_and_leaves_no_half_checkpoint(tmp_path: Path, full_disk: None) -> None:
    with pytest.raises(StoreError, match=r"0001-00000\.npz: cannot be written \(File too large\); free space"):
        fit(model(), DIAGNOSES, Points(), Points().val, PHASE, run(tmp_path))
    assert not list((tmp_path / "checkpoints").iterdir())


def test_a_device_without_memory_for_a_batch_is_one_sentence(tmp_path: Path) -> None:
    # A thousand TiB, which no machine has.
    huge = replace(
        DIAGNOSES, loss=lambda targets, said: DIAGNOSES.loss(targets, said) + keras.ops.sum(keras.ops.zeros([2**24] * 2))
    )
    with (
        pytest.raises(MachineError, match=r"too little memory for a batch .*; set batch_size or input_size smaller"),
        enough_memory(),
    ):
        fit(model(), huge, Points(), Points().val, PHASE, run(tmp_path))


def test_the_predictor_infers_without_dropout() -> None:
    network, images = model(), next(Points().epoch(0)).images
    np.testing.assert_allclose(predictor(network)(images), np.array(network(images, training=False)), rtol=1e-5)
