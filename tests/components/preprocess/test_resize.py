import cv2
import numpy as np
import pytest

from components.preprocess.resize import fit_input, resize_image, resize_mask


def _disc(side: int) -> np.ndarray:
    rows, columns = np.indices((side, side)) - (side - 1) / 2
    return np.where(rows**2 + columns**2 <= (0.3 * side) ** 2, np.uint8(255), np.uint8(0))


@pytest.mark.parametrize("size", [(224, 224), (96, 130), (700, 900), (31, 33)])
def test_a_mask_stays_0_or_255(size: tuple[int, int]) -> None:
    resized = resize_mask(_disc(301), size)
    assert resized.shape == size
    assert set(np.unique(resized)) == {0, 255}


def test_a_mask_lies_where_its_image_lies_after_scaling() -> None:
    # Taking upper left corners instead would move it by 0.33 to 0.42 pixels.
    for side in (64, 96, 128, 100):
        rows, columns = np.nonzero(resize_mask(_disc(384), (side, side)))
        assert rows.mean() == pytest.approx((side - 1) / 2, abs=0.15)
        assert columns.mean() == pytest.approx((side - 1) / 2, abs=0.15)


def test_a_mask_agrees_with_its_scaled_image() -> None:
    disc = _disc(450)
    scaled = resize_image(np.repeat(disc[..., None], 3, axis=2), (224, 224))[..., 0] >= 128
    mask = resize_mask(disc, (224, 224)) == 255
    assert (scaled & mask).sum() / (scaled | mask).sum() > 0.99


def test_an_image_is_scaled_bilinearly_as_the_report_does() -> None:
    image = np.random.default_rng(0).integers(0, 256, (45, 60, 3), dtype=np.uint8)
    np.testing.assert_array_equal(resize_image(image, (30, 50)), cv2.resize(image, (50, 30)))


def test_model_input_averages_areas() -> None:
    # By hand: 0 + 1 + 4 + ... + 225 = 1240, and 1240 / 16 = 77.5. Bilinear interpolation would see the four in the middle alone.
    image = (np.arange(16, dtype=np.uint8).reshape(4, 4) ** 2)[..., None].repeat(3, axis=2)
    assert image[1:3, 1:3, 0].mean() == 60.5
    assert fit_input(image, (1, 1)).tolist() == [[[78, 78, 78]]]


def test_model_input_at_the_stored_size_is_the_stored_image() -> None:
    image = np.zeros((4, 6, 3), np.uint8)
    assert fit_input(image, (4, 6)) is image
    assert fit_input(image, None) is image
