"""What a step of training is fed."""

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

Floats = npt.NDArray[np.float32]


@dataclass(frozen=True)
class Batch:
    """Samples of one step, float32.

    Attributes:
        images: N x H x W x 3, RGB, 0 to 1.
        targets: classification: N x 8, one-hot or a mix of two that sums to 1, in the order of `components.lesions.CODES`;
            segmentation: N x H x W x 1, 0 | 1.
        weights: N, of each sample in the loss; 1 outside training.
    """

    images: Floats
    targets: Floats
    weights: Floats
