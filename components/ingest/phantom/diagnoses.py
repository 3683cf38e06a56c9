"""One lesion of each diagnosis: which structures it has, where, and how much.

What tells the diagnoses apart is structure. Amounts of pigment and blood are drawn from ranges that overlap, since on real
skin a nevus may be as dark as a melanoma, and an actinic keratosis as brown as a seborrheic one.
"""

from collections.abc import Callable

import numpy as np

from components.ingest.phantom import structures
from components.ingest.phantom.canvas import Canvas, Field, Points, smoothstep
from components.ingest.phantom.outline import Outline, distance_to_border, signed_distance
from components.ingest.phantom.tissue import Tissue
from components.lesions import Diagnosis

Drawing = tuple[Tissue, Field]
"""What the lesion adds to the skin, and the signed distance to its border (positive inside), in units."""


def draw_lesion(diagnosis: Diagnosis, canvas: Canvas, rng: np.random.Generator) -> Drawing:
    """Draw a lesion in the middle of a canvas."""
    lesion, distance = _DRAWN[diagnosis](canvas, rng)
    uneven = 1 + np.float32(0.13) * canvas.noise(rng, 0.12, 5)
    for substance in (lesion.melanin, lesion.blood, lesion.deep, lesion.horn):
        substance *= uneven
    return lesion, distance


def _melanoma(canvas: Canvas, rng: np.random.Generator) -> Drawing:
    """Asymmetric in outline and colour: atypical network, blotch, streaks on one side, irregular dots, blue-white veil."""
    distance = signed_distance(canvas, rng, Outline(rng.uniform(0.15, 0.36), rng.uniform(1.1, 1.6), 0.15, 0.022))
    lesion, radius = Tissue.none(canvas), float(distance.max())
    body = _body(canvas, rng, distance, rng.uniform(0.01, 0.02))
    heading = rng.uniform(0, 2 * np.pi)
    zones = (canvas.x * np.cos(heading) + canvas.y * np.sin(heading)) / np.float32(0.8 * radius) + 0.5 * canvas.noise(rng, 0.25, 4)
    dark = rng.uniform(0.25, 0.6)
    lesion.melanin += body * (rng.uniform(0.2, 0.4) + dark * smoothstep(-0.7, 0.3, zones) + dark * smoothstep(0.5, 1.3, zones))
    lesion.blood += body * smoothstep(0.2, 1.2, -zones) * rng.uniform(0.1, 0.45)
    network = structures.pigment_network(canvas, rng, spacing=rng.uniform(0.036, 0.05), line=0.0095, jitter=0.45, uneven=0.9)
    lesion.melanin += network * smoothstep(0, 0.04, distance) * smoothstep(-0.4, 0.5, -zones) * rng.uniform(0.35, 0.7)

    centre = _beside(heading + rng.normal(0, 0.4), 0.65 * radius)
    lesion.melanin += structures.patch(canvas, rng, centre, rng.uniform(0.4, 0.65) * radius) * body * rng.uniform(0.6, 1.1)
    aside = heading + rng.uniform(1.2, 2.4) * rng.choice([-1, 1])
    veil = structures.patch(canvas, rng, _beside(aside, 0.45 * radius), rng.uniform(0.55, 0.8) * radius, soft=0.5) * body
    lesion.melanin *= 1 - 0.75 * veil
    lesion.deep += veil * rng.uniform(0.55, 0.95) * (1 + 0.25 * canvas.noise(rng, 0.08, 3))
    lesion.scar += veil * rng.uniform(0.3, 0.5)

    if rng.random() < 0.75:
        side, spread, count = heading + rng.normal(0, 0.5), rng.uniform(0.5, 1.0), int(rng.integers(14, 30))
        rays = structures.streaks(canvas, rng, distance, side, spread, count)
        lesion.melanin = np.maximum(lesion.melanin, rays * (rng.uniform(0.5, 0.8) + dark))
        distance = distance_to_border(canvas, (distance > 0) | (rays > 0.5))
    around = smoothstep(0.01, 0.03, distance) * smoothstep(-0.3, 0.6, zones)
    points = canvas.scatter(rng, around, int(rng.integers(12, 35)), 0.015)
    lesion.melanin += structures.globules(canvas, rng, points, rng.uniform(0.004, 0.015, len(points))) * rng.uniform(0.5, 0.9)
    return lesion, distance


