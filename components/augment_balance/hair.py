"""Hairs painted on an image, as the phantoms have them: a model that sees them on every diagnosis learns to look past them."""

import cv2
import numpy as np

from components.images import RGBImage
from components.ingest.phantom.artefacts import paint_hairs
from components.ingest.phantom.canvas import Canvas

_MOST = 15


def grow_hair(image: RGBImage, seed: int) -> RGBImage:
    """Paint 1 to 15 dark, thin, curved, half transparent hairs on an image, H x W x 3 uint8 RGB; returns a new one."""
    height, width = image.shape[:2]
    rng = np.random.default_rng(seed)
    painted = image.astype(np.float32) / np.float32(255)
    paint_hairs(painted, Canvas(height, width, float(np.sqrt(height * width))), rng, int(rng.integers(1, _MOST + 1)))
    return cv2.convertScaleAbs(painted, alpha=255)  # type: ignore[no-any-return]
