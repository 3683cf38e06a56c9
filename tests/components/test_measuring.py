import math
from pathlib import Path

import cv2
import numpy as np
import numpy.typing as npt
import pytest

from components.images import decode_image, decode_mask
from components.ingest.phantom import draw_phantoms
from components.ingest.phantom.roster import roster
from components.ingest.phantom.tissue import skin_colour
from components.measuring import ImageMeasures, MaskMeasures, individual_typology_angle, measure
from components.params import PhantomParams
from components.preprocess.hair import find_hair
from tests.components.validate.raw_data import mask_of, picture

Pixels = npt.NDArray[np.uint8]


def measured(image: Pixels, mask: Pixels | None = None) -> tuple[ImageMeasures, MaskMeasures | None]:
    return measure(image, cv2.cvtColor(image, cv2.COLOR_RGB2GRAY), mask)


def skin_of_tone(tone: float, size: tuple[int, int] = (150, 200)) -> Pixels:
    """Even skin, and a mole on it, where `mask_of` puts one."""
    image = np.full((*size, 3), np.rint(255 * skin_colour(tone, 12.0)), np.uint8)
    image[mask_of(size) > 0] = image[0, 0] // 3
    return image


def test_the_angle_is_that_of_its_formula() -> None:
    # arctan((70 - 50) / 20) = 45 degrees, arctan(-10 / 17.32) = -30
    assert individual_typology_angle(70, 20) == pytest.approx(45)
    assert individual_typology_angle(40, 17.3205) == pytest.approx(-30, abs=1e-3)
    # No skin is so little yellow: the camera's white balance hides its tone.
    assert math.isnan(individual_typology_angle(70, 4.9))
    assert math.isnan(individual_typology_angle(70, -5))


@pytest.mark.parametrize("tone", [-45, -30, 0, 10, 28, 41, 55, 65])
def test_skin_of_a_known_tone_is_measured_within_a_degree_and_a_half_with_and_without_a_mask(tone: float) -> None:
    image = skin_of_tone(tone)
    for mask in (mask_of((150, 200)), None):
        measures = measured(image, mask)[0]
        # One step of b* in eight bits is 2 degrees at the darkest.
        assert measures.skin_tone == pytest.approx(tone, abs=1.5)


def test_skin_is_what_lies_outside_the_mask_and_its_soft_edge() -> None:
    measures = measured(skin_of_tone(41), mask_of((150, 200)))[0]
    # The mole's radius is 37 pixels, its edge 4 of 112 on each side.
    assert measures.skin_share == pytest.approx(1 - np.pi * (37 + 4 * 150 / 112) * (37 + 4 * 200 / 112) / (150 * 200), abs=0.02)


def test_neither_lens_nor_ruler_nor_hair_counts_as_skin() -> None:
    image = skin_of_tone(41)
    plain = measured(image, mask_of((150, 200)))[0]
    image[:15] = image[-15:] = 0
    image[20:30, ::10] = 10
    cv2.line(image, (0, 40), (199, 140), (30, 20, 20), 2)
    spoiled = measured(image, mask_of((150, 200)))[0]
    assert spoiled.skin_tone == pytest.approx(plain.skin_tone, abs=1)
    assert spoiled.skin_share < plain.skin_share - 0.2


def test_where_no_skin_shows_there_is_no_tone() -> None:
    mask = np.full((90, 120), 255, np.uint8)
    mask[0, 0] = 0
    assert math.isnan(measured(picture(1), mask)[0].skin_tone)


def test_a_size_of_one_picture_changes_no_measure_but_by_little() -> None:
    image, mask = picture(5, (450, 600)), mask_of((450, 600))
    half, _ = measured(cv2.resize(image, (300, 225), interpolation=cv2.INTER_AREA), mask)
    whole, _ = measured(image, mask)
    for name in ("lightness", "skin_tone", "skin_share", "border_darkness"):
        assert getattr(half, name) == pytest.approx(getattr(whole, name), rel=0.03, abs=0.01)


def test_blur_takes_sharpness_and_grain_gives_it() -> None:
    image = picture(3)
    plain = measured(image)[0].sharpness
    assert measured(cv2.GaussianBlur(image, (0, 0), 2))[0].sharpness < plain / 2
    grain = np.random.default_rng(0).normal(0, 20, image.shape)
    assert measured(np.clip(image + grain, 0, 255).astype(np.uint8))[0].sharpness > 3 * plain


