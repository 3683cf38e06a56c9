"""The loss, accuracy, and what tells whether rare diagnoses are found."""

from dataclasses import replace

import numpy as np

from components.augment_balance.plan import ClassificationPlan
from components.lesions import CODES
from components.params import TrainClassifierParams
from components.train_classifier.losses import make_loss
from components.training.backend import keras, ops
from components.training.objective import Objective, Tensor, Values


def is_right(targets: Tensor, predictions: Tensor) -> Tensor:
    """1 where the most probable diagnosis is the true one; both N x 8 → N."""
    return ops.cast(ops.argmax(targets, axis=-1) == ops.argmax(predictions, axis=-1), "float32")


def measure_diagnoses(targets: Values, predictions: Values) -> dict[str, float]:
    """Balanced accuracy and macro F1 of the most probable diagnoses, as scikit-learn has them.

    Args:
        targets: N x 8, one-hot.
        predictions: N x 8, probabilities.

    Returns:
        `balanced_accuracy`, the mean sensitivity of the diagnoses that are there; `macro_f1`, the mean F1 of those that are there
        or predicted; both 0 to 1.
    """
    hit = np.zeros((len(CODES), len(CODES)))
    np.add.at(hit, (targets.argmax(axis=1), predictions.argmax(axis=1)), 1)
    right, true, predicted = hit.diagonal(), hit.sum(axis=1), hit.sum(axis=0)
    there, either = true > 0, true + predicted > 0
    return {
        "balanced_accuracy": float(np.mean(right[there] / true[there])),
        "macro_f1": float(np.mean(2 * right[either] / (true + predicted)[either])),
    }


DIAGNOSES = Objective(
    loss=keras.losses.categorical_crossentropy,
    score=is_right,
    score_name="accuracy",
    measure=measure_diagnoses,
    headline="val_macro_f1",
)
"""The report's (chapter 4)."""


def diagnoses_objective(params: TrainClassifierParams, plan: ClassificationPlan) -> Objective:
    """What a classifier trains for; for the loss and its errors see `components.train_classifier.losses.make_loss`."""
    return replace(DIAGNOSES, loss=make_loss(params, plan))
