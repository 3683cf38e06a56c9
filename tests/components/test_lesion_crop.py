"""The crop: the lesion and its margin, in the proportions asked for as far as the image reaches, never out of it."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from components.lesion_crop import WHOLE, Box, crop, find_lesion


def mask(*parts: tuple[slice, slice]) -> np.ndarray:
    drawn = np.zeros((40, 80), bool)
    for rows, columns in parts:
        drawn[rows, columns] = True
    return drawn


def numbered(height: int, width: int) -> np.ndarray:
    """An image whose pixels tell where they were: row, column, 0."""
    rows, columns = np.mgrid[:height, :width]
    return np.stack([rows, columns, 0 * rows], axis=2).astype(np.uint8)


def corners(image: np.ndarray) -> tuple[int, int, int, int]:
    """First row, first column, last row, last column that a cut of `numbered` shows."""
    return (*map(int, image[0, 0, :2]), *map(int, image[-1, -1, :2]))


def test_the_box_is_around_the_largest_part() -> None:
    found = find_lesion(mask((slice(10, 20), slice(30, 50)), (slice(2, 4), slice(2, 4))))
    assert found == Box(10 / 40, 30 / 80, 20 / 40, 50 / 80)


@pytest.mark.parametrize("drawn", [mask(), mask((slice(0, 1), slice(0, 2)))])
def test_nothing_or_a_speck_leaves_the_image_whole(drawn: np.ndarray) -> None:
    assert find_lesion(drawn) == WHOLE
    image = numbered(50, 60)
    assert crop(image, find_lesion(drawn), margin=0.5, size=(10, 10)) is image


def test_a_margin_is_left_on_each_side() -> None:
    # 20 x 20 in the middle of 100 x 100, half of that on each side: 40 x 40.
    cut = crop(numbered(100, 100), Box(0.4, 0.4, 0.6, 0.6), margin=0.5, size=(8, 8))
    assert corners(cut) == (30, 30, 69, 69)


def test_the_cut_has_the_proportions_of_the_size_that_it_is_scaled_to() -> None:
    cut = crop(numbered(100, 200), Box(0.4, 0.4, 0.6, 0.6), margin=0.0, size=(30, 10))
    assert cut.shape == (100, 40, 3)  # 20 x 40 grows to 120 x 40, and the image has 100 rows
    assert corners(cut)[1::2] == (80, 119)


def test_at_the_border_the_cut_moves_inwards() -> None:
    cut = crop(numbered(100, 100), Box(0.0, 0.8, 0.2, 1.0), margin=0.5, size=(8, 8))
    assert corners(cut) == (0, 60, 39, 99)


def test_a_large_lesion_is_cut_as_far_as_the_image_reaches() -> None:
    # 70 % of both sides and the margin: 450 x 588 of 450 x 600, for a square.
    cut = crop(numbered(225, 300), Box(0.15, 0.15, 0.85, 0.85), margin=0.2, size=(224, 224))
    assert cut.shape == (225, 294, 3)


def _box(top: float, left: float, height: float, width: float) -> Box:
    return Box(top, left, min(top + height, 1.0), min(left + width, 1.0))


BOXES = st.builds(_box, st.floats(0, 0.95), st.floats(0, 0.95), st.floats(0.01, 1), st.floats(0.01, 1))


@given(box=BOXES, margin=st.floats(0, 2), size=st.sampled_from([(64, 64), (48, 64), (30, 64), (64, 30)]))
def test_a_cut_is_never_stretched_more_than_the_whole_image(box: Box, margin: float, size: tuple[int, int]) -> None:
    rows, columns, _ = crop(numbered(90, 120), box, margin=margin, size=size).shape

    def stretch(rows: float, columns: float) -> float:
        return max(rows / columns, size[0] / size[1]) / min(rows / columns, size[0] / size[1])

    # A cut is whole pixels: each side may be two longer than the box.
    assert stretch(rows, columns) <= max(stretch(90, 120), (1 + 2 / min(rows, columns)) ** 2) + 1e-6


@given(box=BOXES, margin=st.floats(0, 2))
def test_the_lesion_is_always_in_the_cut(box: Box, margin: float) -> None:
    first_row, first_column, last_row, last_column = corners(crop(numbered(90, 120), box, margin=margin, size=(64, 64)))
    assert first_row <= box.top * 90 + 1e-5
    assert first_column <= box.left * 120 + 1e-5
    assert last_row + 1 >= box.bottom * 90 - 1e-5
    assert last_column + 1 >= box.right * 120 - 1e-5
