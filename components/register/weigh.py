"""What a model costs whoever serves it: megabytes, and milliseconds an image."""

import statistics
import time
from pathlib import Path

import numpy as np

from components.bundle import Bundle, read_description

_SIZE = (450, 600)  # HAM10000's
_WARM, _TIMED = 2, 9


def megabytes(bundle: Path) -> float:
    """Size of all its files, in 10^6 bytes."""
    return sum((bundle / name).stat().st_size for name in read_description(bundle).files) / 1e6


def milliseconds(bundle: Path) -> float:
    """Median time of a prediction of one image of 600 x 450, from decoded pixels to probabilities, on this machine."""
    model = Bundle.load(bundle)
    image = np.full((*_SIZE, 3), (232, 190, 165), np.uint8)
    times = []
    for _ in range(_WARM + _TIMED):
        started = time.perf_counter()
        model.predict([image])
        times.append(time.perf_counter() - started)
    return 1000 * statistics.median(times[_WARM:])
