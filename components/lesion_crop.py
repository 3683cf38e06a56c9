"""Segment, then classify (the report's future work): images are cropped to the lesion that a segmenter finds, and a margin."""

import math
from dataclasses import dataclass

import cv2
import numpy as np
import numpy.typing as npt

from components.images import RGBImage

SEGMENTER = "segmenter"
"""Folder of the segmenter that images are cropped by: in a dataset, and in a bundle."""

# A spot below this share of the image is a hair or a bubble; the image is then left whole, as it is where nothing is found.
_LEAST_SHARE = 0.002
_EPSILON = 1e-6


@dataclass(frozen=True)
class Box:
    """A part of an image, in shares of its height and width, 0 to 1; bottom and right are the first that are outside."""

    top: float
    left: float
    bottom: float
    right: float

    def slices(self, size: tuple[int, int]) -> tuple[slice, slice]:
        """Rows and columns of the part of an image of height, width; at least one of each."""
        rows, columns = size
        top, left = min(round(self.top * rows), rows - 1), min(round(self.left * columns), columns - 1)
        return slice(top, max(round(self.bottom * rows), top + 1)), slice(left, max(round(self.right * columns), left + 1))


WHOLE = Box(0.0, 0.0, 1.0, 1.0)


def find_lesion(mask: npt.NDArray[np.bool_]) -> Box:
    """The box around the largest connected part of a mask, H x W, True where lesion; `WHOLE` where there is none worth the name."""
    count, _, stats, _ = cv2.connectedComponentsWithStats(mask.astype(np.uint8), connectivity=8)
    if count == 1:
        return WHOLE
    left, top, width, height, area = map(int, stats[1:][stats[1:, cv2.CC_STAT_AREA].argmax()])
    if area < _LEAST_SHARE * mask.size:
        return WHOLE
    rows, columns = mask.shape
    return Box(top / rows, left / columns, (top + height) / rows, (left + width) / columns)


def crop(image: RGBImage, lesion: Box, *, margin: float, size: tuple[int, int]) -> RGBImage:
    """Cut out a lesion, with what is around it, in the proportions of `size` as far as the image reaches.

    The box grows by the margin on each side, then to those proportions, about the lesion's middle. It is moved inwards where it
    would leave the image, so that the lesion no longer lies in the middle, and is as long as the image at most: the cut of a large
    lesion has other proportions, and is stretched when it is scaled to `size`, at most as much as the whole image would be.

    Args:
        image: H x W x 3, uint8, RGB.
        lesion: where it lies; `WHOLE` leaves the image as it is.
        margin: added on each side, as a share of the lesion's own height and width.
        size: height, width that the cut will be scaled to.

    Returns:
        A view of the image: h x w x 3.
    """
    if lesion == WHOLE:
        return image
    down, across = _cut(image.shape[:2], lesion, margin, size)
    return image[down, across]


def cropped_part(shape: tuple[int, int], lesion: Box, *, margin: float, size: tuple[int, int]) -> Box:
    """Which part of an image of height, width `crop` cuts out; the other arguments as there."""
    if lesion == WHOLE:
        return WHOLE
    rows, columns = shape
    down, across = _cut(shape, lesion, margin, size)
    return Box(down.start / rows, across.start / columns, down.stop / rows, across.stop / columns)


def _cut(shape: tuple[int, ...], lesion: Box, margin: float, size: tuple[int, int]) -> tuple[slice, slice]:
    rows, columns = shape[:2]
    height = (lesion.bottom - lesion.top) * rows * (1 + 2 * margin)
    width = (lesion.right - lesion.left) * columns * (1 + 2 * margin)
    height, width = max(height, width * size[0] / size[1]), max(width, height * size[1] / size[0])
    down = _place((lesion.top + lesion.bottom) / 2 * rows, height, rows)
    across = _place((lesion.left + lesion.right) / 2 * columns, width, columns)
    return down, across


def _place(middle: float, length: float, room: int) -> slice:
    """Whole pixels around a length, moved into the room that there is."""
    # What a sum of shares is off by must not cost a pixel.
    first, last = math.floor(middle - length / 2 + _EPSILON), math.ceil(middle + length / 2 - _EPSILON)
    whole = min(last - first, room)
    start = min(max(first, 0), room - whole)
    return slice(start, start + whole)
