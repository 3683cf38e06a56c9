"""Affine maps of an image and its mask."""

import math

import cv2
import numpy as np
import numpy.typing as npt

from components.augment_balance.draws import Draw
from components.images import Mask, RGBImage


def warp_image(image: RGBImage, drawn: Draw) -> RGBImage:
    """Rotate, mirror, flip and zoom an image, H x W x 3 uint8, about its middle; what lies outside is its mirror image."""
    # Pixels of four channels fill a register of the processor, which makes up for the way there and back.
    warped = _warp(cv2.cvtColor(image, cv2.COLOR_RGB2RGBA), drawn, cv2.INTER_LINEAR)
    return cv2.cvtColor(warped, cv2.COLOR_RGBA2RGB)  # type: ignore[no-any-return]


def warp_mask(mask: Mask, drawn: Draw) -> Mask:
    """The same for a mask, H x W uint8: each pixel takes the nearest one, so that 0 | 255 stays 0 | 255."""
    return _warp(mask, drawn, cv2.INTER_NEAREST)


def _warp(pixels: npt.NDArray[np.uint8], drawn: Draw, interpolation: int) -> npt.NDArray[np.uint8]:
    height, width = pixels.shape[:2]
    warped: npt.NDArray[np.uint8] = cv2.warpAffine(
        pixels, _matrix(drawn, height, width), (width, height), flags=interpolation, borderMode=cv2.BORDER_REFLECT_101
    )
    return warped


def _matrix(drawn: Draw, height: int, width: int) -> npt.NDArray[np.float64]:
    """2 x 3, from (x, y) of the stored image to (x, y) of the drawn one: mirror and flip, then turn and zoom."""
    angle = math.radians(drawn.rotation)
    # y points down, so a turn that is seen as counter-clockwise has its sines the other way round.
    turn = np.array([[math.cos(angle), math.sin(angle)], [-math.sin(angle), math.cos(angle)]])
    linear = drawn.zoom * turn @ np.diag([-1.0 if drawn.mirrored else 1.0, -1.0 if drawn.flipped else 1.0])
    middle = np.array([(width - 1) / 2, (height - 1) / 2])
    return np.column_stack([linear, middle - linear @ middle])
