"""The line of progress: pace over recent steps, time left of a whole and of a resumed training."""

from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from components.reporter import Reporter
from components.training import progress as module
from components.training.checkpoint import Standing
from components.training.phase import Phase, phase_of
from components.training.progress import Progress
from components.training.schedule import EarlyStopping, ReduceLROnPlateau
from tests.trainings import classifier_params

PHASE: Phase = phase_of(classifier_params(epochs=4), "all layers")
BEGIN = Standing("all layers", 0, 0, 0, (0.0, 0.0, 0), ReduceLROnPlateau(1e-3, 0.5, 3), EarlyStopping(8), {})


class Clock:
    """A fake clock, since what is tested is arithmetic on seconds."""

    def __init__(self) -> None:
        self.now = 100.0

    def perf_counter(self) -> float:
        return self.now


@pytest.fixture
def clock(monkeypatch: pytest.MonkeyPatch) -> Clock:
    fake = Clock()
    monkeypatch.setattr(module, "time", fake)
    return fake


@pytest.fixture
def told(monkeypatch: pytest.MonkeyPatch) -> list[tuple[Any, ...]]:
    lines: list[tuple[Any, ...]] = []
    monkeypatch.setattr(Reporter, "progress", lambda self, *line: lines.append(line))
    return lines


def steps(progress: Progress, clock: Clock, standing: Standing, seconds: list[float], first: int = 1) -> None:
    for done, taken in enumerate(seconds, first):
        clock.now += taken
        progress.step(standing, done, 8, 0.5)


def test_the_traced_step_is_not_timed_and_what_is_left_counts_judging(tmp_path: Path, clock: Clock, told: list[Any]) -> None:
    progress = Progress(Reporter(tmp_path, "test"), PHASE, steps=5, epochs=4, headline="val_macro_f1")
    progress.start_epoch()
    steps(progress, clock, BEGIN, [60, 2, 2, 2, 2])
    assert told[0][3] is None
    assert told[1] == (2, 20, "all layers: epoch 1/4, loss 0.50, 4 images/s", 18 * 2.0)
    assert told[4][3] == 15 * 2
    clock.now += 10  # judging and a checkpoint
    progress.start_epoch()
    second = replace(BEGIN, epoch=1, figures={"val_macro_f1": 0.25})
    steps(progress, clock, second, [1, 1])
    assert told[6] == (7, 20, "all layers: epoch 2/4, loss 0.50, val macro F1 0.25, 8 images/s", 13 * 1.0 + 3 * 10)


def test_a_resumed_training_tells_the_time_of_what_is_left(tmp_path: Path, clock: Clock, told: list[Any]) -> None:
    progress = Progress(Reporter(tmp_path, "test"), PHASE, steps=5, epochs=4, headline="val_macro_f1")
    progress.start_epoch()
    steps(progress, clock, replace(BEGIN, epoch=3, step=2), [60, 0.1], first=3)
    done, total, what, left = told[1]
    assert (done, total) == (19, 20)
    assert "epoch 4/4" in what
    assert what.endswith("80 images/s")
    assert left == pytest.approx(0.1)


def test_time_left_is_of_the_phase_and_epochs_of_earlier_ones_do_not_count(tmp_path: Path, clock: Clock, told: list[Any]) -> None:
    progress = Progress(Reporter(tmp_path, "test"), PHASE, steps=5, epochs=7, headline="val_macro_f1")
    progress.start_epoch()
    steps(progress, clock, replace(BEGIN, begun=3, epoch=3), [60, 1])
    assert told[1][:2] == (17, 35)
    assert told[1][3] == 18


def test_epochs_that_will_see_larger_images_take_longer(tmp_path: Path, clock: Clock, told: list[Any]) -> None:
    phase = replace(PHASE, sizes=((8, 8), (8, 16)), own_size=(16, 16))
    progress = Progress(Reporter(tmp_path, "test"), phase, steps=5, epochs=4, headline="val_macro_f1")
    progress.start_epoch()
    steps(progress, clock, BEGIN, [60, 2])
    # Three steps are left of one length, five of twice, ten of four times that.
    assert told[1][3] == pytest.approx((3 + 5 * 2 + 10 * 4) * 2.0)
    steps(progress, clock, replace(BEGIN, epoch=2), [2, 2])
    assert told[3][3] == pytest.approx(8 * 2.0)
