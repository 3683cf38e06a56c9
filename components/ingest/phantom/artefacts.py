"""What lies between the skin and the eye: hairs, gel bubbles, a ruler, the lens and the light."""

import cv2
import numpy as np

from components.ingest.phantom.canvas import Canvas, Field, Points, smoothstep
from components.ingest.phantom.tissue import RGB

_HAIR_COLOURS = np.array([[0.07, 0.05, 0.05], [0.16, 0.1, 0.07], [0.3, 0.19, 0.11], [0.42, 0.4, 0.4]], np.float32)


def draw_hairs(image: RGB, frame: Canvas, rng: np.random.Generator) -> Field:
    """Draw none, few or many hairs onto `image`, in place.

    Returns:
        The share of each pixel that hair covers, 0 to 1.
    """
    least, most = rng.choice([[0, 0], [1, 8], [9, 20]], p=[0.55, 0.36, 0.09])
    return paint_hairs(image, frame, rng, int(rng.integers(least, most + 1)))


def paint_hairs(image: RGB, frame: Canvas, rng: np.random.Generator, count: int) -> Field:
    """Draw `count` hairs of one colour onto `image`, in place; returns as `draw_hairs`."""
    main = rng.uniform(0, 2 * np.pi)
    paths = [_hair(frame, rng, main + rng.normal(0, 0.5)) for _ in range(count)]
    cover = frame.strokes(paths, [rng.uniform(0.003, 0.0065) for _ in paths])
    colour = _HAIR_COLOURS[rng.choice(len(_HAIR_COLOURS), p=[0.35, 0.35, 0.2, 0.1])]
    shadow = frame.blur(cover, 0.006)[..., None]
    image *= 1 - np.float32(0.15) * shadow
    image += np.float32(rng.uniform(0.75, 0.95)) * cover[..., None] * (colour - image)
    return cover


def _hair(frame: Canvas, rng: np.random.Generator, heading: float) -> Points:
    """A Bezier curve of three points."""
    length, along = rng.uniform(0.15, 0.9), np.array([np.cos(heading), np.sin(heading)])
    start = rng.uniform(-frame.reach, frame.reach) - along * length / 2
    bend = start + along * length / 2 + along[::-1] * [-1, 1] * rng.normal(0, 0.15) * length
    t = np.linspace(0, 1, 25)[:, None]
    return (1 - t) ** 2 * start + 2 * t * (1 - t) * bend + t**2 * (start + along * length)


def draw_bubbles(image: RGB, frame: Canvas, rng: np.random.Generator) -> None:
    """Gel bubbles: a dark rim, a bright inner edge, a glint towards the lamp; in place."""
    lamp = rng.uniform(0, 2 * np.pi)
    middle = rng.uniform(-frame.reach, frame.reach)
    for _ in range(int(rng.integers(1, 9)) if rng.random() < 0.3 else 0):
        centre = middle + rng.normal(0, 0.15, 2)
        radius = np.float32(rng.uniform(0.006, 0.028))
        dx, dy = frame.x - np.float32(centre[0]), frame.y - np.float32(centre[1])
        ratio = np.hypot(dx, dy) / radius
        rim = np.exp(-(((ratio - 1) / np.float32(0.13)) ** 2))
        towards = np.cos(np.arctan2(dy, dx) - np.float32(lamp))
        glint = np.exp(-(((ratio - np.float32(0.72)) / np.float32(0.16)) ** 2)) * smoothstep(0.6, 0.95, towards)
        image *= 1 - np.float32(0.4) * rim[..., None]
        image += (np.float32(0.75) * glint + np.float32(0.04) * (ratio < 1))[..., None] * (1 - image)


def draw_ruler(image: RGB, frame: Canvas, rng: np.random.Generator) -> None:
    """Millimetre marks along one side of one picture in five; in place."""
    if rng.random() > 0.2:
        return
    step, side = rng.uniform(0.028, 0.05), int(rng.integers(4))
    across = side % 2
    edge = (frame.reach[1 - across] - rng.uniform(0.015, 0.035)) * (1 if side < 2 else -1)
    paths = []
    start = rng.uniform(0.3, 0.9)
    for mark, along in enumerate(np.arange(-start * frame.reach[across], frame.reach[across] * rng.uniform(0.5, 1.0), step)):
        length = 0.05 if mark % 10 == 0 else 0.036 if mark % 5 == 0 else 0.022
        ends = np.array([[along, edge], [along, edge - np.sign(edge) * length]])
        paths.append(ends[:, ::-1] if across else ends)
    cover = frame.strokes(paths, [0.0045] * len(paths))
    colour = np.float32(rng.choice([0.08, 0.15, 0.95]))
    image += np.float32(0.8) * cover[..., None] * (colour - image)


def shine_light(image: RGB, frame: Canvas, rng: np.random.Generator) -> None:
    """Exposure, tint and tilt of the light, and the lens: soft dark corners or the black rim of the dermatoscope; in place."""
    tilt, heading = rng.uniform(0, 0.22), rng.uniform(0, 2 * np.pi)
    slope = np.array([np.cos(heading), np.sin(heading)], np.float32) * np.float32(tilt)
    light = np.float32(rng.uniform(0.93, 1.06)) + slope[0] * frame.x + slope[1] * frame.y
    away = np.hypot(frame.x - np.float32(rng.normal(0, 0.03)), frame.y - np.float32(rng.normal(0, 0.03)))
    light *= 1 - np.float32(rng.uniform(0, 0.35)) * away**2
    if rng.random() < 0.2:
        rim = rng.uniform(0.59, 0.7)
        light *= 1 - smoothstep(rim - rng.uniform(0.01, 0.06), rim + 0.01, away)
    tint = np.array([1, rng.uniform(0.96, 1.03), rng.uniform(0.93, 1.08)], np.float32)
    image *= light[..., None] * tint


def take_picture(image: RGB, frame: Canvas, rng: np.random.Generator) -> RGB:
    """The camera: a slightly soft focus and the sensor's noise; values stay within 0 to 1."""
    soft = cv2.GaussianBlur(image, (0, 0), max(0.3, rng.uniform(0.0, 0.0028) * frame.scale))
    noise = rng.standard_normal(soft.shape, dtype=np.float32) * np.float32(rng.uniform(0.004, 0.014))
    picture: RGB = np.clip(soft + cv2.GaussianBlur(noise, (0, 0), 0.5), 0, 1)
    return picture
