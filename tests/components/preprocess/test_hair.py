import cv2
import numpy as np

from components.preprocess.hair import find_hair, remove_hair

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


def test_a_thin_dark_line_is_painted_over_with_the_skin_around_it() -> None:
    image, line = _skin_with_line(width=2)
    hairless = remove_hair(image)
    assert np.abs(hairless.astype(int) - SKIN).max() <= 2
    np.testing.assert_array_equal(hairless[line == 0], image[line == 0])


def test_what_is_wider_than_the_kernel_stays() -> None:
    image = np.full((80, 80, 3), SKIN, np.uint8)
    image[30:48] = (60, 30, 20)  # a band 18 wide; the cross is 17
    np.testing.assert_array_equal(remove_hair(image), image)


def test_the_threshold_itself_is_no_hair() -> None:
    image = np.full((40, 40, 3), 100, np.uint8)
    image[20] = 90
    assert not find_hair(image, threshold=10).any()
    assert find_hair(image, threshold=9).any()


def test_an_image_without_hair_comes_back_as_inpainting_would_leave_it() -> None:
    image = np.random.default_rng(0).integers(0, 3, (50, 60, 3), dtype=np.uint8) + np.uint8(100)
    nothing = np.zeros((50, 60), np.uint8)
    assert remove_hair(image) is image
    np.testing.assert_array_equal(cv2.inpaint(image, nothing, 1, cv2.INPAINT_TELEA), image)
