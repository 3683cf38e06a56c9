"""Outlines worked out by hand, and every pair of pixels measured one by one."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.ndimage import binary_dilation, binary_fill_holes, gaussian_filter
from skimage.segmentation import find_boundaries

from components.boundary import boundary_f1


def square(size: int, *, at: int, side: int) -> np.ndarray:
    mask = np.zeros((size, size), bool)
    mask[at : at + side, at : at + side] = True
    return mask


def edge(size: int, *, at: int) -> np.ndarray:
    """Lesion left of a column."""
    return np.broadcast_to(np.arange(size) < at, (size, size)).copy()


def one(truth: np.ndarray, predicted: np.ndarray) -> float:
    (value,) = boundary_f1(truth[None], predicted[None])
    return float(value)


def test_an_outline_within_the_tolerance_is_right_and_one_beyond_it_is_wrong():
    # 200 x 200: 0.75 % of the diagonal are 2.1 pixels.
    assert [one(edge(200, at=90), edge(200, at=at)) for at in (90, 92, 88, 93, 87)] == [1, 1, 1, 0, 0]


def test_a_small_picture_has_a_tolerance_of_one_pixel():
    assert [one(edge(32, at=16), edge(32, at=at)) for at in (17, 18)] == [1, 0]


def test_precision_and_recall_are_shares_of_the_two_outlines():
    # Half of the truth is drawn exactly: its outline lies right but for the new edge.
    truth, half = np.zeros((2, 32, 32), bool)
    truth[8:24, 4:28], half[8:24, 4:16] = True, True
    drawn, there = 2 * (12 + 16) - 4, 2 * (24 + 16) - 4
    right = drawn - 12  # of the edge at column 15, what is farther than a pixel from the true outline
    found = 16 + 2 * (12 - 1) + 2  # left edge, both long edges, and a pixel beyond on each
    precision, recall = right / drawn, found / there
    assert one(truth, half) == pytest.approx(2 * precision * recall / (precision + recall))


def test_the_frame_of_the_picture_is_no_outline():
    # The lesion runs out of the picture on all sides but one.
    truth, predicted = np.zeros((2, 40, 40), bool)
    truth[:, :20], predicted[:, :21] = True, True
    assert one(truth, predicted) == 1
    predicted[:, 20:30] = True
    assert one(truth, predicted) == 0


@pytest.mark.parametrize(
    ("truth", "predicted", "expected"), [(0, 0, 1), (1, 1, 1), (0, 1, 0), (1, 0, 0)], ids=["empty", "full", "all said", "none said"]
)
def test_masks_without_an_outline_agree_if_they_are_the_same(truth, predicted, expected):
    assert one(np.full((20, 20), bool(truth)), np.full((20, 20), bool(predicted))) == expected


def test_a_lesion_of_which_nothing_was_found_has_0():
    assert one(square(32, at=8, side=16), np.zeros((32, 32), bool)) == 0
    assert one(np.zeros((32, 32), bool), square(32, at=8, side=16)) == 0


def blob(seed: int) -> np.ndarray:
    noise = gaussian_filter(np.random.default_rng(seed).normal(size=(48, 60)), 6)
    return np.asarray(binary_fill_holes(noise > noise.std() / 2))


@settings(max_examples=25, deadline=None)
@given(seed=st.integers(0, 2**32 - 1), grow=st.integers(1, 5))
def test_measuring_every_pair_of_pixels_gives_the_same(seed, grow):
    truth = blob(seed)
    predicted = blob(seed + 1) if grow == 1 else binary_dilation(truth, iterations=grow)
    outlines = [np.argwhere(find_boundaries(mask, connectivity=1, mode="inner")) for mask in (truth, predicted)]
    if not all(len(outline) for outline in outlines):
        return
    distance = np.sqrt(((outlines[0][:, None] - outlines[1][None]) ** 2).sum(axis=-1))
    tolerance = max(1.0, 0.0075 * np.hypot(48, 60))
    recall, precision = ((distance.min(axis=axis) <= tolerance).mean() for axis in (1, 0))
    assert one(truth, predicted) == pytest.approx(2 * precision * recall / (precision + recall) if precision + recall else 0)
