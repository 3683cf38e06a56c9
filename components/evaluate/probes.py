"""Pictures that a classifier should refuse.

far     photographs (scikit-learn's two), charts, noise: no skin at all
near    skin beside the lesion, lesions out of focus, half covered, or enlarged: made of images of test

No threshold is fitted on them; but which form the score has (features of one length) was chosen while looking at such pictures, so
that other strange pictures may fare worse.
"""

from collections.abc import Mapping

import cv2
import numpy as np
import numpy.typing as npt
from sklearn.datasets import load_sample_images

Pixels = npt.NDArray[np.uint8]

PICTURES = 24
"""Of each kind of far pictures."""


def draw_far(size: tuple[int, int], seed: int = 0) -> Mapping[str, Pixels]:
    """Kind → `PICTURES` x H x W x 3, uint8, RGB; `size`: height, width."""
    rng = np.random.default_rng(seed)
    photographs = load_sample_images().images
    return {
        "photographs": np.stack([_cut(photographs[place % 2], size, rng) for place in range(PICTURES)]),
        "charts": np.stack([_chart(size, rng, place) for place in range(PICTURES)]),
        "noise": np.stack([_noise(size, rng, 2 ** (place % 6)) for place in range(PICTURES)]),
    }


def draw_near(images: Pixels) -> Mapping[str, Pixels]:
    """Kind → N x H x W x 3, made of as many images of test, each of which it changes."""
    return {
        "skin beside the lesion": np.stack([_enlarged(one, 0, 4) for one in images]),
        "out of focus": np.stack([cv2.GaussianBlur(one, (0, 0), one.shape[0] / 40) for one in images]),
        "half covered": np.stack([_covered(one) for one in images]),
        "enlarged": np.stack([_enlarged(one, 1, 3) for one in images]),
    }


def _cut(photograph: Pixels, size: tuple[int, int], rng: np.random.Generator) -> Pixels:
    """A random half of a photograph in height and width."""
    height, width = (side // 2 for side in photograph.shape[:2])
    top, left = rng.integers(photograph.shape[0] - height), rng.integers(photograph.shape[1] - width)
    return _scaled(photograph[top : top + height, left : left + width], size)


def _chart(size: tuple[int, int], rng: np.random.Generator, place: int) -> Pixels:
    """Lines, bars or points on white paper."""
    from matplotlib.backends.backend_agg import FigureCanvasAgg
    from matplotlib.figure import Figure

    figure = Figure(figsize=(4, 3), dpi=100)
    axes, values = figure.subplots(), rng.normal(size=(3, 20)).cumsum(axis=1)
    if place % 3 == 0:
        axes.plot(values.T)
    elif place % 3 == 1:
        axes.bar(range(20), values[0])
    else:
        axes.scatter(values[0], values[1], c=values[2])
    canvas = FigureCanvasAgg(figure)
    canvas.draw()
    return _scaled(np.asarray(canvas.buffer_rgba())[..., :3], size)


def _noise(size: tuple[int, int], rng: np.random.Generator, grain: int) -> Pixels:
    """Random colours, each over `grain` pixels in height and width."""
    coarse = rng.integers(0, 256, (-(-size[0] // grain), -(-size[1] // grain), 3)).astype(np.uint8)
    noise: Pixels = cv2.resize(coarse, size[::-1], interpolation=cv2.INTER_NEAREST)
    return noise


def _enlarged(image: Pixels, place: int, of: int) -> Pixels:
    """A tile on the diagonal of `of` x `of`, counted from 0 at the upper left corner, scaled to the image's size."""
    height, width = image.shape[0] // of, image.shape[1] // of
    tile = image[place * height : (place + 1) * height, place * width : (place + 1) * width]
    return _scaled(tile, image.shape[:2])


def _covered(image: Pixels) -> Pixels:
    """Its left half under white paper."""
    covered = image.copy()
    covered[:, : image.shape[1] // 2] = 245
    return covered


def _scaled(image: Pixels, size: tuple[int, int]) -> Pixels:
    scaled: Pixels = cv2.resize(np.ascontiguousarray(image), size[::-1], interpolation=cv2.INTER_AREA)
    return scaled
