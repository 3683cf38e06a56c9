"""From a segmenter's probabilities to a mask, the same in evaluation, in MLflow's model and in serving."""

import cv2
import numpy as np
import numpy.typing as npt

from components.params import Size

Flags = npt.NDArray[np.bool_]


def mask_of(probabilities: npt.NDArray[np.float32], size: Size, threshold: float) -> Flags:
    """The mask at a size: probabilities are scaled by bilinear interpolation, then cut, so that the outline stays smooth.

    Args:
        probabilities: h x w, float32, of being lesion, 0 to 1, at the network's size.
        size: height, width of the mask.
        threshold: least probability that counts as lesion.

    Returns:
        height x width, bool, True where lesion.
    """
    height, width = size
    if probabilities.shape != (height, width):
        probabilities = cv2.resize(probabilities, (width, height), interpolation=cv2.INTER_LINEAR)
    mask: Flags = probabilities >= threshold
    return mask


def scale_mask(mask: Flags, size: Size) -> Flags:
    """A mask of which no probabilities are left, H x W, at another size (height, width), with a smooth outline as of `mask_of`."""
    return mask_of(mask.astype(np.float32), size, 0.5)
