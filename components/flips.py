"""Flips at test time: what a model says of an image, its mirror images put together."""

from collections.abc import Callable

import numpy as np
import numpy.typing as npt

Floats = npt.NDArray[np.float32]

# Axes of N x H x W x 3 that are turned round: none, left and right, up and down, both.
_FLIPS: tuple[tuple[int, ...], ...] = ((), (2,), (1,), (1, 2))


def mean_over_flips(answer: Callable[[Floats], Floats], images: Floats) -> Floats:
    """The mean of what a model answers to images and to their left-right, up-down and both-ways mirror images.

    Args:
        answer: the model: N x H x W x 3 → N x K of diagnoses, or N x H x W x 1 of masks, which are mirrored back.
        images: N x H x W x 3, float32.

    Returns:
        As `answer` gives it, float32.
    """
    mean: Floats = np.mean([_mirrored(answer(_mirrored(images, axes)), axes) for axes in _FLIPS], axis=0, dtype=np.float32)
    return mean


def _mirrored(values: Floats, axes: tuple[int, ...]) -> Floats:
    """Probabilities of a whole image, N x K, have no sides to change."""
    return np.ascontiguousarray(np.flip(values, axes)) if values.ndim == 4 else values
