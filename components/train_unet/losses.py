"""Losses and scores of masks: binary cross-entropy + Dice (report, chapter 4; Milletari 2016 for the soft Dice)."""

from components.training.backend import keras, ops
from components.training.objective import Objective, Tensor

# Added above and below the Dice fraction, in pixels: an empty mask that is predicted empty is perfect.
_SMOOTH = 1.0


def dice(targets: Tensor, predictions: Tensor) -> Tensor:
    """Dice coefficient of each image: twice the overlap over the sum of both areas.

    Args:
        targets: N x H x W x 1, 0 | 1.
        predictions: N x H x W x 1, 0 to 1: probabilities give the soft Dice, 0 | 1 the common one.

    Returns:
        N, 0 to 1.
    """
    overlap = ops.sum(targets * predictions, axis=(1, 2, 3))
    areas = ops.sum(targets, axis=(1, 2, 3)) + ops.sum(predictions, axis=(1, 2, 3))
    return (2 * overlap + _SMOOTH) / (areas + _SMOOTH)


def binary_cross_entropy(targets: Tensor, predictions: Tensor) -> Tensor:
    """Mean over the pixels of each image; shapes as in `dice`, result N, 0 or more."""
    return ops.mean(keras.losses.binary_crossentropy(targets, predictions), axis=(1, 2))


def cross_entropy_and_dice(targets: Tensor, predictions: Tensor) -> Tensor:
    """Binary cross-entropy + 1 - soft Dice of each image; shapes as in `dice`, result N, 0 or more."""
    return binary_cross_entropy(targets, predictions) + 1 - dice(targets, predictions)


def thresholded_dice(targets: Tensor, predictions: Tensor) -> Tensor:
    """Dice coefficient of each image where at least one half counts as lesion; shapes as in `dice`."""
    return dice(targets, ops.cast(predictions >= 0.5, "float32"))


MASKS = Objective(loss=cross_entropy_and_dice, score=thresholded_dice, score_name="dice", measure=None, headline="val_dice")
