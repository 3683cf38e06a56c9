"""`python -m tests.bench.roof MODEL HEIGHT WIDTH`: how fast this machine convolves, and how much a training step asks of it.

Prints JSON: FLOP/s of a large float32 convolution (3 x 3, 256 to 256 channels, 56 x 56, 8 images) through TensorFlow, oneDNN
underneath; and the operations of one image in a training step: three times those of the way forwards, two for each multiplication.
"""

import json
import math
import statistics
import subprocess
import sys
import time
from dataclasses import dataclass

_REPEATS = 9
_SIDE, _CHANNELS, _IMAGES, _KERNEL = 56, 256, 8, 3


@dataclass(frozen=True)
class Roof:
    """FLOP/s of the convolution; FLOP of one image in a training step."""

    rate: float
    image: float


def roof(model: str, size: tuple[int, int]) -> Roof:
    """Measure in a process of its own."""
    command = [sys.executable, "-m", "tests.bench.roof", model, *map(str, size)]
    done = subprocess.run(command, check=True, capture_output=True, text=True)
    return Roof(**json.loads(done.stdout.splitlines()[-1]))


def main(name: str, height: str, width: str) -> None:
    """Measure and print."""
    print(json.dumps({"rate": _convolution_rate(), "image": _operations(name, (int(height), int(width)))}))


def _convolution_rate() -> float:
    from components.training.backend import keras, ops

    import tensorflow as tf  # isort: skip  # after our settings

    images = keras.random.normal((_IMAGES, _SIDE, _SIDE, _CHANNELS), seed=1)
    kernel = keras.random.normal((_KERNEL, _KERNEL, _CHANNELS, _CHANNELS), seed=2)
    convolve = tf.function(lambda: ops.sum(ops.conv(images, kernel, padding="same")), autograph=False)
    convolve()
    times = []
    for _ in range(_REPEATS):
        start = time.perf_counter()
        float(convolve())
        times.append(time.perf_counter() - start)
    return 2 * _IMAGES * _SIDE**2 * _KERNEL**2 * _CHANNELS**2 / statistics.median(times)


def _operations(name: str, size: tuple[int, int]) -> float:
    from components.train_classifier.registry import build
    from components.training.backend import layers

    multiplications = 0
    for layer in build(name, size, 0.3).backbone.layers:
        if isinstance(layer, layers.Conv2D):
            multiplications += math.prod(layer.kernel.shape) * math.prod(layer.output.shape[1:3])
    return 3 * 2 * multiplications


if __name__ == "__main__":
    main(*sys.argv[1:])
