"""Pictures of an answer: a mask and a heat map as PNGs to lay over the image, and the image with the outline drawn."""

import io

import cv2
import numpy as np
import numpy.typing as npt
from PIL import Image

from components.colours import PREDICTED_OUTLINE
from components.images import RGBImage
from components.predict.shape import Outline

_SIDE = 512
# How much of the image the heat map hides at most.
_OPAQUE = 0.75


def mask_picture(mask: npt.NDArray[np.bool_]) -> bytes:
    """A mask, H x W, as a PNG of two colours: white lesion, transparent skin."""
    image = Image.fromarray(mask.astype(np.uint8), "P")
    image.putpalette([0, 0, 0, 255, 255, 255])
    return _png(image, transparency=0, bits=1)


def heat_picture(heat: npt.NDArray[np.float32]) -> bytes:
    """A map, H x W, 0 to 1, as a PNG whose longer side is at most 512: the brighter the more, transparent where nothing is."""
    height, width = heat.shape
    scale = min(1.0, _SIDE / max(height, width))
    size = max(1, round(width * scale)), max(1, round(height * scale))
    small = np.clip(cv2.resize(heat, size, interpolation=cv2.INTER_AREA), 0, 1)
    levels = np.rint(small * 255).astype(np.uint8)
    colours = cv2.cvtColor(cv2.applyColorMap(levels, cv2.COLORMAP_INFERNO), cv2.COLOR_BGR2RGB)
    alpha = np.rint(small * 255 * _OPAQUE).astype(np.uint8)
    return _png(Image.fromarray(np.dstack([colours, alpha]), "RGBA"))


def overlay_picture(image: RGBImage, outlines: list[Outline]) -> bytes:
    """An image, H x W x 3, as a JPEG with the outlines drawn in the colour that predicted ones have everywhere."""
    thickness = max(2, round(max(image.shape[:2]) / 300))
    colour = tuple(int(PREDICTED_OUTLINE[place : place + 2], 16) for place in (1, 3, 5))
    drawn = cv2.polylines(image.copy(), outlines, True, colour, thickness, cv2.LINE_AA)
    encoded: bytes = cv2.imencode(".jpg", cv2.cvtColor(drawn, cv2.COLOR_RGB2BGR), [cv2.IMWRITE_JPEG_QUALITY, 90])[1].tobytes()
    return encoded


def _png(image: Image.Image, **options: int) -> bytes:
    out = io.BytesIO()
    image.save(out, "PNG", compress_level=1, **options)
    return out.getvalue()
