"""What a picture looks like in a few numbers, without a network: colours, where they lie, and how fine its structures are.

A network that learned lesions is blind to much that tells a photograph or noise from skin; these numbers are not. Each is taken on
the picture at 64 x 64 pixels, so that its size tells nothing, but the last one.
"""

from collections.abc import Iterable

import cv2
import numpy as np
import numpy.typing as npt

from components.images import RGBImage

Floats = npt.NDArray[np.float32]

NUMBERS = 26

_SIDE = 64
_HUES = 8
_SCALES = 4


def appearance_of(images: Iterable[RGBImage]) -> Floats:
    """Describe images.

    Args:
        images: N images, H x W x 3, uint8, RGB, of any sizes.

    Returns:
        N x 26: means and (log) deviations of L*, a*, b*; how they differ between middle and rim; quantiles of L* about its median;
        how much colour there is of each of eight hues; log energy of details of four sizes, and of the finest of the picture as it
        is.
    """
    found = [_describe(image) for image in images]
    return np.stack(found).astype(np.float32) if found else np.empty((0, NUMBERS), np.float32)


def _describe(image: RGBImage) -> npt.NDArray[np.float64]:
    small = cv2.resize(image, (_SIDE, _SIDE), interpolation=cv2.INTER_AREA)
    lab = cv2.cvtColor(small.astype(np.float32) / 255, cv2.COLOR_RGB2LAB)
    lightness = lab[..., 0]
    quantiles = np.quantile(lightness, [0.05, 0.25, 0.75, 0.95]) - np.median(lightness)
    deviations = np.log1p(lab.std(axis=(0, 1)))
    return np.concatenate(
        [lab.mean(axis=(0, 1)), deviations, _middle_to_rim(lab), quantiles, _hues(lab), _details(small), [_finest(image)]]
    )


def _middle_to_rim(lab: npt.NDArray[np.float32]) -> npt.NDArray[np.float64]:
    down, across = np.mgrid[-1 : 1 : _SIDE * 1j, -1 : 1 : _SIDE * 1j]
    radius = np.hypot(down, across)
    middle, rim = lab[radius < 0.5], lab[(radius > 0.8) & (radius < 1)]
    return np.asarray(middle.mean(axis=0) - rim.mean(axis=0), np.float64)


def _hues(lab: npt.NDArray[np.float32]) -> npt.NDArray[np.float64]:
    hue, chroma = np.arctan2(lab[..., 2], lab[..., 1]), np.hypot(lab[..., 1], lab[..., 2])
    amounts, _ = np.histogram(hue, _HUES, (-np.pi, np.pi), weights=chroma)
    return np.asarray(np.sqrt(amounts / chroma.size), np.float64)


def _details(small: RGBImage) -> list[float]:
    """What each level of a Laplacian pyramid holds (Burt and Adelson 1983)."""
    grey = small.astype(np.float32).mean(axis=2)
    energies = []
    for _ in range(_SCALES):
        coarse = cv2.pyrDown(grey)
        energies.append(_log_energy(grey - cv2.pyrUp(coarse, dstsize=grey.shape[::-1])))
        grey = coarse
    return energies


def _finest(image: RGBImage) -> float:
    grey = cv2.cvtColor(image, cv2.COLOR_RGB2GRAY).astype(np.float32)
    return _log_energy(cv2.Laplacian(grey, cv2.CV_32F))


def _log_energy(details: npt.NDArray[np.float32]) -> float:
    # Half a grey value squared: less cannot be told from rounding.
    return float(np.log((details**2).mean() + 0.5))
