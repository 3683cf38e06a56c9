"""Where a lesion is, and its shape: outlines, area, diameter, asymmetry, border; all from the mask."""

import math
from dataclasses import dataclass

import cv2
import numpy as np
import numpy.typing as npt

Flags = npt.NDArray[np.bool_]
Outline = npt.NDArray[np.int32]
"""N x 2, x and y of pixels' centres."""

LEAST_SHARE = 0.002
"""Of the image: a spot that covers less is a hair or a bubble, as `components.lesion_crop` takes it too."""

# Of the largest part: what is smaller is a fringe of it, or a satellite, and counts as no lesion of its own.
_LEAST_OF_LARGEST = 0.1
_FOLDED_SIDE = 256
# The line through the centres of a disc's outermost pixels is longer than its circle by 1 / this (Kulpa 1977: π/8 · (1 + √2)).
_KULPA = math.pi / 8 * (1 + math.sqrt(2))


@dataclass(frozen=True)
class Shape:
    """A mask's lesion.

    Attributes:
        outlines: of all parts that count, the largest first.
        largest: the largest part, H x W, True where it is; the figures below are of it alone.
        area: its pixels.
        diameter: the longest straight line across it, in pixels.
        asymmetry: share of it that does not cover itself when it is folded along the two main axes, the mean of both, 0 to 1 (the
            axes of the ABCD rule: Nachbar 1994; folded: Stoecker 1992).
        border_irregularity: length of the outline over that of a disc of the same area, less one; 0: a disc (compactness: Golston
            1992).
    """

    outlines: list[Outline]
    largest: Flags
    area: int
    diameter: float
    asymmetry: float
    border_irregularity: float


def measure_shape(mask: Flags) -> Shape | None:
    """Measure the lesion of a mask, H x W, True where lesion; None where no part of it is large enough."""
    count, labels, stats, _ = cv2.connectedComponentsWithStats(mask.astype(np.uint8), connectivity=8)
    areas = stats[1:, cv2.CC_STAT_AREA] if count > 1 else np.zeros(1, np.int32)
    order = np.argsort(-areas, kind="stable")
    least = max(LEAST_SHARE * mask.size, _LEAST_OF_LARGEST * areas[order[0]])
    parts = [int(place) for place in order if areas[place] >= least]
    if not parts:
        return None
    outlines = [_outline(labels, stats, place + 1) for place in parts]
    largest: Flags = labels == parts[0] + 1
    return Shape(
        outlines=outlines,
        largest=largest,
        area=int(areas[parts[0]]),
        diameter=_diameter(outlines[0]),
        asymmetry=_asymmetry(_cut_out(labels, stats, parts[0] + 1)),
        border_irregularity=_border_irregularity(outlines[0]),
    )


def simplified(outline: Outline, tolerance: float) -> Outline:
    """An outline of fewer points that is nowhere further from the given one than `tolerance` pixels."""
    polygon: Outline = cv2.approxPolyDP(outline.reshape(-1, 1, 2), tolerance, closed=True).reshape(-1, 2)
    return polygon


def _cut_out(labels: npt.NDArray[np.int32], stats: npt.NDArray[np.int32], label: int) -> npt.NDArray[np.uint8]:
    left, top, width, height = (int(one) for one in stats[label][:4])
    part: npt.NDArray[np.uint8] = (labels[top : top + height, left : left + width] == label).astype(np.uint8)
    return part


def _outline(labels: npt.NDArray[np.int32], stats: npt.NDArray[np.int32], label: int) -> Outline:
    corner = (int(stats[label][cv2.CC_STAT_LEFT]), int(stats[label][cv2.CC_STAT_TOP]))
    part = _cut_out(labels, stats, label)
    found = cv2.findContours(part, cv2.RETR_EXTERNAL, cv2.CHAIN_APPROX_NONE, offset=corner)[0]
    outline: Outline = found[0].reshape(-1, 2)
    return outline


def _diameter(outline: Outline) -> float:
    hull = cv2.convexHull(outline).reshape(-1, 2).astype(np.float64)
    across = np.sqrt(((hull[:, None] - hull[None]) ** 2).sum(axis=2)).max()
    return float(across) + 1  # from the outer edge of one pixel to that of the other


def _border_irregularity(outline: Outline) -> float:
    area = cv2.contourArea(outline)
    if area == 0:  # a line, one pixel wide
        return float(len(outline))
    ratio = cv2.arcLength(outline, closed=True) * _KULPA / (2 * math.sqrt(math.pi * area))
    return max(0.0, float(ratio) - 1)


def _asymmetry(part: npt.NDArray[np.uint8]) -> float:
    scale = min(1.0, _FOLDED_SIDE / max(part.shape))
    if scale < 1:
        size = max(1, round(part.shape[1] * scale)), max(1, round(part.shape[0] * scale))
        part = cv2.resize(part, size, interpolation=cv2.INTER_AREA)
    room = math.ceil(math.hypot(*part.shape)) // 2 + 1
    part = cv2.copyMakeBorder(part, room, room, room, room, cv2.BORDER_CONSTANT, value=0)
    moments = cv2.moments(part, binaryImage=True)
    area = moments["m00"]
    if area == 0:
        return 0.0
    centre = np.array([moments["m10"], moments["m01"]]) / area
    angle = math.atan2(2 * moments["mu11"], moments["mu20"] - moments["mu02"]) / 2
    return float(np.mean([_folded(part, centre, turned, area) for turned in (angle, angle + math.pi / 2)]))


def _folded(part: npt.NDArray[np.uint8], centre: npt.NDArray[np.float64], angle: float, area: float) -> float:
    """Share of a part that its mirror image at the axis through `centre` does not cover."""
    cosine, sine = math.cos(2 * angle), math.sin(2 * angle)
    mirror = np.array([[cosine, sine], [sine, -cosine]])
    move = centre - mirror @ centre
    size = (part.shape[1], part.shape[0])
    mirrored = cv2.warpAffine(part, np.column_stack([mirror, move]), size, flags=cv2.INTER_NEAREST)
    return min(1.0, cv2.countNonZero(cv2.absdiff(part, mirrored)) / (2 * area))
