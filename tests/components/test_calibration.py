"""The temperature, on simulated classifiers whose right one is known."""

import numpy as np
import pytest

from components.calibration import calibrate, fit_temperature


def simulated(images: int, *, sharpness: float = 1.0, seed: int = 0) -> tuple[np.ndarray, np.ndarray]:
    """True diagnoses, and probabilities whose logits are `sharpness` times those that the truth was drawn from."""
    rng = np.random.default_rng(seed)
    logits = rng.normal(size=(images, 8)) * 2
    right = np.exp(logits) / np.exp(logits).sum(axis=1, keepdims=True)
    truth = (right.cumsum(axis=1) < rng.random((images, 1))).sum(axis=1)
    said = np.exp(sharpness * logits)
    return truth, (said / said.sum(axis=1, keepdims=True)).astype(np.float32)


@pytest.mark.parametrize("sharpness", [0.5, 1.0, 3.0])
def test_the_temperature_undoes_what_made_the_logits_too_sharp_or_too_flat(sharpness: float) -> None:
    assert fit_temperature(*simulated(20_000, sharpness=sharpness)) == pytest.approx(sharpness, rel=0.05)


def test_no_temperature_leaves_probabilities_as_they_are_and_its_inverse_brings_them_back() -> None:
    _, said = simulated(100, sharpness=3)
    assert calibrate(said, None) is said
    warm = calibrate(said, 1.7)
    np.testing.assert_allclose(warm.sum(axis=1), 1, rtol=1e-6)
    np.testing.assert_allclose(calibrate(warm, 1 / 1.7), said, atol=1e-6)


def test_the_order_of_the_diagnoses_stays_even_where_one_is_certain() -> None:
    said = np.array([[1, 0, 0, 0, 0, 0, 0, 0], [0.6, 0.4, 0, 0, 0, 0, 0, 0]], np.float32)
    warm = calibrate(said, 10.0)
    assert np.isfinite(warm).all()
    assert warm.argmax(axis=1).tolist() == [0, 0]
    assert warm[1, 0] > warm[1, 1] > warm[1, 2]


def test_a_model_that_is_always_right_or_never_ends_at_a_bound() -> None:
    truth, said = np.arange(8), np.full((8, 8), 0.1, np.float32)
    said[truth, truth] = 0.3
    assert fit_temperature(truth, said) == pytest.approx(0.1, abs=0.01)
    assert fit_temperature((truth + 1) % 8, said) == pytest.approx(10, abs=0.1)
