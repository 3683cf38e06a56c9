"""What the closing line says of curves whose answer is known."""

import math

import pytest

from components.training.more_epochs import would_more_help
from components.training.phase import phase_of
from tests.trainings import classifier_params


def said(train: list[float], val: list[float], scores: list[float], *, stopped: bool = False, schedule: str = "plateau") -> str:
    phase = phase_of(classifier_params(schedule=schedule), "all layers")
    return would_more_help(list(zip(train, val, scores, strict=True)), phase, "val_macro_f1", stopped=stopped)


FALLING = [2 * math.exp(-0.1 * epoch) for epoch in range(12)]
FLAT = [2 * math.exp(-0.1 * epoch) for epoch in range(8)] + [0.993, 0.992, 0.991, 0.99]
RISING = [1.0, 0.8, 0.7, 0.6, 0.65, 0.7, 0.75, 0.8, 0.85, 0.9, 0.95, 1.0]
SCORES = [0.1 + 0.05 * epoch for epoch in range(12)]


def test_a_loss_that_still_falls_speaks_for_more() -> None:
    line = said(FALLING, FALLING, SCORES)
    assert line == (
        "all layers: more epochs would probably have helped: over the last 3 of 12 epochs the loss on val fell by 25.9%, to 0.666; "
        "val macro F1 rose there (0.50 before, 0.65 in them)"
    )


def test_a_flat_loss_does_not() -> None:
    assert "would hardly have helped: over the last 3 of 12 epochs" in said(FALLING, FLAT, [0.5] * 12)
    assert "val macro F1 did not rise there" in said(FALLING, FLAT, [0.5] * 12)


def test_learning_by_heart_is_named() -> None:
    line = said(FALLING, RISING, SCORES)
    assert (
        "would not have helped: since epoch 4 of 12 the loss on train fell from 1.482 to 0.666, that on val not below 0.600" in line
    )


def test_where_training_stopped_more_would_not_have_helped() -> None:
    assert "would not have helped: the loss on val is least after epoch 4 of 12" in said([1.0] * 12, RISING, SCORES, stopped=True)


@pytest.mark.parametrize(
    ("losses", "verdict"),
    [
        (FALLING, "probably have helped"),
        ([2.0] * 9 + [1.5, 1.2, 1.1], "perhaps have helped"),
        (FLAT, "hardly have helped"),
    ],
)
def test_under_cosine_a_fall_at_the_end_alone_says_little(losses: list[float], verdict: str) -> None:
    assert f"would {verdict}" in said(FALLING, losses, SCORES, schedule="cosine")


@pytest.mark.parametrize(
    ("losses", "verdict"),
    [([2.0, 1.4, 1.0, 0.8], "probably have helped"), ([1.0, 1.5, 0.9, 0.8], "perhaps have helped")],
)
def test_of_four_epochs_the_first_two_tell_whether_it_fell_before(losses: list[float], verdict: str) -> None:
    assert f"would {verdict}" in said(FALLING[:4], losses, SCORES[:4], schedule="cosine")


def test_of_three_epochs_nothing_is_said() -> None:
    assert (
        said(FALLING[:3], FALLING[:3], SCORES[:3]) == "all layers: whether more epochs would help cannot be told from so few as 3"
    )