def test_sharpness_is_the_variance_of_the_laplacian_at_512_pixels() -> None:
    image = np.repeat(np.random.default_rng(2).integers(0, 255, (384, 512, 1), np.uint8), 3, axis=2)
    expected = cv2.Laplacian(image[:, :, 0].astype(np.float64), cv2.CV_64F).var()
    assert measured(image)[0].sharpness == pytest.approx(expected, rel=1e-3)


def test_exposure_is_told_by_lightness_and_by_what_is_clipped() -> None:
    image = np.full((100, 100, 3), 119, np.uint8)  # sRGB 119 is L* 50.0
    assert measured(image)[0].lightness == pytest.approx(50, abs=0.5)
    image[:25], image[25:30] = 0, 255
    measures = measured(image)[0]
    assert (measures.dark_share, measures.bright_share) == (0.25, 0.05)


def test_a_black_lens_rim_darkens_the_border_and_a_black_lesion_does_not() -> None:
    plain, rimmed, lesion = picture(1), picture(1), picture(1)
    down, across = np.ogrid[:90, :120]
    rimmed[((down - 45) / 45) ** 2 + ((across - 60) / 60) ** 2 > 1] = 0
    lesion[mask_of() > 0] = 0
    assert measured(plain)[0].border_darkness == 0
    assert measured(lesion)[0].border_darkness == 0
    assert measured(rimmed)[0].border_darkness > 0.5


def test_the_share_of_hair_is_that_which_preprocessing_finds_at_its_size() -> None:
    image = picture(4, (224, 224))
    assert measured(image)[0].hair_share == np.count_nonzero(find_hair(image)) / 224**2


def test_a_mask_is_measured_by_share_parts_rim_and_contrast() -> None:
    image, mask = skin_of_tone(41, (200, 200)), np.zeros((200, 200), np.uint8)
    mask[50:150, 50:150] = 255
    mask[10:20, 10:20] = 255
    image[:] = image[0, 0]
    image[mask > 0] = (90, 60, 40)
    measures = measured(image, mask)[1]
    assert measures is not None
    assert (measures.mask_share, measures.mask_components) == (10_100 / 40_000, 2)
    assert measures.mask_rim == 0
    assert measures.mask_contrast > 0.99


def test_a_lesion_that_is_cut_off_touches_the_rim() -> None:
    mask = np.zeros((200, 200), np.uint8)
    mask[:, :100] = 255  # all of the left side, half of top and bottom
    measures = measured(picture(1, (200, 200)), mask)[1]
    assert measures is not None
    assert measures.mask_rim == pytest.approx(0.5, abs=0.01)


def test_a_mask_that_does_not_fit_its_lesion_has_no_contrast() -> None:
    image = skin_of_tone(41, (200, 200))
    noise = np.random.default_rng(0).normal(0, 6, image.shape)
    image = np.clip(image[0, 0] + noise, 0, 255).astype(np.uint8)
    measures = measured(image, mask_of((200, 200)))[1]
    assert measures is not None
    assert measures.mask_contrast == pytest.approx(0.5, abs=0.03)


def test_on_drawn_photographs_the_tone_is_right_but_for_their_light(tmp_path: Path) -> None:
    # Each is drawn on skin of a known tone, then exposed, tinted, tilted and shaded at its edges, as a camera does.
    params = PhantomParams(lesions_per_class=6, images_per_lesion=1, size=(128, 176), seed=11)
    draw_phantoms(tmp_path, params, lambda done, total: None)
    errors: dict[bool, list[float]] = {True: [], False: []}
    for lesion in roster(params):
        for name in lesion.images:
            image = decode_image((tmp_path / f"images/{name}.jpg").read_bytes(), name)
            mask = decode_mask((tmp_path / f"masks/{name}_segmentation.png").read_bytes(), name)
            for masked in errors:
                tone = measured(image, mask if masked else None)[0].skin_tone
                errors[masked].append(tone - lesion.tone)
    for found in errors.values():
        assert np.nanmean(found) == pytest.approx(0, abs=5)
        assert np.nanmedian(np.abs(found)) < 8
