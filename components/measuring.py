"""What is measured on the pixels of one image and its mask; every measure is taken on a reduced picture, which costs little.

| measure | measured on |
|---|---|
| sharpness | the grey image, longer side scaled to 512 |
| dark_share, bright_share | the grey image as it came |
| hair_share | the image scaled to 224 x 224, where preprocessing looks for hair too |
| lightness, border_darkness, skin_tone, skin_share | the image scaled to 112 x 112, in CIELAB of 8 bits a channel |
| mask_share, mask_components | the mask as it came |
| mask_rim, mask_contrast | the mask and the image scaled to 112 x 112 |
"""

import math
from dataclasses import dataclass

import cv2
import numpy as np
import numpy.typing as npt

from components.images import Mask, RGBImage
from components.near_duplicates import halved
from components.preprocess.hair import find_hair

Flags = npt.NDArray[np.bool_]

_SHARP_SIDE = 512
_HAIR_SIDE = 224
_SIDE = 112

# Grey levels at and beyond which a pixel has nothing left to tell: JPEG's rounding moves 0 and 255 by this much.
_DARK, _BRIGHT = 5, 250
# L* of 20 and 15, of 100: darker than the darkest skin, so that it is the rim of a lens, ink or the inside of a lesion.
_VIGNETTE, _BLACK = 51, 38
# A rim of a twentieth of the side, and corners of a quarter of it.
_RIM, _CORNER = 6, 28

# b* of skin; see `individual_typology_angle`.
_LEAST_YELLOW = 5.0
# Levels of blue by which lesion and skin must differ where no mask tells them apart; less is skin's own mottling.
_LEAST_GAP = 30
# Fewer pixels are no sample of skin or of a lesion.
_LEAST_SHARE = 0.02
# The lighter half of the skin, glints left out: shade at the edge of the lens makes skin darker than it is.
_LIGHTER = (0.5, 0.9)
_TONE_DIGITS = 1

_AROUND_LESION = cv2.getStructuringElement(cv2.MORPH_ELLIPSE, (9, 9))
_NEXT_TO_HAIR = np.ones((3, 3), np.uint8)
_RING = np.ones((25, 25), np.uint8)


@dataclass(frozen=True)
class ImageMeasures:
    """Measures of an image: fields are columns of `components.measures`; `skin_tone` is NaN where too little skin shows."""

    sharpness: float
    lightness: float
    dark_share: float
    bright_share: float
    border_darkness: float
    hair_share: float
    skin_tone: float
    skin_share: float


@dataclass(frozen=True)
class MaskMeasures:
    """Measures of a mask against its image; `mask_contrast` is NaN where lesion or skin around it is too small to compare."""

    mask_share: float
    mask_components: float
    mask_rim: float
    mask_contrast: float


def measure(image: RGBImage, grey: npt.NDArray[np.uint8], mask: Mask | None) -> tuple[ImageMeasures, MaskMeasures | None]:
    """Measure an image and its mask.

    Skin is what is neither lesion, nor black, nor hair or ruler. The lesion is that of the mask; without one, the darker part by
    Otsu's threshold (1979) of blue, the channel in which pigment shows most.

    Args:
        image: H x W x 3, uint8, RGB.
        grey: the same, H x W, uint8.
        mask: of the same picture at any scale, uint8, 0 | 255; None: there is none.
    """
    reduced = cv2.resize(halved(image, _HAIR_SIDE), (_HAIR_SIDE, _HAIR_SIDE), interpolation=cv2.INTER_LINEAR)
    hair = find_hair(reduced)
    small = cv2.resize(reduced, (_SIDE, _SIDE), interpolation=cv2.INTER_AREA)
    lab = cv2.cvtColor(small, cv2.COLOR_RGB2LAB)
    # Hair covers a fraction of some of the smaller pixels, and casts a shadow next to it.
    hairy = cv2.dilate(cv2.resize(hair, (_SIDE, _SIDE), interpolation=cv2.INTER_AREA), _NEXT_TO_HAIR) > 0
    clear = (lab[:, :, 0] >= _BLACK) & ~hairy
    lesion = _lesion_of_mask(mask) if mask is not None else _darker_part(small[:, :, 2], clear)
    skin = clear & (cv2.dilate(lesion, _AROUND_LESION) == 0)
    measures = ImageMeasures(
        sharpness=_sharpness(grey),
        lightness=float(lab[:, :, 0].mean()) / 2.55,
        dark_share=float((grey <= _DARK).mean()),
        bright_share=float((grey >= _BRIGHT).mean()),
        border_darkness=float((lab[:, :, 0][_BORDER] < _VIGNETTE).mean()),
        hair_share=cv2.countNonZero(hair) / hair.size,
        skin_tone=_skin_tone(lab, skin),
        skin_share=float(skin.mean()),
    )
    return measures, None if mask is None else _measure_mask(mask, lesion > 0, skin, lab)


