"""How often each diagnosis comes, and how much it weighs."""

from collections.abc import Mapping
from typing import TypeVar

from components.lesions import Diagnosis

Kind = TypeVar("Kind")


def limit_images(images: Mapping[Kind, int], most: int | None) -> dict[Kind, int]:
    """Images of each diagnosis, or of each source, that an epoch shows: all, or `most` of them."""
    return {kind: count if most is None else min(count, most) for kind, count in images.items()}


def count_repeats(images: Mapping[Diagnosis, int], most: int) -> dict[Diagnosis, int]:
    """How often each image of a diagnosis must come for its diagnosis to be as frequent as the most frequent one.

    Args:
        images: of each diagnosis that an epoch shows, 1 or more.
        most: no image comes more often than this.

    Returns:
        diagnosis → the nearest whole number of times (a half counts up), 1 to `most`.
    """
    largest = max(images.values())
    return {label: max(1, min(most, (2 * largest + count) // (2 * count))) for label, count in images.items()}


def weigh_classes(images: Mapping[Diagnosis, int], repeats: Mapping[Diagnosis, int]) -> dict[Diagnosis, float]:
    """scikit-learn's balanced class weights, of the samples that an epoch shows: n / (classes x n of the class).

    Images that come twice count twice. Weights of the images as they lie would correct a second time what oversampling has
    corrected already, and a rare diagnosis would outweigh the others by as much as it is rare; this way samples times weight is the
    same for every diagnosis, whether oversampling went all the way, was held back, or is off.
    """
    import numpy as np
    from sklearn.utils.class_weight import compute_class_weight

    labels = list(images)
    shown = np.repeat([label.value for label in labels], [images[label] * repeats[label] for label in labels])
    weights = compute_class_weight("balanced", classes=np.array([label.value for label in labels]), y=shown)
    return {label: float(weight) for label, weight in zip(labels, weights, strict=True)}
