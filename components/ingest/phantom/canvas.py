"""A canvas, and the noise, dots, strokes and cells that lesions, skin and artefacts are drawn with.

Lengths are in units: what one photograph shows has an area of 1 square unit, so that a lesion's area in square units is its
share of the picture. The origin is the middle of the canvas, x points right, y down.
"""

from collections.abc import Sequence

import cv2
import numpy as np
import numpy.typing as npt

Field = npt.NDArray[np.float32]
Points = npt.NDArray[np.float64]

_SHIFT = 4  # OpenCV draws at a sixteenth of a pixel
_FINE = 2  # strokes are drawn at twice the resolution, since their widths are whole pixels


def smoothstep(low: float, high: float, value: Field) -> Field:
    """0 below `low`, 1 above `high`, smooth between."""
    t = np.clip((value - np.float32(low)) / np.float32(high - low), 0, 1)
    smooth: Field = t * t * (3 - 2 * t)
    return smooth


class Canvas:
    """Coordinates and drawing tools.

    Args:
        height: pixels.
        width: pixels.
        scale: pixels a unit.

    Attributes:
        x, y: coordinates of the pixels' centres, in units, height x width.
        reach: half the width and half the height, in units.
    """

    def __init__(self, height: int, width: int, scale: float) -> None:
        self.height, self.width, self.scale = height, width, scale
        self.reach = np.array([width, height]) / (2 * scale)
        across = ((np.arange(width) + 0.5) / scale - self.reach[0]).astype(np.float32)
        down = ((np.arange(height) + 0.5) / scale - self.reach[1]).astype(np.float32)
        self.x: Field = np.broadcast_to(across, (height, width))
        self.y: Field = np.broadcast_to(down[:, None], (height, width))
        self._columns = np.arange(width, dtype=np.float32)
        self._rows = np.arange(height, dtype=np.float32)[:, None]

    def blank(self) -> Field:
        """A field of zeros."""
        return np.zeros((self.height, self.width), np.float32)

    def noise(self, rng: np.random.Generator, wavelength: float, octaves: int = 1) -> Field:
        """Smooth noise, mean 0, deviation about 1; each further octave has half the wavelength and half the height."""
        total = np.zeros((1, 1), np.float32)
        for octave in range(octaves):
            columns, rows = np.ceil(2 * self.reach / wavelength * 2**octave).astype(int) + 2
            grid = rng.standard_normal((rows, columns), dtype=np.float32) * np.float32(0.5**octave)
            total = cv2.resize(total, (int(columns), int(rows)), interpolation=cv2.INTER_CUBIC) + grid
        deviation = np.sqrt(sum(0.25**octave for octave in range(octaves)))
        field: Field = cv2.resize(total, (self.width, self.height), interpolation=cv2.INTER_CUBIC) * np.float32(1.35 / deviation)
        return field

    def grain(self, rng: np.random.Generator, angle: float, along: float, across: float) -> Field:
        """Noise that is stretched along a direction: `along` units long, `across` units wide."""
        rows, columns = (np.ceil(3 * self.reach.max() / np.array([across, along]))).astype(int) + 2
        grid = rng.standard_normal((rows, columns), dtype=np.float32)
        turn = np.array([[np.cos(angle), np.sin(angle)], [-np.sin(angle), np.cos(angle)]]) / [[along], [across]]
        matrix = np.column_stack([turn / self.scale, [columns / 2, rows / 2] - turn @ self.reach])
        field: Field = cv2.warpAffine(
            grid, matrix, (self.width, self.height), flags=cv2.INTER_CUBIC | cv2.WARP_INVERSE_MAP, borderMode=cv2.BORDER_REFLECT_101
        )
        return field * np.float32(1.35)

    def warp(self, field: Field, rng: np.random.Generator, amount: float, wavelength: float) -> Field:
        """Push a field about by smooth noise of `amount` units, so that what was drawn with compasses looks grown."""
        push = np.float32(amount * self.scale)
        column = self._columns + self.noise(rng, wavelength) * push
        row = self._rows + self.noise(rng, wavelength) * push
        warped: Field = cv2.remap(field, column, row, cv2.INTER_LINEAR, borderMode=cv2.BORDER_REFLECT_101)
        return warped

    def blur(self, field: Field, sigma: float) -> Field:
        """Gaussian blur, `sigma` in units."""
        blurred: Field = cv2.GaussianBlur(field, (0, 0), max(sigma * self.scale, 0.3))
        return blurred

    def dots(self, points: Points, radii: npt.ArrayLike, soft: float = 0.0) -> Field:
        """Discs (N x 2 centres, radii, in units) as coverage, 0 to 1; `soft` blurs their rim, in units."""
        image = np.zeros((self.height, self.width), np.uint8)
        sizes = np.broadcast_to(np.asarray(radii, dtype=np.float64), len(points))
        for (px, py), radius in zip(self._fixed_point(points, 1), sizes, strict=True):
            cv2.circle(image, (int(px), int(py)), round(radius * self.scale * 2**_SHIFT), 255, -1, cv2.LINE_AA, _SHIFT)
        cover: Field = image.astype(np.float32) / np.float32(255)
        return self.blur(cover, soft) if soft else cover

    def strokes(self, paths: Sequence[Points], widths: Sequence[float], soft: float = 0.0) -> Field:
        """Polylines (each N x 2, in units), each of its width, as coverage, 0 to 1."""
        image = np.zeros((self.height * _FINE, self.width * _FINE), np.uint8)
        for path, width in zip(paths, widths, strict=True):
            line = self._fixed_point(path, _FINE).astype(np.int32).reshape(-1, 1, 2)
            cv2.polylines(image, [line], False, 255, max(1, round(width * self.scale * _FINE)), cv2.LINE_AA, _SHIFT)
        small = cv2.resize(image, (self.width, self.height), interpolation=cv2.INTER_AREA)
        cover: Field = small.astype(np.float32) / np.float32(255)
        return self.blur(cover, soft) if soft else cover

    def cells(self, points: Points) -> tuple[Field, npt.NDArray[np.int32]]:
        """Split the canvas among points.

        Returns:
            Distance of each pixel to the border of its cell, in units, and the index of its point.
        """
        seeds = np.full((self.height, self.width), 255, np.uint8)
        row, column = self._pixel(points)
        seeds[row, column] = 0
        _, labels = cv2.distanceTransformWithLabels(seeds, cv2.DIST_L2, 5, labelType=cv2.DIST_LABEL_PIXEL)
        index = np.zeros(labels.max() + 1, np.int32)
        index[labels[row, column]] = np.arange(len(points))
        inner = np.full((self.height, self.width), 255, np.uint8)
        inner[:, 1:][labels[:, 1:] != labels[:, :-1]] = 0
        inner[1:][labels[1:] != labels[:-1]] = 0
        edge: Field = cv2.distanceTransform(inner, cv2.DIST_L2, 5) / np.float32(self.scale)
        return edge, index[labels]

    def at(self, field: Field, points: Points) -> Field:
        """Values of a field at points (N x 2, in units; those beyond the canvas read its border)."""
        values: Field = field[self._pixel(points)]
        return values

    def lattice(self, rng: np.random.Generator, spacing: float, jitter: float) -> Points:
        """Points of a hexagonal lattice over the canvas, turned at random, each moved by up to `jitter` of the spacing."""
        count = int(np.ceil(np.hypot(*self.reach) / spacing * 1.2)) + 1
        row, column = np.mgrid[-count : count + 1, -count : count + 1].astype(np.float64)
        points = np.stack([(column + (row % 2) / 2) * spacing, row * spacing * np.sqrt(3) / 2], -1).reshape(-1, 2)
        points = points + rng.uniform(-jitter, jitter, points.shape) * spacing
        angle = rng.uniform(0, np.pi)
        points = points @ np.array([[np.cos(angle), -np.sin(angle)], [np.sin(angle), np.cos(angle)]])
        kept: Points = points[(np.abs(points) < self.reach).all(axis=1)]
        return kept

    def scatter(self, rng: np.random.Generator, where: Field, count: int, apart: float = 0.0) -> Points:
        """Up to `count` points, at least `apart` units from each other, where `where` is positive, likelier where it is high."""
        candidates = rng.uniform(-self.reach, self.reach, (max(4000, 40 * count), 2))
        chance = rng.uniform(0, max(float(where.max()), 1e-6), len(candidates))
        candidates = candidates[chance < self.at(where, candidates)]
        chosen = np.zeros((0, 2))
        while len(candidates) and len(chosen) < count:
            chosen = np.concatenate([chosen, candidates[:1]])
            candidates = candidates[1:][np.hypot(*(candidates[1:] - candidates[0]).T) >= apart]
        return chosen

    def _pixel(self, points: Points) -> tuple[npt.NDArray[np.intp], npt.NDArray[np.intp]]:
        column, row = np.floor((points + self.reach) * self.scale).astype(np.intp).T
        return np.clip(row, 0, self.height - 1), np.clip(column, 0, self.width - 1)

    def _fixed_point(self, points: Points, fine: int) -> Points:
        """Units to OpenCV's fixed-point pixels, whose origin is the centre of the first pixel."""
        pixels: Points = np.round(((points + self.reach) * self.scale * fine - 0.5) * 2**_SHIFT)
        return pixels


def wander(rng: np.random.Generator, start: Points, heading: float, length: float, bend: float) -> Points:
    """A path of `length` units from a point, whose heading drifts by about `bend` radians each 0.015 units."""
    steps = max(2, round(length / 0.015))
    turns = heading + np.cumsum(rng.normal(0, bend, steps))
    moves = np.stack([np.cos(turns), np.sin(turns)], -1) * 0.015
    return np.concatenate([start.reshape(1, 2), start + np.cumsum(moves, axis=0)])
