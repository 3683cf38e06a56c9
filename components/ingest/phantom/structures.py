"""Dermoscopic structures, each as a field that a diagnosis turns into pigment, blood, scar or horn.

Names follow the third consensus conference of the International Society of Dermoscopy (Kittler 2016).
"""

import numpy as np
import numpy.typing as npt

from components.ingest.phantom.canvas import Canvas, Field, Points, smoothstep, wander
from components.ingest.phantom.outline import distance_to_border


def within(canvas: Canvas, distance: Field, points: Points, depth: float = 0.0) -> Points:
    """Those points that lie at least `depth` units inside the lesion."""
    kept: Points = points[canvas.at(distance, points) > depth]
    return kept


def pigment_network(
    canvas: Canvas, rng: np.random.Generator, *, spacing: float, line: float, jitter: float, uneven: float
) -> Field:
    """Brown lines around paler holes, 0 to 1.

    Args:
        canvas: where to draw.
        rng: source of chance.
        spacing: between the holes' centres, in units.
        line: half the width of the lines, in units.
        jitter: how unequal the holes are: 0.15 a regular network, 0.5 an atypical one.
        uneven: how much the lines' width varies from place to place: 0 not at all, 1 from thin to thick.
    """
    edge, _ = canvas.cells(canvas.lattice(rng, spacing, jitter))
    width = np.float32(line) * np.exp(np.float32(uneven) * canvas.noise(rng, 0.18, 2) * np.float32(0.7))
    lines = np.exp(-((canvas.warp(edge, rng, 0.1 * spacing, 0.8 * spacing) / width) ** 2))
    network: Field = lines * np.clip(1 + np.float32(0.25 + 0.25 * uneven) * canvas.noise(rng, 0.1, 2), 0, 2)
    return network


def globules(canvas: Canvas, rng: np.random.Generator, points: Points, radii: npt.ArrayLike) -> Field:
    """Round to oval clods, 0 to 1."""
    return canvas.warp(canvas.dots(points, radii, soft=0.004), rng, 0.004, 0.03)


def streaks(canvas: Canvas, rng: np.random.Generator, distance: Field, heading: float, spread: float, count: int) -> Field:
    """Radial lines with bulbous ends (pseudopods) at the border, on the side `heading`, within `spread` radians of it."""
    paths, widths, ends, bulbs = [], [], [], []
    for angle in heading + rng.uniform(-spread, spread, count):
        outwards = np.array([np.cos(angle), np.sin(angle)])
        rays = np.linspace(0.02, 0.5, 97)[:, None] * outwards
        border = rays[np.flatnonzero(canvas.at(distance, rays) > 0)[-1:]]
        if len(border):
            root = border[0] - outwards * rng.uniform(0.03, 0.05)
            path = wander(rng, root, angle + rng.normal(0, 0.2), rng.uniform(0.045, 0.085), 0.12)
            paths.append(path)
            widths.append(rng.uniform(0.006, 0.012))
            ends.append(path[-1])
            bulbs.append(widths[-1] * rng.uniform(0.5, 1.0))
    if not paths:
        return canvas.blank()
    rays = np.maximum(canvas.strokes(paths, widths), canvas.dots(np.array(ends), bulbs))
    return canvas.warp(canvas.blur(rays, 0.004), rng, 0.004, 0.03)


