"""Local contrast."""

import cv2
import numpy as np
import numpy.typing as npt

from components.images import RGBImage, require_rgb


def equalise(image: RGBImage, *, clip_limit: float = 2.0, tiles: int = 8) -> RGBImage:
    """Even out lightness by contrast-limited adaptive histogram equalisation, colours kept (report, chapter 4; Zuiderveld 1994).

    It works on the L channel of CIE LAB, tile by tile.

    Args:
        image: H x W x 3, uint8, RGB.
        clip_limit: largest slope of a tile's grey-level curve, as a multiple of the mean; above 0.
        tiles: tiles along each side; 1 or more.

    Returns:
        A new array of the same shape and dtype.

    Raises:
        ImageFormatError: `image` is not H x W x 3 uint8.
    """
    lab = cv2.cvtColor(require_rgb(image), cv2.COLOR_RGB2LAB)
    equalised: RGBImage = cv2.cvtColor(equalise_first(lab, clip_limit=clip_limit, tiles=tiles), cv2.COLOR_LAB2RGB)
    return equalised


def equalise_first(pixels: npt.NDArray[np.uint8], *, clip_limit: float, tiles: int) -> npt.NDArray[np.uint8]:
    """The same on the first channel of H x W x 3 uint8, which says how light a pixel is: L of LAB, Y of YCrCb. A new array."""
    lightness = cv2.createCLAHE(clip_limit, (tiles, tiles)).apply(cv2.extractChannel(pixels, 0))
    equalised = pixels.copy()
    cv2.insertChannel(lightness, equalised, 0)
    return equalised
