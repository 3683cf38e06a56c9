"""What about an image may make its answer worth less.

The limits are where about one in a hundred real images lies, of 350 of ISIC 2018 Task 1 (512 x 512), 96 of HAM10000 (600 x 450) and
141 of ISIC 2019 (500 pixels or more), each with its true mask; but for those of `bright` and `lesion cut`, which are the audit's
(`components.audit.quality`: one in fifty, one in ten). So a warning says that an image is unusual, not that the answer is wrong.
"""

from dataclasses import dataclass
from enum import StrEnum

import cv2
import numpy as np
import numpy.typing as npt

from components.images import RGBImage
from components.measuring import measure
from components.params import Size
from components.predict.shape import Shape

Flags = npt.NDArray[np.bool_]


class WarningCode(StrEnum):
    """What may make an answer worth less."""

    BLURRED = "blurred"
    DARK = "dark"
    BRIGHT = "bright"
    SMALL = "small"
    LOW_CONTRAST = "low contrast"
    NO_LESION = "no lesion"
    LESION_CUT = "lesion cut"
    SEVERAL_LESIONS = "several lesions"
    UNEVEN = "uneven"


MESSAGES: dict[WarningCode, str] = {
    WarningCode.BLURRED: "The image is blurred; take it again with the lesion in focus.",
    WarningCode.DARK: "The image is dark; take it again with more light.",
    WarningCode.BRIGHT: "The image is overexposed; take it again with less light.",
    WarningCode.SMALL: "The image has fewer pixels than the models look at; take it closer, or send the original.",
    WarningCode.LOW_CONTRAST: "The lesion hardly differs from the skin around it; its outline is uncertain.",
    WarningCode.NO_LESION: "No lesion was found; take the image again with the lesion in the middle.",
    WarningCode.LESION_CUT: "The image's edge cuts the lesion; asymmetry, border and size cannot be judged.",
    WarningCode.SEVERAL_LESIONS: "Several lesions were found; take one image of each.",
    WarningCode.UNEVEN: "The light is uneven; take the image again with light from all sides.",
}

_LEAST_SHARPNESS = 5.0
# Below it an image is scaled up before its sharpness is measured, which then tells its size alone; `small` tells that.
_SHARP_FROM = 512
_LIGHTNESS = (40.0, 87.0)
_MOST_CLIPPED = 0.05
_LEAST_CONTRAST = 0.8
_MOST_RIM = 0.1
_MOST_SLOPE = 20.0

_SIDE = 64
_AROUND_LESION = np.ones((5, 5), np.uint8)
_BLACK = 20.0
_LEAST_SKIN = 0.1


@dataclass(frozen=True)
class Segmented:
    """What the segmenter found on a view: its mask, h x w, True where lesion, and the lesion's shape (None: there is none)."""

    mask: Flags
    shape: Shape | None


def find_warnings(view: RGBImage, size: Size, wanted: Size, segmented: Segmented | None) -> list[WarningCode]:
    """What is unusual about an image, in the order of `WarningCode`.

    Args:
        view: the image, its longer side at most 1024, h x w x 3, uint8, RGB.
        size: height, width of the image as it came.
        wanted: height, width of what the models look at.
        segmented: None: no segmenter looked at it, so that nothing is said of a lesion.
    """
    mask = None if segmented is None else segmented.mask.astype(np.uint8) * 255
    grey = cv2.cvtColor(view, cv2.COLOR_RGB2GRAY)
    image, of_mask = measure(view, grey, mask)
    shape = segmented.shape if segmented else None
    found = {
        WarningCode.BLURRED: max(size) >= _SHARP_FROM and image.sharpness < _LEAST_SHARPNESS,
        WarningCode.DARK: image.lightness < _LIGHTNESS[0],
        WarningCode.BRIGHT: image.lightness > _LIGHTNESS[1] or image.bright_share > _MOST_CLIPPED,
        WarningCode.SMALL: size[0] < wanted[0] or size[1] < wanted[1],
        WarningCode.LOW_CONTRAST: shape is not None and of_mask is not None and of_mask.mask_contrast < _LEAST_CONTRAST,
        WarningCode.NO_LESION: segmented is not None and shape is None,
        WarningCode.LESION_CUT: shape is not None and of_mask is not None and of_mask.mask_rim > _MOST_RIM,
        WarningCode.SEVERAL_LESIONS: shape is not None and len(shape.outlines) > 1,
        WarningCode.UNEVEN: _slope(view, mask) > _MOST_SLOPE,
    }
    return [code for code in WarningCode if found[code]]


def _slope(view: RGBImage, mask: npt.NDArray[np.uint8] | None) -> float:
    """How much lighter skin is on one side of the image than on the other, in L*: the steepest rise of the plane fitted to it."""
    small = cv2.resize(view, (_SIDE, _SIDE), interpolation=cv2.INTER_AREA).astype(np.float32) / 255
    lightness = cv2.cvtColor(small, cv2.COLOR_RGB2LAB)[:, :, 0]
    skin = lightness > _BLACK
    if mask is not None:
        skin &= cv2.dilate(cv2.resize(mask, (_SIDE, _SIDE), interpolation=cv2.INTER_AREA), _AROUND_LESION) == 0
    if skin.mean() < _LEAST_SKIN:
        return 0.0
    rows, columns = np.nonzero(skin)
    plane = np.column_stack([rows / (_SIDE - 1), columns / (_SIDE - 1), np.ones(len(rows))])
    down, across, _ = np.linalg.lstsq(plane, lightness[skin], rcond=None)[0]
    return float(np.hypot(down, across))
