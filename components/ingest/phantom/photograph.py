"""From one lesion to its photographs: each has its own crop, turn, scale, light and hairs."""

from dataclasses import dataclass

import cv2
import numpy as np
import numpy.typing as npt

from components.ingest.phantom import artefacts
from components.ingest.phantom.canvas import Canvas, Field, Points
from components.ingest.phantom.diagnoses import draw_lesion
from components.ingest.phantom.skin import bare_skin
from components.ingest.phantom.tissue import RGB, appearance, skin_colour
from components.lesions import Diagnosis

Pixels = npt.NDArray[np.uint8]

_HALF = 1.0  # the patch of skin reaches this far, in units; a turned photograph sees 0.9 at most
_LEAST = 150  # pixels a unit below which a picture is drawn larger, then scaled down
_FINER = 1.2  # resolution of the patch against the photograph's
_WIDEST = 2.0  # photographs longer than this are drawn at this aspect, then stretched


@dataclass(frozen=True)
class Patch:
    """A lesion with the skin around it.

    Attributes:
        canvas: its coordinates.
        colour: its colour under even light.
        distance: signed distance to the lesion's border, positive inside, in units.
        aim: where photographs of it put the lesion: 0 the middle, 1 as far right and down as it fits.
    """

    canvas: Canvas
    colour: RGB
    distance: Field
    aim: Points


@dataclass(frozen=True)
class Photograph:
    """A picture of a patch: `image` H x W x 3 RGB, `mask` and `hair` H x W, 0 or 255; all uint8."""

    image: Pixels
    mask: Pixels
    hair: Pixels


def draw_patch(diagnosis: Diagnosis, tone: float, size: tuple[int, int], rng: np.random.Generator) -> Patch:
    """Draw a lesion on skin of a tone (ITA, in degrees), fine enough for photographs of a size (height, width)."""
    height, width = _working_size(size)
    side = round(2 * _HALF * _FINER * np.sqrt(height * width))
    canvas = Canvas(side, side, side / (2 * _HALF))
    # Apart, so that how often one of them draws, which hangs on the resolution, does not move the others.
    for_skin, for_lesion = rng.spawn(2)
    lesion, distance = draw_lesion(diagnosis, canvas, for_lesion)
    tissue = bare_skin(canvas, for_skin) + lesion
    colour = appearance(tissue, skin_colour(tone, rng.uniform(9, 15)), rng.uniform(-1, 1))
    heading, away = rng.uniform(0, 2 * np.pi), np.sqrt(rng.uniform(0, 0.4))
    return Patch(canvas, colour, distance, away * np.array([np.cos(heading), np.sin(heading)]))


def take_photograph(patch: Patch, size: tuple[int, int], rng: np.random.Generator) -> Photograph:
    """Photograph a patch at a size (height, width)."""
    height, width = _working_size(size)
    frame = Canvas(height, width, float(np.sqrt(height * width)))
    view = _view(patch, frame, rng)
    shape, flags = (width, height), cv2.INTER_LINEAR | cv2.WARP_INVERSE_MAP
    image = cv2.warpAffine(patch.colour, view, shape, flags=flags, borderMode=cv2.BORDER_REFLECT_101)
    distance = cv2.warpAffine(patch.distance, view, shape, flags=flags, borderMode=cv2.BORDER_REFLECT_101)
    hair = artefacts.draw_hairs(image, frame, rng)
    artefacts.draw_bubbles(image, frame, rng)
    artefacts.draw_ruler(image, frame, rng)
    artefacts.shine_light(image, frame, rng)
    image = artefacts.take_picture(image, frame, rng)
    return Photograph(
        np.round(_resized(image, size) * 255).astype(np.uint8),
        _binary(_resized((distance > 0).astype(np.float32), size), 0.5),
        _binary(_resized(hair, size), 1 / 3),
    )


def _view(patch: Patch, frame: Canvas, rng: np.random.Generator) -> npt.NDArray[np.float64]:
    """The 2 x 3 matrix from the photograph's pixels to the patch's; the whole lesion stays in the picture where it fits."""
    turn, zoom = rng.uniform(-0.35, 0.35), rng.uniform(0.88, 1.12)
    inside = patch.distance > 0
    points = np.stack([patch.canvas.x[inside], patch.canvas.y[inside]], -1) * zoom
    spin = np.array([[np.cos(turn), -np.sin(turn)], [np.sin(turn), np.cos(turn)]])
    turned = points @ spin.T
    low, high = turned.min(axis=0), turned.max(axis=0)
    room = np.maximum(0, frame.reach - (high - low) / 2 - 0.02)
    middle = (patch.aim + rng.uniform(-0.15, 0.15, 2)) * room - (low + high) / 2
    linear = spin.T / zoom
    # photograph pixel → unit → patch unit → patch pixel
    to_patch = linear * patch.canvas.scale / frame.scale
    origin = (0.5 / frame.scale - frame.reach) - middle
    offset = (linear @ origin + patch.canvas.reach) * patch.canvas.scale - 0.5
    return np.column_stack([to_patch, offset])


def _working_size(size: tuple[int, int]) -> tuple[int, int]:
    larger = max(1.0, _LEAST / float(np.sqrt(size[0] * size[1])))
    height, width = round(size[0] * larger), round(size[1] * larger)
    if max(height, width) <= _WIDEST * min(height, width):
        return height, width
    short, long = round(np.sqrt(height * width / _WIDEST)), round(np.sqrt(height * width * _WIDEST))
    return (short, long) if height < width else (long, short)


def _resized(field: Field, size: tuple[int, int]) -> Field:
    if field.shape[:2] == size:
        return field
    resized: Field = cv2.resize(field, size[::-1], interpolation=cv2.INTER_AREA)
    return resized


def _binary(field: Field, threshold: float) -> Pixels:
    return np.where(field > threshold, 255, 0).astype(np.uint8)