def _nevus(canvas: Canvas, rng: np.random.Generator) -> Drawing:
    """Symmetric, one or two browns; a regular network that fades at the border, or regular globules."""
    distance = signed_distance(canvas, rng, Outline(rng.uniform(0.1, 0.32), rng.uniform(1.0, 1.4), 0.05, 0.012))
    lesion = Tissue.none(canvas)
    body = _body(canvas, rng, distance, rng.uniform(0.015, 0.04))
    depth = smoothstep(0, float(distance.max()), distance)
    lesion.melanin += body * (rng.uniform(0.15, 0.5) + rng.uniform(-0.1, 0.5) * depth)
    lesion.blood += body * rng.uniform(0, 0.35)
    if rng.random() < 0.6:
        spacing = rng.uniform(0.034, 0.046)
        network = structures.pigment_network(canvas, rng, spacing=spacing, line=0.19 * spacing, jitter=0.17, uneven=0.15)
        lesion.melanin += network * smoothstep(-0.015, 0.09, distance) * rng.uniform(0.5, 0.9)
    else:
        spacing = rng.uniform(0.04, 0.055)
        points = structures.within(canvas, distance, canvas.lattice(rng, spacing, 0.16), 0.008)
        clods = structures.globules(canvas, rng, points, spacing * rng.uniform(0.27, 0.36, len(points)))
        lesion.melanin += clods * rng.uniform(0.4, 0.8)
    return lesion, distance


def _basal_cell_carcinoma(canvas: Canvas, rng: np.random.Generator) -> Drawing:
    """Pink and translucent, without network: arborizing vessels, and mostly leaf-like areas or blue-grey ovoid nests."""
    distance = signed_distance(canvas, rng, Outline(rng.uniform(0.14, 0.36), rng.uniform(1.0, 1.5), 0.1, 0.018))
    lesion = Tissue.none(canvas)
    body = _body(canvas, rng, distance, rng.uniform(0.02, 0.035))
    lesion.blood += body * (rng.uniform(0.15, 0.4) + 0.07 * canvas.noise(rng, 0.2, 4))
    lesion.scar += body * np.clip(rng.uniform(0.15, 0.35) + 0.15 * canvas.noise(rng, 0.15, 4), 0, 1)
    lesion.melanin += body * (rng.uniform(0.05, 0.5) + 0.1 * canvas.noise(rng, 0.2, 4))
    vessels = structures.arborizing_vessels(canvas, rng, distance, int(rng.integers(2, 4)))
    lesion.blood += vessels * rng.uniform(0.8, 1.3)

    pigment = rng.random()
    if pigment < 0.6:
        leaves = structures.leaf_like_areas(canvas, rng, distance, int(rng.integers(1, 4)))
        lesion.melanin += leaves * rng.uniform(0.4, 0.7)
        lesion.deep += leaves * rng.uniform(0.15, 0.4)
        distance = distance_to_border(canvas, (distance > 0) | (leaves > 0.5))
    if pigment > 0.35:
        nests = structures.ovoid_nests(canvas, rng, distance, int(rng.integers(2, 6)), rng.uniform(0.028, 0.048))
        lesion.deep += nests * rng.uniform(0.6, 1.0)
        lesion.melanin += nests * rng.uniform(0.1, 0.3)
        points = canvas.scatter(rng, smoothstep(0.01, 0.03, distance), int(rng.integers(4, 16)), 0.02)
        lesion.deep += structures.globules(canvas, rng, points, rng.uniform(0.006, 0.011, len(points))) * 0.7
    return lesion, distance


def _actinic_keratosis(canvas: Canvas, rng: np.random.Generator) -> Drawing:
    """Strawberry pattern: yellow-white follicles with pale halos on a red, or brown, pseudo-network; scale; no clear border."""
    distance = signed_distance(canvas, rng, Outline(rng.uniform(0.18, 0.4), rng.uniform(1.0, 1.5), 0.12, 0.025))
    lesion = Tissue.none(canvas)
    body = _body(canvas, rng, distance, 0.045)
    plugs, halos = structures.follicles(canvas, rng, distance, rng.uniform(0.048, 0.066))
    between = body * (1 - rng.uniform(0.7, 0.9) * halos) * np.clip(1 + 0.3 * canvas.noise(rng, 0.12, 4), 0.3, 2)
    brown = rng.uniform(0.1, 0.7) if rng.random() < 0.6 else 0.0
    lesion.blood += between * rng.uniform(0.35, 0.7) * (1 - 0.5 * brown)
    lesion.melanin += between * brown
    lesion.scar += halos * body * rng.uniform(0.05, 0.22)
    lesion.horn += plugs * body * rng.uniform(0.35, 0.6)
    lesion.horn += structures.scale(canvas, rng, rng.uniform(0.05, 0.2)) * body * rng.uniform(0.3, 0.6)
    return lesion, distance


