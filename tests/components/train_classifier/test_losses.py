"""Losses against plain numpy formulas and figures worked out by hand."""

import numpy as np
import pytest

from components.augment_balance.plan import ClassificationPlan
from components.errors import ParamsError
from components.lesions import CODES, Diagnosis
from components.train_classifier.losses import make_loss, training_chances
from components.training.backend import keras
from tests.trainings import classifier_params

import tensorflow as tf  # isort: skip  # after Keras, whose import sets how TensorFlow runs

MEL, NV, BCC, AK, BKL, DF, VASC, SCC = Diagnosis
COUNTS = {MEL: 20, NV: 100, BCC: 10, AK: 5, BKL: 20, DF: 1, VASC: 2, SCC: 4}


def plan_of(counts: dict[Diagnosis, int], weights: dict[Diagnosis, float] | None = None, **more: object) -> ClassificationPlan:
    once = dict.fromkeys(counts, 1)
    plan = {"images": counts, "repeats": once, "class_weights": weights or dict.fromkeys(counts, 1.0)}
    return ClassificationPlan.model_validate(plan | more)


def samples(count: int = 5) -> tuple[np.ndarray, np.ndarray]:
    """Targets and probabilities."""
    rng = np.random.default_rng(0)
    logits = rng.normal(0, 2, (count, 8))
    probabilities = np.exp(logits) / np.exp(logits).sum(axis=1, keepdims=True)
    return np.eye(8, dtype=np.float32)[rng.integers(0, 8, count)], probabilities.astype(np.float32)


def softmax(logits: np.ndarray) -> np.ndarray:
    return np.exp(logits) / np.exp(logits).sum(axis=1, keepdims=True)


def losses(targets: np.ndarray, probabilities: np.ndarray, plan: ClassificationPlan | None = None, **changes: object) -> np.ndarray:
    return np.array(make_loss(classifier_params(**changes), plan or plan_of(COUNTS))(targets, probabilities))


def test_cross_entropy_is_minus_the_logarithm_of_the_true_diagnosis_probability() -> None:
    probabilities = np.array([[0.5, 0.25, 0.25, 0, 0, 0, 0, 0]] * 2, np.float32)
    assert losses(np.eye(8)[[0, 1]], probabilities) == pytest.approx([np.log(2), np.log(4)])


def test_the_focal_loss_counts_less_what_is_right_already() -> None:
    # (1 - 1/2)^2 log 2 and (1 - 1/4)^2 log 4.
    probabilities = np.array([[0.5, 0.25, 0.25, 0, 0, 0, 0, 0]] * 2, np.float32)
    expected = [np.log(2) / 4, np.log(4) * 9 / 16]
    assert losses(np.eye(8)[[0, 1]], probabilities, loss="focal", focal_gamma=2) == pytest.approx(expected, rel=1e-5)


def test_at_gamma_0_the_focal_loss_is_cross_entropy() -> None:
    cross, focal = (losses(*samples(), loss=loss, focal_gamma=0) for loss in ("cross_entropy", "focal"))
    np.testing.assert_allclose(focal, cross, rtol=1e-5)


@pytest.mark.parametrize(("gamma", "smoothing"), [(0, 0), (0.5, 0), (2, 0), (2, 0.1), (5, 0.3)])
def test_the_focal_loss_is_that_of_keras_where_keras_cuts_nothing(gamma: float, smoothing: float) -> None:
    targets, probabilities = samples(50)
    theirs = keras.losses.categorical_focal_crossentropy(targets, probabilities, alpha=1.0, gamma=gamma, label_smoothing=smoothing)
    ours = losses(targets, probabilities, loss="focal", focal_gamma=gamma, label_smoothing=smoothing)
    np.testing.assert_allclose(ours, np.array(theirs), rtol=1e-4)


@pytest.mark.parametrize("loss", ["cross_entropy", "focal"])
def test_smoothing_spreads_its_share_over_all_diagnoses(loss: str) -> None:
    targets, probabilities = samples()
    smooth = 0.9 * targets + 0.1 / 8
    focus = (1 - probabilities) ** (2 if loss == "focal" else 0)
    expected = -(smooth * focus * np.log(probabilities)).sum(axis=1)
    np.testing.assert_allclose(losses(targets, probabilities, loss=loss, label_smoothing=0.1), expected, rtol=1e-5)


@pytest.mark.parametrize("loss", ["cross_entropy", "focal"])
@pytest.mark.parametrize("tau", [0.5, 1, 2])
def test_logit_adjustment_is_that_of_the_paper(loss: str, tau: float) -> None:
    targets, probabilities = samples()
    chances = np.array([COUNTS[code] for code in Diagnosis]) / sum(COUNTS.values())
    adjusted = softmax(np.log(probabilities) + tau * np.log(chances))
    smooth, focus = 0.9 * targets + 0.1 / 8, (1 - adjusted) ** (2 if loss == "focal" else 0)
    expected = -(smooth * focus * np.log(adjusted)).sum(axis=1)
    got = losses(targets, probabilities, loss=loss, logit_adjustment=tau, label_smoothing=0.1)
    np.testing.assert_allclose(got, expected, rtol=2e-5)


