from dataclasses import replace

import numpy as np
import pytest

from components.augment_balance.draws import draw
from components.augment_balance.geometry import warp_image, warp_mask
from components.augment_balance.plan import Ranges
from tests.components.augment_balance.conftest import STILL


def _noise(height: int = 40, width: int = 56) -> np.ndarray:
    return np.random.default_rng(0).integers(0, 256, (height, width, 3), dtype=np.uint8)


def _disc(height: int, width: int, centre: tuple[float, float], radius: float) -> np.ndarray:
    rows, columns = np.indices((height, width))
    inside = (rows - centre[0]) ** 2 + (columns - centre[1]) ** 2 <= radius**2
    return np.where(inside, np.uint8(255), np.uint8(0))


def _middle(mask: np.ndarray) -> tuple[float, float]:
    rows, columns = np.nonzero(mask)
    return float(rows.mean()), float(columns.mean())


def test_nothing_drawn_leaves_the_pixels_alone() -> None:
    image = _noise()
    np.testing.assert_array_equal(warp_image(image, STILL), image)
    np.testing.assert_array_equal(warp_mask(image[..., 0], STILL), image[..., 0])


def test_mirror_and_flip_are_exact() -> None:
    image = _noise()
    np.testing.assert_array_equal(warp_image(image, replace(STILL, mirrored=True)), image[:, ::-1])
    np.testing.assert_array_equal(warp_image(image, replace(STILL, flipped=True)), image[::-1])


def test_a_quarter_turn_is_counter_clockwise_and_exact() -> None:
    image = _noise(41, 41)
    np.testing.assert_array_equal(warp_image(image, replace(STILL, rotation=90)), np.rot90(image))
    np.testing.assert_array_equal(warp_mask(image[..., 0], replace(STILL, rotation=90)), np.rot90(image[..., 0]))


def test_an_image_is_mirrored_first_and_turned_then() -> None:
    image = _noise(41, 41)
    both = warp_image(image, replace(STILL, rotation=90, mirrored=True))
    np.testing.assert_array_equal(both, np.rot90(image[:, ::-1]))


@pytest.mark.parametrize("zoom", [0.8, 1.25])
def test_zoom_scales_about_the_middle(zoom: float) -> None:
    disc = _disc(121, 161, (60, 80), 30)
    zoomed = warp_mask(disc, replace(STILL, zoom=zoom))
    assert (zoomed == 255).sum() == pytest.approx(zoom**2 * (disc == 255).sum(), rel=0.02)
    assert _middle(zoomed) == pytest.approx((60, 80), abs=0.1)


def test_what_lies_outside_is_the_mirror_image() -> None:
    # Half the size: rows 0 to 1 of 8 show what lies two rows outside, mirrored about the first row.
    image = np.arange(9, dtype=np.uint8)[:, None, None].repeat(9, axis=1).repeat(3, axis=2) * 10
    assert warp_image(image, replace(STILL, zoom=0.5))[:, 4, 0].tolist() == [40, 20, 0, 20, 40, 60, 80, 60, 40]


def test_a_point_goes_where_the_angle_says() -> None:
    # 40 to the right of the middle, turned by 30 degrees counter-clockwise, at 1.1 the size: up by 44 sin 30 = 22, right by 38.1.
    disc = _disc(201, 201, (100, 140), 6)
    turned = warp_mask(disc, replace(STILL, rotation=30, zoom=1.1))
    assert _middle(turned) == pytest.approx((100 - 22, 100 + 38.1), abs=0.15)


def test_the_mask_of_the_warped_picture_is_the_warped_mask(ranges: Ranges) -> None:
    disc = _disc(96, 128, (40, 75), 22)
    picture = np.repeat(disc[..., None], 3, axis=2)
    shifts = []
    for epoch in range(100):
        drawn = draw(ranges, 5, epoch, "disc", 0)
        seen = warp_image(picture, drawn)[..., 0] >= 128
        warped = warp_mask(disc, drawn)
        assert set(np.unique(warped)) == {0, 255}
        assert (seen & (warped == 255)).sum() / (seen | (warped == 255)).sum() > 0.97
        shifts.append(np.subtract(_middle(warped), _middle(seen)))
    # No drift in any direction, not even a tenth of a pixel.
    assert np.abs(np.mean(shifts, axis=0)).max() < 0.02
    assert np.abs(shifts).max() < 0.15
