"""The outline of a lesion: from round and smooth to lobed and ragged."""

from dataclasses import dataclass

import cv2
import numpy as np
import numpy.typing as npt

from components.ingest.phantom.canvas import Canvas, Field

_DIRECTIONS = 2048
_REACH = 0.42  # no lesion reaches further from the centre, in units: it must fit into the photograph


@dataclass(frozen=True)
class Outline:
    """How a lesion is bounded.

    Attributes:
        area: square units, that is, the share of a photograph.
        elongation: long by short axis, 1 or more.
        lobes: height of the waves of the outline as a share of its radius: 0.05 smooth, 0.25 very irregular.
        ragged: height of the fine unevenness of the border, in units.
    """

    area: float
    elongation: float
    lobes: float
    ragged: float


def signed_distance(canvas: Canvas, rng: np.random.Generator, outline: Outline) -> Field:
    """Distance of each pixel to the lesion's border in units, positive inside; what is inside is one piece without holes."""
    # An outline has no detail finer than two pixels: half the resolution is enough until its sides are told apart.
    coarse = Canvas(canvas.height // 2, canvas.width // 2, canvas.scale / 2)
    angle = rng.uniform(0, np.pi)
    push = np.float32(outline.ragged)
    x = coarse.x + coarse.noise(rng, 0.16, 4) * push
    y = coarse.y + coarse.noise(rng, 0.16, 4) * push
    along, across = np.cos(angle) * x + np.sin(angle) * y, -np.sin(angle) * x + np.cos(angle) * y
    stretch = np.sqrt(outline.elongation)
    along, across = along / np.float32(stretch), across * np.float32(stretch)
    level = np.hypot(along, across) / _radii(rng, outline.lobes)[_direction(along, across)]
    level[np.hypot(coarse.x, coarse.y) > _REACH] = level.max()
    border = np.quantile(level[::2, ::2], outline.area / float(4 * canvas.reach.prod()))
    return distance_to_border(canvas, cv2.resize(level, (canvas.width, canvas.height)) < border)


def _radii(rng: np.random.Generator, lobes: float) -> Field:
    """Relative radius of the outline in _DIRECTIONS directions."""
    theta = np.linspace(-np.pi, np.pi, _DIRECTIONS, endpoint=False)
    wave = np.arange(2, 8)[:, None]
    height, phase = lobes * rng.normal(size=(6, 1)) * 1.6 / wave, rng.uniform(0, 2 * np.pi, (6, 1))
    radii: Field = np.maximum(1 + (height * np.cos(wave * theta + phase)).sum(axis=0), 0.35).astype(np.float32)
    return radii


def _direction(x: Field, y: Field) -> npt.NDArray[np.intp]:
    turns = (np.arctan2(y, x) + np.float32(np.pi)) * np.float32(_DIRECTIONS / (2 * np.pi))
    return np.minimum(turns.astype(np.intp), _DIRECTIONS - 1)


def distance_to_border(canvas: Canvas, region: npt.NDArray[np.bool_]) -> Field:
    """Signed distance, in units, to the border of the region's largest piece, its holes filled."""
    contours, _ = cv2.findContours(region.astype(np.uint8), cv2.RETR_EXTERNAL, cv2.CHAIN_APPROX_NONE)
    filled = np.zeros(region.shape, np.uint8)
    cv2.drawContours(filled, [max(contours, key=cv2.contourArea)], -1, 1, -1)
    distance = cv2.distanceTransform(filled, cv2.DIST_L2, 5) - cv2.distanceTransform(1 - filled, cv2.DIST_L2, 5)
    smooth: Field = cv2.GaussianBlur(distance, (0, 0), 1.2) / np.float32(canvas.scale)
    return smooth
