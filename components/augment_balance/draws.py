"""What is drawn for a sample: by seed, epoch, image and repeat alone, not by what was drawn before."""

import hashlib
from dataclasses import dataclass

import numpy as np

from components.augment_balance.plan import Ranges


@dataclass(frozen=True)
class Draw:
    """How one sample differs from the stored image.

    Attributes:
        rotation: degrees, counter-clockwise as seen.
        mirrored: left and right change places.
        flipped: up and down change places.
        zoom: magnification; above 1 the picture grows.
        brightness: added to pixels of 0 to 1.
        contrast: what a pixel's distance to the image's mean is multiplied by.
        saturation: what a pixel's distance to grey is multiplied by.
        hue: turn of all hues, as a share of the circle.
        hair: seed of the hairs painted on it; None: there are none.
    """

    rotation: float
    mirrored: bool
    flipped: bool
    zoom: float
    brightness: float
    contrast: float
    saturation: float
    hue: float
    hair: int | None


def draw(ranges: Ranges, seed: int, epoch: int, image_id: str, repeat: int) -> Draw:
    """Draw how an image looks in an epoch, the `repeat`-th time that it comes (from 0).

    It depends on the arguments alone, not on what was drawn before: a run that resumes at an epoch sees the same pixels.
    """
    digest = hashlib.sha256(f"{seed}/{epoch}/{repeat}/{image_id}".encode()).digest()
    # Always the same nine numbers, so that switching one change off leaves the others as they are.
    numbers = np.random.default_rng(int.from_bytes(digest[:16], "big")).uniform(-1, 1, 9).tolist()
    turn, zoom, light, mirror, flip, contrast, saturation, hue, hair = numbers
    return Draw(
        rotation=ranges.rotation * turn,
        mirrored=ranges.horizontal_flip and mirror < 0,
        flipped=ranges.vertical_flip and flip < 0,
        zoom=1 + ranges.zoom * zoom,
        brightness=ranges.brightness * light,
        contrast=1 + ranges.contrast * contrast,
        saturation=1 + ranges.saturation * saturation,
        hue=ranges.hue * hue,
        hair=int.from_bytes(digest[16:24], "big") if (1 + hair) / 2 < ranges.hair else None,
    )
