"""Changes of brightness, contrast, saturation and hue."""

import math

import cv2
import numpy as np
import numpy.typing as npt

from components.augment_balance.draws import Draw
from components.images import RGBImage
from components.preprocess.normalise import normalise

Floats = npt.NDArray[np.float32]

_NORMALISED = normalise(np.arange(256, dtype=np.uint8))
# Lightness and two axes of colour of the NTSC: grey has none of either, so that turning or stretching them leaves it as it is.
_TO_YIQ = np.array([[0.299, 0.587, 0.114], [0.595716, -0.274453, -0.321263], [0.211456, -0.522591, 0.311135]])
_FROM_YIQ = np.linalg.inv(_TO_YIQ)


def recolour(image: RGBImage, drawn: Draw, out: Floats) -> None:
    """Change an image's contrast about its mean and its brightness, then its saturation and its hue; cut to 0 to 1 after each.

    Args:
        image: H x W x 3, uint8, RGB.
        drawn: by how much.
        out: H x W x 3, float32; gets the pixels, 0 to 1.
    """
    # What becomes of each of the 256 values is worked out once an image, not once a pixel.
    cv2.LUT(image, _values(image, drawn), dst=out)
    if (drawn.saturation, drawn.hue) != (1, 0):
        cv2.transform(out, colour_matrix(drawn.saturation, drawn.hue), dst=out)
        np.clip(out, 0, 1, out=out)


def colour_matrix(saturation: float, hue: float) -> npt.NDArray[np.float32]:
    """3 x 3, RGB → RGB, that multiplies colour by `saturation` and turns it by `hue` of the circle, lightness (Y of YIQ) kept.

    The turn goes from red over yellow to green.
    """
    angle = 2 * math.pi * hue
    # From I to Q is from orange to purple: the other way round.
    turn = saturation * np.array([[math.cos(angle), math.sin(angle)], [-math.sin(angle), math.cos(angle)]])
    among = np.eye(3)
    among[1:, 1:] = turn
    matrix: npt.NDArray[np.float32] = (_FROM_YIQ @ among @ _TO_YIQ).astype(np.float32)
    return matrix


def _values(image: RGBImage, drawn: Draw) -> Floats:
    """What becomes of each of the values 0 to 255, float32, 0 to 1."""
    values = _NORMALISED.copy()
    if drawn.contrast != 1:
        mean = np.float32(sum(cv2.mean(image)) / 3 / 255)
        values = mean + np.float32(drawn.contrast) * (values - mean)
    values += np.float32(drawn.brightness)
    return np.clip(values, 0, 1, out=values)
