"""The outline of a mask, drawn over an image; the same wherever a true and a predicted one are compared."""

from typing import TYPE_CHECKING

import numpy as np
import numpy.typing as npt

from components.colours import PREDICTED_OUTLINE, TRUE_OUTLINE

if TYPE_CHECKING:
    from matplotlib.axes import Axes

LEGEND = "yellow: true outline, dashed blue: predicted outline"


def draw_outlines(axes: "Axes", truth: npt.NDArray[np.bool_], predicted: npt.NDArray[np.bool_]) -> None:
    """Draw the outlines of two masks, H x W, bool, on axes that show an image of H x W pixels."""
    _outline(axes, truth, TRUE_OUTLINE, "solid")
    _outline(axes, predicted, PREDICTED_OUTLINE, "dashed")


def _outline(axes: "Axes", mask: npt.NDArray[np.bool_], colour: str, style: str) -> None:
    # A frame of skin around the mask closes the outline of a lesion that leaves the picture.
    framed = np.pad(mask.astype(np.float32), 1)
    if mask.any():
        down, across = (np.arange(length) - 1 for length in framed.shape)
        axes.contour(across, down, framed, levels=[0.5], colors=[colour], linewidths=2, linestyles=style)