def arborizing_vessels(canvas: Canvas, rng: np.random.Generator, distance: Field, trunks: int) -> Field:
    """Sharp vessels that branch like trees: thick trunks from the border inwards, ever finer branches."""
    paths: list[Points] = []
    widths: list[float] = []

    def grow(start: Points, heading: float, length: float, width: float) -> None:
        path = wander(rng, start, heading, length, 0.22)
        paths.append(path)
        widths.append(width)
        if width < 0.0042:
            return
        for _ in range(int(rng.integers(1, 4))):
            place = path[int(rng.integers(len(path) // 4, len(path)))]
            side = heading + rng.choice([-1, 1]) * rng.uniform(0.4, 1.1)
            grow(place, side, length * rng.uniform(0.4, 0.7), width * rng.uniform(0.55, 0.72))

    turn = rng.uniform(0, 2 * np.pi)
    for trunk in range(trunks):
        angle = turn + 2 * np.pi * (trunk + rng.uniform(-0.2, 0.2)) / trunks
        rays = np.linspace(0.05, 0.5, 91)[:, None] * np.array([np.cos(angle), np.sin(angle)])
        border = rays[np.flatnonzero(canvas.at(distance, rays) > 0.005)[-1:]]
        if len(border):
            reach = float(np.hypot(*border[0]))
            grow(border[0], angle + np.pi + rng.normal(0, 0.35), reach * rng.uniform(0.8, 1.3), rng.uniform(0.008, 0.011))
    return canvas.strokes(paths, widths, soft=0.0015) * smoothstep(-0.03, 0.0, distance)


def leaf_like_areas(canvas: Canvas, rng: np.random.Generator, distance: Field, count: int) -> Field:
    """Bulbous lobes that fan out from a common base at the border, like a maple leaf."""
    paths, widths, tips, bulbs = [], [], [], []
    for base in canvas.scatter(rng, ((distance > 0.005) & (distance < 0.05)).astype(np.float32), count, apart=0.15):
        outwards = np.arctan2(base[1], base[0]) + rng.normal(0, 0.3)
        lobes = int(rng.integers(4, 7))
        for turn in np.linspace(-1.2, 1.2, lobes) + rng.normal(0, 0.1, lobes):
            path = wander(rng, base, outwards + turn, rng.uniform(0.05, 0.1), 0.08)
            paths.append(path)
            widths.append(rng.uniform(0.014, 0.022))
            tips.append(path[-1])
            bulbs.append(rng.uniform(0.016, 0.025))
    if not paths:
        return canvas.blank()
    leaves = np.maximum(canvas.strokes(paths, widths), canvas.dots(np.array(tips), bulbs))
    return canvas.warp(canvas.blur(leaves, 0.007), rng, 0.007, 0.05)


def ovoid_nests(canvas: Canvas, rng: np.random.Generator, distance: Field, count: int, radius: float) -> Field:
    """Large well-bounded ovals, 0 to 1."""
    points = canvas.scatter(rng, smoothstep(0.02, 0.05, distance), count, apart=1.6 * radius)
    grown = [np.concatenate([p + rng.normal(0, 0.5 * radius, (2, 2)), [p]]) for p in points]
    if not grown:
        return canvas.blank()
    discs = np.concatenate(grown)
    return canvas.warp(canvas.dots(discs, radius * rng.uniform(0.55, 1.0, len(discs)), soft=0.009), rng, 0.01, 0.07)


def lacunae(canvas: Canvas, rng: np.random.Generator, distance: Field, spacing: float) -> tuple[Field, Field, Field]:
    """Blood-filled clods packed side by side.

    Returns:
        Coverage, 0 to 1; a number that is the same all over a clod, 0 to 1 at random; signed distance to the cluster's border.
    """
    points = canvas.lattice(rng, spacing, 0.36)
    kept = canvas.at(distance, points) > 0.25 * spacing
    hue = rng.random(len(points), dtype=np.float32)
    edge, index = canvas.cells(points)
    packed = canvas.blur((kept[index] & (edge > 0.06 * spacing)).astype(np.float32), 0.16 * spacing)
    clods = canvas.warp(smoothstep(0.38, 0.78, packed), rng, 0.06 * spacing, 0.6 * spacing)
    cluster = canvas.blur(kept[index].astype(np.float32), 0.2 * spacing) > 0.4
    return clods, hue[index], distance_to_border(canvas, cluster)


def follicles(canvas: Canvas, rng: np.random.Generator, distance: Field, spacing: float) -> tuple[Field, Field]:
    """Openings of hair follicles: their yellowish plugs and the pale halos around them, each 0 to 1."""
    points = within(canvas, distance, canvas.lattice(rng, spacing, 0.36), 0.01)
    points = points[rng.random(len(points)) < 0.85]
    size = rng.uniform(0.65, 1.25, len(points)) * spacing
    plugs = canvas.dots(points, 0.12 * size, soft=0.04 * spacing)
    halos = canvas.dots(points, 0.36 * size, soft=0.1 * spacing)
    return canvas.warp(plugs, rng, 0.04 * spacing, spacing), canvas.warp(halos, rng, 0.05 * spacing, spacing)


def white_circles(canvas: Canvas, rng: np.random.Generator, points: Points) -> tuple[Field, Field]:
    """Bright rings around follicles that horn plugs: the rings and the plugs, each 0 to 1."""
    radii = rng.uniform(0.019, 0.028, len(points))
    outer, inner = canvas.dots(points, radii, soft=0.003), canvas.dots(points, radii - 0.009, soft=0.003)
    return canvas.warp(outer - inner, rng, 0.006, 0.05), inner


def looped_vessels(canvas: Canvas, rng: np.random.Generator, distance: Field, count: int) -> tuple[Field, Field]:
    """Hairpin loops that stand upright on the border, and dots: the vessels and the pale halos around them, each 0 to 1."""
    rim = ((distance > 0.012) & (distance < 0.075)).astype(np.float32)
    paths, halos = [], []
    dots = canvas.scatter(rng, rim, count, apart=0.02)
    for point in canvas.scatter(rng, rim, count, apart=0.035):
        turn = np.arctan2(point[1], point[0]) + rng.normal(0, 0.5)
        along, across = np.array([np.cos(turn), np.sin(turn)]), np.array([-np.sin(turn), np.cos(turn)])
        length, width, lean = rng.uniform(0.02, 0.04), rng.uniform(0.006, 0.01), rng.normal(0, 0.5)
        sweep = np.linspace(-1, 1, 15)
        rise = 1 - np.abs(sweep) ** 3
        paths.append(point + np.outer(length * rise, along) + np.outer(width * (np.sin(sweep * 2.2) + lean * rise), across))
        halos.append(np.array([point, point + along * length * 0.8]))
    vessels = np.maximum(canvas.strokes(paths, [0.0045] * len(paths), soft=0.0015), canvas.dots(dots, 0.004, soft=0.002))
    return vessels, canvas.strokes(halos, [0.03] * len(halos), soft=0.008)


def scale(canvas: Canvas, rng: np.random.Generator, coverage: float) -> Field:
    """Flakes of horn on the surface, 0 to 1; `coverage` is about their share of the area."""
    coarse = canvas.noise(rng, 0.16, 2)
    fine = canvas.noise(rng, 0.035, 3)
    level = float(np.quantile(coarse[::4, ::4], 1 - coverage))
    return smoothstep(level - 0.2, level + 0.5, coarse) * smoothstep(-0.3, 0.9, fine)


def gyri(canvas: Canvas, rng: np.random.Generator, wavelength: float) -> Field:
    """Fissures between ridges, as on a brain: 1 along the fissures, 0 on the ridges."""
    relief = canvas.noise(rng, wavelength) + 0.25 * canvas.noise(rng, 0.5 * wavelength)
    return np.exp(-((relief / np.float32(0.22)) ** 2))


def patch(canvas: Canvas, rng: np.random.Generator, centre: Points, radius: float, soft: float = 0.25) -> Field:
    """An area of irregular outline around a centre, 0 to 1; its border is `soft` radii wide, either way."""
    away = np.hypot(canvas.x - np.float32(centre[0]), canvas.y - np.float32(centre[1])) / np.float32(radius)
    return smoothstep(-soft, soft, 1 - away + canvas.noise(rng, 0.7 * radius + 0.02, 3) * np.float32(0.25))


def crystalline_lines(canvas: Canvas, rng: np.random.Generator, distance: Field, radius: float) -> Field:
    """Shiny white lines, short, straight, at right angles to each other, in the middle of the lesion."""
    turn = rng.uniform(0, np.pi)
    paths = []
    for point in within(canvas, distance, rng.normal(0, 0.6 * radius, (int(rng.integers(8, 20)), 2)), 0.4 * radius):
        angle = turn + rng.choice([0, np.pi / 2]) + rng.normal(0, 0.1)
        half = rng.uniform(0.012, 0.035) * np.array([np.cos(angle), np.sin(angle)])
        paths.append(np.array([point - half, point + half]))
    return canvas.strokes(paths, [0.006] * len(paths), soft=0.002)