def test_a_model_that_knows_nothing_but_equal_chances_is_right_under_full_adjustment() -> None:
    # Adjusted, its answer is how frequent each diagnosis is: the best there is without looking at the image.
    loss = losses(np.eye(8)[[1]], np.full((1, 8), 1 / 8, np.float32), logit_adjustment=1)
    assert loss == pytest.approx([-np.log(100 / 162)])


@pytest.mark.parametrize("loss", ["cross_entropy", "focal"])
@pytest.mark.parametrize("adjustment", [0, 1])
def test_the_gradient_reaches_what_the_model_holds_for_all_but_impossible(loss: str, adjustment: int) -> None:
    # d loss / d logit of a softmax is its probability less the target, whatever is added to the logits.
    logits = tf.Variable([[0.0, 60.0, 0, 0, 0, 0, 0, 0]])
    of_model = make_loss(classifier_params(loss=loss, logit_adjustment=adjustment), plan_of(COUNTS))
    with tf.GradientTape() as tape:
        value = of_model(np.eye(8, dtype=np.float32)[[0]], keras.activations.softmax(logits))
    assert float(value[0]) == pytest.approx(60 + adjustment * np.log(100 / 20), rel=1e-5)
    gradient = np.array(tape.gradient(value, logits))[0]
    np.testing.assert_allclose(gradient[:2], [-1, 1], atol=1e-5)


@pytest.mark.parametrize("gamma", [0.5, 2])
@pytest.mark.parametrize("adjustment", [0, 1])
def test_the_gradient_of_the_focal_loss_is_a_number_whatever_the_model_holds_for_certain(gamma: float, adjustment: int) -> None:
    for true, gap in ((0, 60.0), (1, 60.0), (0, 300.0), (1, 300.0)):
        logits = tf.Variable([[0.0, gap, 0, 0, 0, 0, 0, 0]])
        loss = make_loss(classifier_params(loss="focal", focal_gamma=gamma, logit_adjustment=adjustment), plan_of(COUNTS))
        with tf.GradientTape() as tape:
            value = loss(np.eye(8, dtype=np.float32)[[true]], keras.activations.softmax(logits))
        assert np.isfinite(np.array(value)).all()
        assert np.isfinite(np.array(tape.gradient(value, logits))).all(), (true, gap)


def test_answers_of_float16_are_adjusted_in_float32() -> None:
    targets, probabilities = samples()
    half = losses(targets, probabilities.astype(np.float16), logit_adjustment=1)
    assert half.dtype == np.float32
    np.testing.assert_allclose(half, losses(targets, probabilities, logit_adjustment=1), rtol=0.01)


def test_chances_are_samples_times_weight() -> None:
    # Shown are 20 of 100 nevi; both dermatofibromas come three times. 20 x 0.5, 10 x 1, 6 x 5: 10, 10, 30 of 50.
    plan = plan_of({NV: 100, MEL: 10, DF: 2}, {NV: 0.5, MEL: 1, DF: 5}, max_images=20, repeats={NV: 1, MEL: 1, DF: 3})
    # The five that are not there count as the rarest, 10 each: 100 in all.
    expected = {"MEL": 0.1, "NV": 0.1, "BCC": 0.1, "AK": 0.1, "BKL": 0.1, "DF": 0.3, "VASC": 0.1, "SCC": 0.1}
    assert dict(zip(CODES, training_chances(plan).tolist(), strict=True)) == pytest.approx(expected, rel=1e-5)


def test_adjustment_where_weights_have_made_all_equal_is_refused() -> None:
    weights = {label: 162 / 8 / count for label, count in COUNTS.items()}
    with pytest.raises(ParamsError, match=r"logit_adjustment is 1, .*class_weights to false"):
        make_loss(classifier_params(logit_adjustment=1), plan_of(COUNTS, weights))


def test_where_the_samples_are_equal_there_is_nothing_to_adjust_and_nothing_to_refuse() -> None:
    even = plan_of(dict.fromkeys(Diagnosis, 7))
    np.testing.assert_allclose(losses(*samples(), plan=even, logit_adjustment=1), losses(*samples()), rtol=1e-5)


def test_unequal_weights_on_purpose_are_part_of_the_chances() -> None:
    plan = plan_of(COUNTS, dict.fromkeys(COUNTS, 1.0) | {MEL: 3.0})
    assert training_chances(plan)[0] == pytest.approx(60 / 202)
