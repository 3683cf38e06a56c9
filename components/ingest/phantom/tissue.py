"""What skin is made of, and the colour that light brings back from it.

A picture is not painted: each structure adds pigment, blood or scar to the skin, and the colour follows. Melanin near the
surface looks brown, deep in the skin blue-grey (Tyndall's effect), blood red; fibrous tissue and horn scatter all light.
"""

from dataclasses import dataclass, fields

import cv2
import numpy as np
import numpy.typing as npt

from components.ingest.phantom.canvas import Canvas, Field

RGB = npt.NDArray[np.float32]

# Optical density for red, green and blue of one unit of each absorber.
_MELANIN = np.array([0.5, 0.85, 1.2], np.float32)
_DEEP = np.array([0.98, 0.8, 0.56], np.float32)
_WARM = np.array([-0.08, 0.03, 0.12], np.float32)
_BLOOD = np.array([0.13, 0.92, 0.74], np.float32)
_SCAR = np.array([0.95, 0.885, 0.87], np.float32)
_HORN = np.array([0.93, 0.85, 0.66], np.float32)

# b* of skin over ITA, roughly: tanned skin is the yellowest. With the angle it gives L*.
_TONES = np.array([-60, -45, -30, 10, 28, 41, 55, 70, 80], float)
_YELLOW = np.array([11, 12.5, 15, 18, 18.5, 17, 14, 9.5, 8], float)


@dataclass
class Tissue:
    """Amounts of each substance at each pixel; about 0 to 2 for absorbers, 0 to 1 for scatterers.

    Attributes:
        melanin: brown pigment near the surface.
        deep: pigment in the dermis, blue-grey.
        blood: haemoglobin.
        scar: white fibrous tissue, beneath the absorbers.
        horn: keratin and scale, yellow-white, on top of all.
    """

    melanin: Field
    deep: Field
    blood: Field
    scar: Field
    horn: Field

    @classmethod
    def none(cls, canvas: Canvas) -> "Tissue":
        """Nothing, all over a canvas."""
        return cls(*(canvas.blank() for _ in range(5)))

    def __add__(self, other: "Tissue") -> "Tissue":
        return Tissue(*(getattr(self, f.name) + getattr(other, f.name) for f in fields(self)))


def skin_colour(tone: float, red: float) -> RGB:
    """Colour of bare skin in RGB, 0 to 1.

    Args:
        tone: individual typology angle in degrees, arctan((L* - 50) / b*) (Chardon 1991): above 55 very light, below -30 dark.
        red: a* of CIELAB.
    """
    yellow = float(np.interp(tone, _TONES, _YELLOW))
    lightness = 50 + yellow * np.tan(np.radians(tone))
    lab = np.array([[[lightness, red, yellow]]], np.float32)
    rgb: RGB = np.clip(cv2.cvtColor(lab, cv2.COLOR_LAB2RGB)[0, 0], 0.02, 1)
    return rgb


def appearance(tissue: Tissue, skin: RGB, warmth: float) -> RGB:
    """The colour of tissue on skin of a colour: H x W x 3, 0 to 1.

    Args:
        tissue: what the skin holds.
        skin: colour of bare skin, 3 values, 0 to 1.
        warmth: -1 for melanin that looks grey-brown, 0 plain, 1 reddish (its ratio of eumelanin to pheomelanin).
    """
    light = float(skin.mean())
    melanin = _MELANIN + np.float32(warmth) * _WARM
    # Scar lies in the dermis: on dark skin it is seen through more melanin, so it is not as white there.
    scar, horn = _SCAR * np.float32(0.35 + 0.65 * light) ** 0.5, _HORN * np.float32(0.45 + 0.55 * light) ** 0.5
    scars, horns = np.clip(tissue.scar, 0, 1), np.clip(tissue.horn, 0, 1)
    planes = []
    for channel in range(3):
        density = tissue.melanin * melanin[channel] + tissue.deep * _DEEP[channel] + tissue.blood * _BLOOD[channel]
        plane = (skin[channel] + scars * (scar[channel] - skin[channel])) * np.exp(-density)
        planes.append(plane + horns * (horn[channel] - plane))
    colour: RGB = np.clip(cv2.merge(planes), 0, 1)
    return colour
