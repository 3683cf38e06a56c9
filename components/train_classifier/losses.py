"""The losses of classification: Keras's cross-entropy and a focal loss, with label smoothing, and logit adjustment before them."""

from collections.abc import Callable
from functools import partial

import numpy as np

from components.augment_balance.plan import ClassificationPlan
from components.errors import ParamsError
from components.lesions import Diagnosis
from components.params import TrainClassifierParams
from components.training.backend import keras, ops
from components.training.objective import Tensor, Values

Loss = Callable[[Tensor, Tensor], Tensor]

# float32's smallest ordinary number: below it a probability has lost its digits, and its logarithm is that of nothing.
_LEAST = float(np.finfo(np.float32).tiny)


def make_loss(params: TrainClassifierParams, plan: ClassificationPlan) -> Loss:
    """The loss that the parameters name: (targets, probabilities), both N x 8 → N, 0 or more.

    - cross_entropy: Keras's categorical cross-entropy (report, chapter 4).
    - focal: see `focal_loss`; at gamma 0 it is cross-entropy.

    `label_smoothing` (Szegedy 2016) takes its share of a target and spreads it over all eight diagnoses. `logit_adjustment` goes
    before either: see `adjust`, with the chances of `training_chances`.

    Raises:
        ParamsError: `logit_adjustment` is on, and class weights have already made the diagnoses equal.
    """
    offsets = np.zeros(len(Diagnosis), np.float32)
    if params.logit_adjustment:
        _refuse_second_correction(params, plan)
        offsets = (params.logit_adjustment * np.log(training_chances(plan))).astype(np.float32)
    if params.loss == "focal":
        focal = partial(focal_loss, gamma=params.focal_gamma, label_smoothing=params.label_smoothing)
        return lambda targets, predictions: focal(targets, adjust(predictions, offsets))
    cross_entropy = partial(keras.losses.categorical_crossentropy, label_smoothing=params.label_smoothing)
    if not params.logit_adjustment:
        return cross_entropy
    return lambda targets, predictions: cross_entropy(targets, adjust(predictions, offsets), from_logits=True)


def focal_loss(targets: Tensor, logits: Tensor, gamma: float, label_smoothing: float = 0.0) -> Tensor:
    """Cross-entropy times (1 - probability)^gamma (Lin 2017), without its alpha, since the plan balances the diagnoses.

    Keras's own cuts probabilities at 1e-7, and has no gradient for what the model holds for less probable than that.

    Args:
        targets: N x 8, one-hot.
        logits: N x 8, float32.
        gamma: 0 or more.
        label_smoothing: share of the target that all diagnoses share.

    Returns:
        N, 0 or more.
    """
    smooth = (1 - label_smoothing) * ops.cast(targets, "float32") + label_smoothing / len(Diagnosis)
    logarithms = ops.log_softmax(logits)
    # Not 0: the root of a gamma below 1 has no gradient there.
    wrong = ops.maximum(1 - ops.exp(logarithms), keras.config.epsilon())
    return -ops.sum(smooth * wrong**gamma * logarithms, axis=-1)


def adjust(probabilities: Tensor, offsets: Values) -> Tensor:
    """Logits of probabilities with an offset for each diagnosis added (logit adjustment, Menon 2021, equation 10).

    With offsets of tau x log chance, tau 1, the model itself comes to answer as if all diagnoses were as frequent, though it learns
    from those of the plan. Only the loss adds them; the model's output stays a softmax.

    A softmax does not tell its logits, but their differences are those of its logarithms, and no more enters a loss. The logarithm
    is cut at that of float32's smallest ordinary number, -87: the gradient reaches whatever is more probable than that.

    Args:
        probabilities: N x 8, rows that sum to 1.
        offsets: 8.

    Returns:
        N x 8, float32.
    """
    return ops.log(ops.maximum(ops.cast(probabilities, "float32"), _LEAST)) + offsets


def training_chances(plan: ClassificationPlan) -> Values:
    """Chance of each diagnosis in the loss of an epoch, 8, in the order of CODES, summing to 1: its samples times their weight.

    Weights count, since a sample of weight 2 moves the loss as two samples do: chances of the samples alone would correct a rare
    diagnosis twice, by its weight and by its offset. So with balanced class weights all chances are equal, and nothing is adjusted.

    A diagnosis that an epoch does not show gets the chance of the rarest that it shows. Its own, none, would take it out of the
    loss, and the model could answer it at will.
    """
    say = {label: count * plan.repeats[label] * plan.class_weights[label] for label, count in plan.shown.items()}
    rarest = min(one for one in say.values() if one > 0)
    chances = np.array([max(say.get(label, 0.0), rarest) for label in Diagnosis], np.float32)
    shares: Values = chances / chances.sum()
    return shares


def _refuse_second_correction(params: TrainClassifierParams, plan: ClassificationPlan) -> None:
    samples = [count * plan.repeats[label] for label, count in plan.shown.items()]
    chances = training_chances(plan)
    if len(set(samples)) > 1 and np.allclose(chances, chances[0]):
        raise ParamsError(
            f"train_classifier.logit_adjustment is {params.logit_adjustment:g}, but the plan's class weights have made all "
            "diagnoses equal already; set augment_balance.class_weights to false, or logit_adjustment to 0"
        )
