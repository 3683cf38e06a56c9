"""Colour changes, worked out by hand and by colorsys."""

import colorsys
from dataclasses import replace

import numpy as np
import pytest

from components.augment_balance.colour import colour_matrix, recolour
from components.augment_balance.draws import Draw
from tests.components.augment_balance.conftest import STILL


def recoloured(image: np.ndarray, drawn: Draw) -> np.ndarray:
    out = np.empty(image.shape, np.float32)
    recolour(image, drawn, out)
    return out


def greys(*values: int) -> np.ndarray:
    return np.array(values, np.uint8)[None, :, None].repeat(3, axis=2)


def test_nothing_drawn_gives_the_pixels_as_they_are_stored() -> None:
    image = np.random.default_rng(0).integers(0, 256, (8, 9, 3), dtype=np.uint8)
    np.testing.assert_array_equal(recoloured(image, STILL), (image / 255.0).astype(np.float32))


def test_brightness_is_added_and_cut_at_black_and_white() -> None:
    image = greys(0, 51, 102, 242)
    for brightness, expected in ((0.2, [0.2, 0.4, 0.6, 1.0]), (-0.3, [0.0, 0.0, 0.1, 242 / 255 - 0.3])):
        np.testing.assert_allclose(recoloured(image, replace(STILL, brightness=brightness))[0, :, 0], expected, atol=1e-6)


def test_contrast_stretches_about_the_mean_and_brightness_comes_on_top() -> None:
    # Mean 102; 51 lies 51 below it, so at 1.5 it lies 76.5 below: 25.5; 153 comes to 178.5. Then a tenth of 255 is added.
    one = recoloured(greys(51, 102, 153), replace(STILL, contrast=1.5, brightness=0.1))
    np.testing.assert_allclose(one[0, :, 0], [0.2, 0.5, 0.8], atol=1e-6)


def test_without_saturation_a_pixel_is_as_grey_as_its_lightness() -> None:
    image = np.array([[[255, 0, 0], [0, 255, 0], [0, 0, 255]]], np.uint8)
    grey = recoloured(image, replace(STILL, saturation=0))
    np.testing.assert_allclose(grey[0], np.array([[0.299], [0.587], [0.114]]).repeat(3, axis=1), atol=1e-5)


@pytest.mark.parametrize("hue", [-0.5, -0.1, 0.05, 0.25])
def test_grey_stays_grey_whatever_is_done_to_colours(hue: float) -> None:
    image = greys(0, 30, 128, 255)
    np.testing.assert_allclose(recoloured(image, replace(STILL, hue=hue, saturation=1.8)), image / 255, atol=1e-5)


def test_saturation_and_hue_are_those_of_the_yiq_of_colorsys() -> None:
    skin = (0.8, 0.6, 0.5)
    y, i, q = colorsys.rgb_to_yiq(*skin)
    changed = colour_matrix(1.2, 0.05) @ np.array(skin)
    y2, i2, q2 = colorsys.rgb_to_yiq(*changed)
    assert y2 == pytest.approx(y, abs=0.01)  # colorsys rounds its coefficients to two digits
    assert np.hypot(i2, q2) == pytest.approx(1.2 * np.hypot(i, q), abs=0.01)
    assert np.degrees(np.arctan2(q2, i2) - np.arctan2(q, i)) == pytest.approx(-18, abs=2)


@pytest.mark.parametrize("hue", [0.03, -0.03])
def test_a_turn_of_hue_goes_the_way_of_the_colour_circle(hue: float) -> None:
    before, after = (
        colorsys.rgb_to_hsv(*np.clip(rgb, 0, 1))[0] for rgb in ((0.8, 0.6, 0.5), colour_matrix(1, hue) @ [0.8, 0.6, 0.5])
    )
    assert after - before == pytest.approx(hue, abs=0.012)


def test_pixels_stay_within_0_and_1() -> None:
    image = np.random.default_rng(0).integers(0, 256, (16, 16, 3), dtype=np.uint8)
    pixels = recoloured(image, replace(STILL, contrast=1.9, saturation=1.9, hue=0.2, brightness=0.5))
    assert (pixels.min(), pixels.max()) == (0, 1)
    assert pixels.dtype == np.float32
