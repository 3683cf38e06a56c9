"""From stored pixels to what a model sees."""

import numpy as np
import numpy.typing as npt


def normalise(pixels: npt.NDArray[np.uint8]) -> npt.NDArray[np.float32]:
    """Scale uint8 0 to 255 to float32 0 to 1, the last stage of the report's chapter 4; any shape.

    It happens when pixels are read for a model, in training, evaluation and serving alike: stored they take a quarter of the room.
    A true division: `x / 255` rounded to float32, which multiplying by 1 / 255 is not.
    """
    return np.divide(pixels, np.float32(255), dtype=np.float32)
