"""Mixing of batches, worked out by hand."""

import numpy as np
import pytest

from components.augment_balance.batch import Batch
from components.augment_balance.mix import Mix, blend, cut_boxes, mix_batch, paste


def two_images() -> Batch:
    """A black one of the first diagnosis, of weight 1, and a white one of the second, of weight 3; 4 x 4 pixels."""
    images = np.stack([np.zeros((4, 4, 3)), np.ones((4, 4, 3))]).astype(np.float32)
    return Batch(images, np.eye(8, dtype=np.float32)[:2], np.array([1, 3], np.float32))


def test_mixup_blends_pixels_and_the_weighted_losses() -> None:
    mixed = blend(two_images(), np.array([1, 0]), np.array([0.75, 0.5], np.float32))
    np.testing.assert_allclose(mixed.images[:, 0, 0, 0], [0.25, 0.5])
    # Weights 0.75 x 1 + 0.25 x 3 and 0.5 x 3 + 0.5 x 1; the second diagnosis has 0.75 / 1.5 and 1.5 / 2 of them.
    np.testing.assert_allclose(mixed.weights, [1.5, 2.0])
    np.testing.assert_allclose(mixed.targets[:, :2], [[0.5, 0.5], [0.25, 0.75]])


def test_cutmix_pastes_a_box_and_its_share_of_the_target() -> None:
    # Rows 1 to 2 of columns 0 to 1: a quarter of the pixels. The second image keeps all of its own.
    mixed = paste(two_images(), np.array([1, 0]), np.array([[1, 3, 0, 2], [0, 0, 0, 0]]))
    assert mixed.images[0, :, :, 0].tolist() == [[0, 0, 0, 0], [1, 1, 0, 0], [1, 1, 0, 0], [0, 0, 0, 0]]
    assert (mixed.images[1] == 1).all()
    np.testing.assert_allclose(mixed.weights, [1.5, 3])
    np.testing.assert_allclose(mixed.targets[:, :2], [[0.5, 0.5], [0, 1]])


def test_a_mixed_sample_costs_the_mix_of_both_samples_costs() -> None:
    batch = two_images()
    mixed = blend(batch, np.array([1, 0]), np.array([0.3, 0.6], np.float32))
    surprise = -np.log(np.array([[0.5, 0.2, 0.1, 0.1, 0.025, 0.025, 0.025, 0.025]] * 2))
    each = (batch.targets * surprise).sum(axis=1) * batch.weights
    expected = [0.3 * each[0] + 0.7 * each[1], 0.6 * each[1] + 0.4 * each[0]]
    np.testing.assert_allclose((mixed.targets * surprise).sum(axis=1) * mixed.weights, expected, rtol=1e-6)


def test_boxes_take_the_share_that_is_left_and_are_cut_at_the_border() -> None:
    boxes = cut_boxes(np.array([0.75, 0.75, 1, 0], np.float32), np.array([[0.5, 0.5], [0, 1], [0.3, 0.3], [0.5, 0.5]]), (8, 16))
    assert boxes.tolist() == [[2, 6, 4, 12], [0, 2, 12, 16], [2, 2, 5, 5], [0, 8, 0, 16]]


def test_samples_that_weigh_nothing_stay_numbers() -> None:
    batch = two_images()
    mixed = blend(Batch(batch.images, batch.targets, np.zeros(2, np.float32)), np.array([1, 0]), np.array([0.5, 0.5], np.float32))
    assert mixed.weights.tolist() == [0, 0]
    np.testing.assert_allclose(mixed.targets.sum(axis=1), 1)


@pytest.mark.parametrize("kind", ["mixup", "cutmix"])
def test_the_draw_follows_from_seed_epoch_and_step(kind: str) -> None:
    rng = np.random.default_rng(0)
    batch = Batch(rng.random((6, 8, 8, 3), np.float32), np.eye(8, dtype=np.float32)[:6], np.ones(6, np.float32))
    first = mix_batch(batch, Mix(kind, 0.4), 1, 2, 3)
    np.testing.assert_array_equal(mix_batch(batch, Mix(kind, 0.4), 1, 2, 3).images, first.images)
    for other in ((2, 2, 3), (1, 3, 3), (1, 2, 4)):
        assert not np.array_equal(mix_batch(batch, Mix(kind, 0.4), *other).images, first.images)
    assert (first.images.dtype, first.targets.dtype, first.weights.dtype) == (np.float32,) * 3
    np.testing.assert_allclose(first.targets.sum(axis=1), 1, rtol=1e-6)


def test_shares_are_those_of_the_beta_distribution() -> None:
    white = Batch(
        np.stack([np.full((1, 1, 3), one, np.float32) for one in range(2000)]), np.zeros((2000, 8)), np.ones(2000, np.float32)
    )
    own = np.eye(2000, dtype=np.float32)
    shares = mix_batch(Batch(white.images, own, white.weights), Mix("mixup", 0.2), 0, 0, 0).targets.diagonal()
    # Beta(0.2, 0.2): mean 1/2, variance 1 / (4 x 1.4).
    assert shares.mean() == pytest.approx(0.5, abs=0.04)
    assert shares.var() == pytest.approx(1 / 5.6, abs=0.01)