def _benign_keratosis(canvas: Canvas, rng: np.random.Generator) -> Drawing:
    """Stuck on, sharply bordered, dull brown: milia-like cysts and comedo-like openings, or fissures between ridges."""
    distance = signed_distance(canvas, rng, Outline(rng.uniform(0.12, 0.36), rng.uniform(1.0, 1.5), 0.08, 0.016))
    lesion = Tissue.none(canvas)
    body = smoothstep(-0.006, 0.008, distance)
    lesion.melanin += body * (rng.uniform(0.25, 0.85) + 0.12 * canvas.noise(rng, 0.2, 4))
    lesion.deep += body * rng.uniform(0.05, 0.2)
    lesion.blood += body * rng.uniform(0, 0.3)
    lesion.horn += body * np.clip(rng.uniform(0, 0.25) + 0.1 * canvas.noise(rng, 0.04, 3), 0, 1)
    lesion.melanin += body * (1 - smoothstep(0.0, 0.03, distance)) * rng.uniform(0, 0.3)
    cerebriform = rng.random() < 0.4
    if cerebriform:
        fissures = structures.gyri(canvas, rng, rng.uniform(0.05, 0.075)) * smoothstep(0, 0.02, distance)
        lesion.melanin += fissures * rng.uniform(0.35, 0.7)
    share = 0.4 if cerebriform else 1.0
    middle = smoothstep(0.015, 0.03, distance)
    openings = canvas.scatter(rng, middle, round(share * rng.integers(7, 20)), 0.04)
    lesion.melanin += structures.globules(canvas, rng, openings, rng.uniform(0.008, 0.017, len(openings))) * rng.uniform(0.8, 1.3)
    cysts = canvas.scatter(rng, middle, round(share * rng.integers(10, 28)), 0.035)
    lesion.horn += canvas.dots(cysts, rng.uniform(0.006, 0.013, len(cysts)), soft=0.004) * rng.uniform(0.6, 0.95)
    return lesion, distance


def _dermatofibroma(canvas: Canvas, rng: np.random.Generator) -> Drawing:
    """A white scar-like patch in the middle of a delicate ring of network that fades into the skin."""
    distance = signed_distance(canvas, rng, Outline(rng.uniform(0.14, 0.34), rng.uniform(1.0, 1.25), 0.06, 0.014))
    lesion, radius = Tissue.none(canvas), float(distance.max())
    body = _body(canvas, rng, distance, rng.uniform(0.05, 0.08))
    away = distance / np.float32(radius) + 0.09 * canvas.noise(rng, 0.16, 4)
    core = smoothstep(rng.uniform(0.3, 0.45), rng.uniform(0.75, 0.9), away)
    ring = body * (1 - core)
    lesion.melanin += ring * rng.uniform(0.1, 0.4)
    lesion.blood += body * (1 - 0.6 * core) * rng.uniform(0.05, 0.4)
    spacing = rng.uniform(0.03, 0.036)
    network = structures.pigment_network(canvas, rng, spacing=spacing, line=0.16 * spacing, jitter=0.25, uneven=0.3)
    lesion.melanin += network * ring * rng.uniform(0.25, 0.5)
    lesion.scar += core * rng.uniform(0.5, 0.75) * (1 + 0.15 * canvas.noise(rng, 0.06, 4))
    lesion.scar += structures.crystalline_lines(canvas, rng, distance, 0.5 * radius) * 0.4
    return lesion, distance


