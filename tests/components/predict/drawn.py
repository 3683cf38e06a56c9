"""Drawn images, encoded, for tests of answers."""

import cv2
import numpy as np

from components.images import RGBImage
from components.lesions import Diagnosis
from tests.datasets import COLOURS

SKIN = (211, 173, 150)
"""As `tests.bundles` knows it."""


def lesion(diagnosis: Diagnosis = Diagnosis.MEL, size: tuple[int, int] = (160, 200), share: float = 0.2) -> RGBImage:
    """A disc in a diagnosis's colour, which covers a share of the picture, on even skin."""
    height, width = size
    image = np.full((height, width, 3), SKIN, np.uint8)
    radius = round((share * height * width / np.pi) ** 0.5)
    return cv2.circle(image, (width // 2, height // 2), radius, COLOURS[diagnosis], -1, cv2.LINE_AA) if radius else image


def png(image: RGBImage) -> bytes:
    """As a PNG."""
    return bytes(cv2.imencode(".png", cv2.cvtColor(image, cv2.COLOR_RGB2BGR))[1])


def jpeg(image: RGBImage, quality: int = 95) -> bytes:
    """As a JPEG."""
    return bytes(cv2.imencode(".jpg", cv2.cvtColor(image, cv2.COLOR_RGB2BGR), [cv2.IMWRITE_JPEG_QUALITY, quality])[1])