def individual_typology_angle(lightness: float, yellow: float) -> float:
    """ITA in degrees, -90 to 90: arctan((L* - 50) / b*) · 180 / π (Chardon et al. 1991; on dermoscopy, Kinyanjui et al. 2020).

    Above 55 very light, above 41 light, 28 intermediate, 10 tan, -30 brown, else dark. Human skin has a b* of 8 to 25; where a
    camera shows it with less than 5, its white balance hides the tone, every skin would count as very light, and the angle is NaN.
    """
    return math.degrees(math.atan2(lightness - 50, yellow)) if yellow >= _LEAST_YELLOW else math.nan


def _sharpness(grey: npt.NDArray[np.uint8]) -> float:
    """Variance of the Laplacian (Pech-Pacheco et al. 2000), whose mean is 0; on pictures of one size, or it would tell the size."""
    height, width = grey.shape
    scale = _SHARP_SIDE / max(height, width)
    size = max(1, round(width * scale)), max(1, round(height * scale))
    scaled = cv2.resize(halved(grey, min(size)), size, interpolation=cv2.INTER_LINEAR)
    return float(cv2.norm(cv2.Laplacian(scaled, cv2.CV_16S), cv2.NORM_L2SQR) / scaled.size)


def _lesion_of_mask(mask: Mask) -> Mask:
    lesion: Mask = cv2.resize(mask, (_SIDE, _SIDE), interpolation=cv2.INTER_NEAREST_EXACT)
    return lesion


def _darker_part(blue: npt.NDArray[np.uint8], clear: Flags) -> Mask:
    """The part of what is clear that is darker than Otsu's threshold; nothing where it is hardly darker than the rest."""
    if not clear.any():
        return np.zeros_like(blue)
    threshold = cv2.threshold(blue[clear].reshape(1, -1), 0, 255, cv2.THRESH_OTSU)[0]
    dark = blue <= threshold
    here, around = blue[dark & clear], blue[~dark & clear]
    if not (len(here) and len(around)) or around.mean() - here.mean() < _LEAST_GAP:
        return np.zeros_like(blue)
    return np.where(dark, np.uint8(255), np.uint8(0))


def _skin_tone(lab: npt.NDArray[np.uint8], skin: Flags) -> float:
    if skin.mean() < _LEAST_SHARE:
        return math.nan
    lightness, yellow = lab[:, :, 0][skin], lab[:, :, 2][skin]
    # The levels that are next to the quantiles, by counting, which is quicker than sorting.
    darkest, lightest = np.searchsorted(np.cumsum(np.bincount(lightness)), np.multiply(_LIGHTER, len(lightness)))
    chosen = (lightness >= darkest) & (lightness <= lightest)
    angle = individual_typology_angle(float(lightness[chosen].mean()) / 2.55, float(yellow[chosen].mean()) - 128)
    # No more digits than it is good for, so that the manifest does not tell on which processor it was made.
    return round(angle, _TONE_DIGITS)


def _measure_mask(mask: Mask, lesion: Flags, skin: Flags, lab: npt.NDArray[np.uint8]) -> MaskMeasures:
    ring = skin & (cv2.dilate(lesion.astype(np.uint8), _RING) > 0)
    return MaskMeasures(
        mask_share=cv2.countNonZero(mask) / mask.size,
        mask_components=cv2.connectedComponents(mask, connectivity=8)[0] - 1,
        mask_rim=float(lesion[_OUTERMOST].mean()),
        mask_contrast=_contrast(lab, lesion, ring),
    )


def _contrast(lab: npt.NDArray[np.uint8], lesion: Flags, around: Flags) -> float:
    """How surely a pixel's L*, a* or b*, whichever tells most, says whether it is lesion or around it: AUC, 0.5 to 1."""
    if min(lesion.mean(), around.mean()) < _LEAST_SHARE / 4:
        return math.nan
    return max(_auc(axis[lesion], axis[around]) for axis in cv2.split(lab))


def _auc(one: npt.NDArray[np.uint8], other: npt.NDArray[np.uint8]) -> float:
    """Chance that a value of one lies beyond a value of the other, on whichever side it mostly does; ties count half."""
    first, second = np.bincount(one, minlength=256), np.bincount(other, minlength=256)
    below = np.cumsum(second) - second / 2
    auc = float(first @ below) / (len(one) * len(other))
    return max(auc, 1 - auc)


def _frame(width: int, corner: int) -> Flags:
    """The rim of a picture, `width` pixels wide, and its corners, triangles of `corner` pixels a side."""
    away = np.minimum(np.arange(_SIDE), np.arange(_SIDE)[::-1])
    down, across = away[:, None], away[None, :]
    frame: Flags = (np.minimum(down, across) < width) | (down + across < corner)
    return frame


_BORDER = _frame(_RIM, _CORNER)
_OUTERMOST = _frame(1, 0)