def _vascular_lesion(canvas: Canvas, rng: np.random.Generator) -> Drawing:
    """Sharply bordered lacunae, red, blue or black, between pale septa."""
    outline = signed_distance(canvas, rng, Outline(rng.uniform(0.1, 0.32), rng.uniform(1.0, 1.4), 0.1, 0.01))
    clods, hue, distance = structures.lacunae(canvas, rng, outline, rng.uniform(0.065, 0.11))
    lesion = Tissue.none(canvas)
    body = smoothstep(-0.008, 0.012, distance)
    blue, dark = rng.choice([0, rng.uniform(0.4, 1)]), rng.uniform(0, 1) ** 2
    blue = blue * (0.4 + 0.6 * smoothstep(0.2, 0.8, hue))
    lesion.blood += body * rng.uniform(0.2, 0.5) + clods * (rng.uniform(0.3, 0.7) + 0.4 * hue) * (1 - 0.85 * blue)
    lesion.deep += clods * 0.8 * blue
    lesion.melanin += clods * dark * smoothstep(0.6, 0.9, 1 - hue) * 1.3 + body * rng.uniform(0, 0.4)
    lesion.scar += (body - clods).clip(0, 1) * rng.uniform(0.1, 0.5)
    lesion.scar += body * np.clip(0.25 * canvas.noise(rng, 0.15, 3), 0, 1)
    return lesion, distance


def _squamous_cell_carcinoma(canvas: Canvas, rng: np.random.Generator) -> Drawing:
    """A mass of horn with blood spots, white circles around it, and looped or dotted vessels at the border."""
    distance = signed_distance(canvas, rng, Outline(rng.uniform(0.18, 0.38), rng.uniform(1.0, 1.4), 0.1, 0.018))
    lesion, radius = Tissue.none(canvas), float(distance.max())
    body = _body(canvas, rng, distance, rng.uniform(0.02, 0.04))
    lesion.blood += body * (rng.uniform(0.2, 0.55) + 0.1 * canvas.noise(rng, 0.15, 4))
    lesion.melanin += body * (rng.uniform(0, 0.5) + 0.08 * canvas.noise(rng, 0.2, 4))
    lesion.scar += body * np.clip(0.15 * canvas.noise(rng, 0.12, 3), 0, 1)
    mass = structures.patch(canvas, rng, _beside(rng.uniform(0, 2 * np.pi), 0.25 * radius), rng.uniform(0.5, 0.7) * radius) * body
    lesion.horn += mass * np.clip(rng.uniform(0.55, 0.75) + 0.18 * canvas.noise(rng, 0.06, 4), 0, 1)
    lesion.melanin += mass * rng.uniform(0, 0.5)
    spots = canvas.scatter(rng, smoothstep(0.3, 0.9, mass), int(rng.integers(4, 12)), 0.025)
    blood = structures.globules(canvas, rng, spots, rng.uniform(0.006, 0.014, len(spots)))
    lesion.horn *= 1 - 0.9 * blood
    lesion.blood += blood * 0.9
    lesion.melanin += blood * 0.8

    around = smoothstep(0.03, 0.055, distance) * (1 - smoothstep(0.1, 0.4, mass))
    rings, plugs = structures.white_circles(canvas, rng, canvas.scatter(rng, around, int(rng.integers(7, 18)), 0.062))
    lesion.blood *= 1 - 0.8 * rings
    lesion.scar += rings * 0.6
    lesion.horn += rings * 0.25
    lesion.melanin += plugs * rng.uniform(0.15, 0.45)
    loops, halos = structures.looped_vessels(canvas, rng, distance, int(rng.integers(14, 30)))
    lesion.scar += halos * 0.25
    lesion.blood += loops * rng.uniform(0.7, 1.1)
    return lesion, distance


def _body(canvas: Canvas, rng: np.random.Generator, distance: Field, soft: float) -> Field:
    """1 inside the lesion, 0 outside, with a border as soft as `soft` units and uneven on a small scale."""
    return smoothstep(-soft, soft, distance + np.float32(min(0.45 * soft, 0.014)) * canvas.noise(rng, 0.06, 4))


def _beside(heading: float, away: float) -> Points:
    return away * np.array([np.cos(heading), np.sin(heading)])


_DRAWN: dict[Diagnosis, Callable[[Canvas, np.random.Generator], Drawing]] = {
    Diagnosis.MEL: _melanoma,
    Diagnosis.NV: _nevus,
    Diagnosis.BCC: _basal_cell_carcinoma,
    Diagnosis.AK: _actinic_keratosis,
    Diagnosis.BKL: _benign_keratosis,
    Diagnosis.DF: _dermatofibroma,
    Diagnosis.VASC: _vascular_lesion,
    Diagnosis.SCC: _squamous_cell_carcinoma,
}
