"""Each warning comes where it must, and alone."""

import cv2
import numpy as np
import pytest

from components.lesions import Diagnosis
from components.predict.dermoscopic_colours import COLOURS, colour_shares
from components.predict.quality import MESSAGES, Segmented, WarningCode, find_warnings
from components.predict.shape import measure_shape
from tests.components.predict.drawn import lesion

SIZE = (600, 800)


def textured(image: np.ndarray, strength: float = 12.0) -> np.ndarray:
    """Skin's own grain, without which nothing is sharp."""
    grain = np.random.default_rng(0).normal(0, strength, image.shape[:2])[:, :, None]
    return np.clip(image + grain, 0, 255).astype(np.uint8)


def disc(radius: int = 150, centre: tuple[int, int] = (400, 300)) -> np.ndarray:
    return cv2.circle(np.zeros(SIZE, np.uint8), centre, radius, 1, -1) > 0


def warned(image: np.ndarray, mask: np.ndarray | None = None, wanted: tuple[int, int] = (224, 224)) -> list[WarningCode]:
    segmented = None if mask is None else Segmented(mask, measure_shape(mask))
    return find_warnings(image, image.shape[:2], wanted, segmented)


GOOD = textured(lesion(Diagnosis.MEL, SIZE))


def test_a_good_image_has_none() -> None:
    assert warned(GOOD, disc()) == []


def test_one_without_a_segmenter_is_told_nothing_of_lesions() -> None:
    assert warned(GOOD) == []


@pytest.mark.parametrize(
    ("code", "image"),
    [
        (WarningCode.BLURRED, cv2.GaussianBlur(GOOD, (0, 0), 8)),
        (WarningCode.DARK, textured(GOOD // 3)),
        (WarningCode.BRIGHT, np.minimum(GOOD.astype(int) * 2, 255).astype(np.uint8)),
        (WarningCode.UNEVEN, np.clip(GOOD * np.linspace(0.45, 1.1, SIZE[1])[None, :, None], 0, 255).astype(np.uint8)),
    ],
)
def test_a_bad_picture_is_named(code: WarningCode, image: np.ndarray) -> None:
    assert warned(image, disc()) == [code]


@pytest.mark.parametrize(
    ("code", "mask"),
    [
        (WarningCode.NO_LESION, np.zeros(SIZE, bool)),
        (WarningCode.SEVERAL_LESIONS, disc(150) | disc(80, (700, 100))),
        (WarningCode.LESION_CUT, np.arange(SIZE[1])[None, :] < np.full(SIZE[0], 300)[:, None]),
    ],
)
def test_a_bad_lesion_is_named(code: WarningCode, mask: np.ndarray) -> None:
    assert code in warned(GOOD, mask)


def test_a_lesion_like_the_skin_around_it_is_named() -> None:
    assert warned(textured(lesion(share=0, size=SIZE)), disc()) == [WarningCode.LOW_CONTRAST]


def test_an_image_with_fewer_pixels_than_the_models_look_at_is_named_and_not_called_blurred() -> None:
    small = cv2.resize(GOOD, (200, 150), interpolation=cv2.INTER_AREA)
    mask = cv2.resize(disc().astype(np.uint8), (200, 150)) > 0
    assert warned(small, mask) == [WarningCode.SMALL]


def test_every_warning_says_what_to_do() -> None:
    assert set(MESSAGES) == set(WarningCode)
    assert all(message.endswith(".") for message in MESSAGES.values())


def test_colours_are_counted_on_the_lesion_alone() -> None:
    image = np.zeros((100, 100, 3), np.uint8)
    image[:] = (190, 70, 75)  # red
    image[:50, :50] = (96, 58, 40)  # dark brown
    image[:50, 50:] = (38, 32, 34)  # black
    inside = np.zeros((100, 100), bool)
    inside[:50, 20:70] = True
    shares = colour_shares(image, inside)
    assert list(shares) == ["dark brown", "black"]
    assert shares["dark brown"] == pytest.approx(0.6, abs=0.03)
    assert colour_shares(image, np.zeros((10, 10), bool)) == {}
    assert set(shares) <= set(COLOURS)
