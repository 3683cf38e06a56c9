"""Losses of masks, worked out by hand."""

import math

import numpy as np
import pytest

from components.train_unet.losses import binary_cross_entropy, cross_entropy_and_dice, dice, thresholded_dice


def mask(*rows: str) -> np.ndarray:
    return np.array([[[float(cell)] for cell in row] for row in rows], np.float32)[None]


def test_dice_is_twice_the_overlap_over_both_areas() -> None:
    # 4 pixels each, 2 in common, and one pixel above and below the fraction: (4 + 1) / (8 + 1).
    assert np.array(dice(mask("1111", "0000"), mask("0011", "0011"))) == pytest.approx([5 / 9])


def test_the_soft_dice_takes_probabilities() -> None:
    # Overlap 2 x 0.5 = 1, areas 2 + 2: (2 + 1) / (4 + 1).
    assert np.array(dice(mask("1100"), np.full((1, 1, 4, 1), 0.5, np.float32))) == pytest.approx([3 / 5])


def test_an_empty_mask_that_is_predicted_empty_is_perfect() -> None:
    assert np.array(dice(mask("0000"), mask("0000"))) == pytest.approx([1])


def test_each_image_has_its_own_dice() -> None:
    targets = np.concatenate([mask("1111"), mask("1100")])
    predictions = np.concatenate([mask("1111"), mask("0011")])
    assert np.array(dice(targets, predictions)) == pytest.approx([1, 1 / 5])


def test_a_coin_toss_costs_the_logarithm_of_two() -> None:
    loss = binary_cross_entropy(mask("1100"), np.full((1, 1, 4, 1), 0.5, np.float32))
    assert np.array(loss) == pytest.approx([math.log(2)])


def test_the_loss_is_cross_entropy_plus_one_minus_dice() -> None:
    loss = cross_entropy_and_dice(mask("1100"), np.full((1, 1, 4, 1), 0.5, np.float32))
    assert np.array(loss) == pytest.approx([math.log(2) + 1 - 3 / 5])


def test_a_perfect_mask_costs_nothing() -> None:
    assert np.array(cross_entropy_and_dice(mask("1100"), mask("1100"))) == pytest.approx([0], abs=1e-6)


def test_the_score_counts_one_half_as_lesion() -> None:
    predictions = np.array([0.5, 0.49, 0.51, 0.0], np.float32).reshape(1, 1, 4, 1)
    # Predicted 1010 against 1100: one in common, two each: (2 + 1) / (4 + 1).
    assert np.array(thresholded_dice(mask("1100"), predictions)) == pytest.approx([3 / 5])
