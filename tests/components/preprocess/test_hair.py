from collections.abc import Callable

import cv2
import numpy as np
import pytest

from components.preprocess.hair import blend_over, find_hair, paint_over

SKIN = (220, 180, 160)


def _skin_with_line(width: int) -> tuple[np.ndarray, np.ndarray]:
    image = np.full((80, 80, 3), SKIN, np.uint8)
    line = np.zeros((80, 80), np.uint8)
    cv2.line(line, (5, 10), (75, 60), 255, width)
    image[line == 255] = (30, 20, 15)
    return image, line


def test_a_thin_dark_line_is_found_where_it_was_drawn() -> None:
    image, line = _skin_with_line(width=2)
    np.testing.assert_array_equal(find_hair(image), line)


@pytest.mark.parametrize("fill", [paint_over, blend_over])
def test_a_thin_dark_line_is_filled_with_the_skin_around_it(fill: Callable[[np.ndarray, np.ndarray], np.ndarray]) -> None:
    image, line = _skin_with_line(width=2)
    untouched = image.copy()
    hairless = fill(image, find_hair(image))
    assert np.abs(hairless.astype(int) - SKIN).max() <= 4
    np.testing.assert_array_equal(hairless[line == 0], image[line == 0])
    np.testing.assert_array_equal(image, untouched)


def test_blending_fills_what_is_wider_than_its_box_from_the_skin_beyond() -> None:
    image = np.full((80, 80, 3), SKIN, np.uint8)
    hole = np.zeros((80, 80), np.uint8)
    hole[20:60, 20:60] = 255
    image[hole == 255] = 0
    assert np.abs(blend_over(image, hole).astype(int) - SKIN).max() <= 6


def test_blending_leaves_an_image_that_is_hair_alone_as_it_is() -> None:
    image = np.full((40, 60, 3), SKIN, np.uint8)
    np.testing.assert_array_equal(blend_over(image, np.full((40, 60), 255, np.uint8)), image)


def test_what_is_wider_than_the_kernel_is_no_hair() -> None:
    image = np.full((80, 80, 3), SKIN, np.uint8)
    image[30:48] = (60, 30, 20)  # a band 18 wide; the cross is 17
    assert not find_hair(image).any()


def test_the_threshold_itself_is_no_hair() -> None:
    image = np.full((40, 40, 3), 100, np.uint8)
    image[20] = 90
    assert not find_hair(image, threshold=10).any()
    assert find_hair(image, threshold=9).any()
