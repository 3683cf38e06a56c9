"""How two outlines agree: F1 of their pixels, each right where the other outline is near (Csurka 2013).

An outline is the lesion's pixels that touch skin above, below, left or right; where a lesion runs out of the picture there is none.
Near is within 0.75 % of the picture's diagonal, at least 1 pixel: at 224 x 224 2.4 pixels.
"""

import cv2
import numpy as np
import numpy.typing as npt

_TOLERANCE = 0.0075
_CROSS = cv2.getStructuringElement(cv2.MORPH_CROSS, (3, 3))


def boundary_f1(truth: npt.NDArray[np.bool_], predicted: npt.NDArray[np.bool_]) -> npt.NDArray[np.float64]:
    """Compare the outlines of N masks, both N x H x W, bool, True where lesion.

    Returns:
        N, 0 to 1: 0 where only one of the two has an outline; where neither has, 1 if the masks are the same, else 0.
    """
    return np.array([_one(true, said) for true, said in zip(truth, predicted, strict=True)], np.float64)


def _one(truth: npt.NDArray[np.bool_], predicted: npt.NDArray[np.bool_]) -> float:
    there, drawn = _outline(truth), _outline(predicted)
    if not (there.any() and drawn.any()):
        return float(np.array_equal(truth, predicted))
    tolerance = max(1.0, _TOLERANCE * float(np.hypot(*truth.shape)))
    precision = float(np.mean(_distance(there)[drawn] <= tolerance))
    recall = float(np.mean(_distance(drawn)[there] <= tolerance))
    return 2 * precision * recall / (precision + recall) if precision + recall else 0.0


def _outline(mask: npt.NDArray[np.bool_]) -> npt.NDArray[np.bool_]:
    # OpenCV takes what lies outside the picture for lesion here, so that its frame is no outline.
    inner = cv2.erode(mask.astype(np.uint8), _CROSS)
    outline: npt.NDArray[np.bool_] = mask & (inner == 0)
    return outline


def _distance(outline: npt.NDArray[np.bool_]) -> npt.NDArray[np.float32]:
    """From each pixel to the nearest of the outline, in pixels."""
    distance: npt.NDArray[np.float32] = cv2.distanceTransform((~outline).astype(np.uint8), cv2.DIST_L2, cv2.DIST_MASK_PRECISE)
    return distance
