"""The mask threshold, worked out by hand and against scikit-learn."""

import numpy as np
import pytest
from sklearn.metrics import jaccard_score

from components.training.threshold import GRID, choose_mask_threshold, jaccard_by_threshold


def image(*values: float) -> np.ndarray:
    return np.array(values, np.float32).reshape(1, 1, -1, 1)


def test_the_best_threshold_of_two_tiny_images() -> None:
    # First: up to 0.3 three pixels are found, one of them wrongly: 2/3; to 0.6 the two right ones: 1; to 0.9 one: 1/2.
    # Second: up to 0.2 four are found, two of them wrongly: 1/2; to 0.4 three: 2/3; to 0.45 two: 1; to 0.8 one: 1/2.
    pairs = [(image(1, 1, 0, 0), image(0.9, 0.6, 0.3, 0.0)), (image(1, 1, 0, 0), image(0.8, 0.45, 0.4, 0.2))]
    # Above 0.40 and up to 0.45 both are perfect; the nearest to one half is 0.45.
    assert choose_mask_threshold(pairs) == 0.45
    indices = np.concatenate([jaccard_by_threshold(*pair) for pair in pairs])
    at = [round(float(threshold), 2) for threshold in GRID].index
    assert indices[:, at(0.3)].tolist() == pytest.approx([2 / 3, 2 / 3])
    assert indices[:, at(0.2)].tolist() == pytest.approx([2 / 3, 1 / 2])
    assert indices[:, at(0.46)].tolist() == pytest.approx([1, 1 / 2])
    assert indices[:, at(0.95)].tolist() == [0, 0]


def test_the_mean_over_images_decides_and_not_the_pixels_of_all() -> None:
    # Of the pixels of all, the wide lesion's six would outweigh the two small ones' single pixels.
    wide = (image(*[1] * 6), image(*[0.2] * 6))
    small = [(image(1, 0, 0, 0, 0, 0), image(0.9, 0.3, 0.3, 0.3, 0.3, 0.3))] * 2
    # Up to 0.2: (1 + 1/6 + 1/6) / 3 = 0.44; above 0.3: (0 + 1 + 1) / 3.
    assert choose_mask_threshold([wide, *small]) == 0.5


def test_an_image_without_lesion_agrees_where_nothing_is_predicted() -> None:
    empty = jaccard_by_threshold(image(0, 0), image(0.5, 0.1))
    assert empty[0, GRID > 0.5].tolist() == [1] * 45
    assert empty[0, GRID <= 0.5].tolist() == [0] * 46


def test_a_probability_equal_to_a_threshold_counts_as_lesion_as_in_the_bundle() -> None:
    for threshold in GRID:
        probabilities = np.full((1, 1, 1, 1), threshold, np.float32)
        assert (probabilities >= round(float(threshold), 2)).all()
        assert jaccard_by_threshold(image(1), probabilities)[0, threshold == GRID] == 1


def test_the_indices_are_those_of_scikit_learn_however_images_are_batched() -> None:
    rng = np.random.default_rng(0)
    masks, probabilities = (rng.random((3, 6, 7, 1)) < 0.3).astype(np.float32), rng.random((3, 6, 7, 1), np.float32)
    ours = jaccard_by_threshold(masks, probabilities)
    theirs = [
        [jaccard_score(mask.ravel() > 0, (one >= threshold).ravel(), zero_division=1) for threshold in GRID]
        for mask, one in zip(masks, probabilities, strict=True)
    ]
    np.testing.assert_allclose(ours, theirs)
    halves = [(masks[:1], probabilities[:1]), (masks[1:], probabilities[1:])]
    assert choose_mask_threshold(halves) == choose_mask_threshold([(masks, probabilities)])
