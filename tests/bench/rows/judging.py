"""Evaluating 1,000 images with a classifier and a U-Net, against Keras's `predict`, then scikit-learn."""

import tempfile
from collections.abc import Iterator
from pathlib import Path

from tests.bench.judging import IMAGES, SIZE, judge
from tests.bench.row import Row


def measure() -> Iterator[Row]:
    """Seconds; each side in a process of its own, one after the other."""
    with tempfile.TemporaryDirectory() as folder:
        judge("PREPARE", Path(folder))
        theirs, ours, whole = (judge(side, Path(folder)) for side in ("KERAS", "MEASURE", "STEP"))
    what = f"{IMAGES:,} images, resnet50 and unet_plain, {SIZE[0]}x{SIZE[1]}"
    yield Row.of_costs(f"predict and measure {what}", "s", ours=ours, theirs=theirs)
    yield Row.of_costs(f"evaluate {what}, all of the step, against predicting and measuring alone", "s", ours=whole, theirs=theirs)
