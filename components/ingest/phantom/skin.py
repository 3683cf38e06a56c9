"""The skin around a lesion: mottling, furrows, pores, sun spots and fine vessels, alike for every diagnosis."""

import numpy as np

from components.ingest.phantom.canvas import Canvas, Field, wander
from components.ingest.phantom.tissue import Tissue


def bare_skin(canvas: Canvas, rng: np.random.Generator) -> Tissue:
    """Tissue of healthy skin; its mean colour is given elsewhere, here is what varies over it."""
    skin = Tissue.none(canvas)
    skin.melanin += canvas.noise(rng, 0.4, 6) * np.float32(rng.uniform(0.02, 0.05)) + _furrows(canvas, rng)
    skin.blood += canvas.noise(rng, 0.25, 6) * np.float32(rng.uniform(0.02, 0.06))
    skin.melanin += canvas.noise(rng, 0.025, 2) * np.float32(rng.uniform(0.008, 0.025))
    if rng.random() < 0.5:
        pores = canvas.lattice(rng, rng.uniform(0.05, 0.09), 0.45)
        skin.melanin += canvas.dots(pores, rng.uniform(0.004, 0.007), soft=0.004) * np.float32(rng.uniform(-0.08, 0.1))
    if rng.random() < 0.35:
        skin.melanin += _sun_spots(canvas, rng) * np.float32(rng.uniform(0.08, 0.3))
    if rng.random() < 0.3:
        skin.blood += _fine_vessels(canvas, rng) * np.float32(rng.uniform(0.1, 0.3))
    return skin


def _furrows(canvas: Canvas, rng: np.random.Generator) -> Field:
    """The skin's own criss-cross lines."""
    angle = rng.uniform(0, np.pi)
    relief = canvas.grain(rng, angle, 0.07, 0.011) + canvas.grain(rng, angle + rng.uniform(0.8, 1.4), 0.07, 0.011)
    return relief * np.float32(rng.uniform(0.003, 0.013))


def _sun_spots(canvas: Canvas, rng: np.random.Generator) -> Field:
    spots = canvas.scatter(rng, np.ones_like(canvas.x), int(rng.integers(5, 40)), apart=0.03)
    radii = rng.uniform(0.008, 0.035, len(spots))
    return canvas.warp(canvas.dots(spots, radii, soft=0.01), rng, 0.012, 0.05)


def _fine_vessels(canvas: Canvas, rng: np.random.Generator) -> Field:
    starts = rng.uniform(-canvas.reach, canvas.reach, (int(rng.integers(6, 22)), 2))
    paths = [wander(rng, start, rng.uniform(0, 2 * np.pi), rng.uniform(0.06, 0.25), 0.35) for start in starts]
    return canvas.strokes(paths, [0.004] * len(paths), soft=0.004)
