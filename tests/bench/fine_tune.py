"""`python -m tests.bench.fine_tune SIDE MODEL HEIGHT WIDTH BATCH`: some steps in a process of its own.

Prints JSON: seconds from the built model to the end of the first step, and images/s of the steps after the second. Both sides
train the same network from the same arrays on the same loss with Adam: ours (OURS) in the precision that `auto` chooses on this
machine, or in float32 (OURS_IN_FLOAT32); Keras's with Keras's own batch norm, by `fit` as Keras ships it (KERAS), or without XLA
(KERAS_WITHOUT_XLA).
"""

import json
import statistics
import subprocess
import sys
import time
from dataclasses import dataclass
from typing import Any

import numpy as np

_STEPS = 8
_RATE = 1e-5


@dataclass(frozen=True)
class Pace:
    """Seconds until the first step is done; images/s of the median step from the third on."""

    first: float
    rate: float


def fine_tune(side: str, model: str, size: tuple[int, int], batch: int) -> Pace:
    """Train a model in a process of its own; TensorFlow is imported there, under the settings of the side."""
    command = [sys.executable, "-m", "tests.bench.fine_tune", side, model, *map(str, size), str(batch)]
    done = subprocess.run(command, check=True, capture_output=True, text=True)
    return Pace(**json.loads(done.stdout.splitlines()[-1]))


def main(side: str, name: str, height: str, width: str, batch: str) -> None:
    """Train, and print the pace."""
    keras_side = side.startswith("KERAS")
    if keras_side:
        import keras  # noqa: F401  # before our settings, so that TensorFlow runs as it is shipped
        import tensorflow  # noqa: F401
    model, objective = _built(name, (int(height), int(width)), "auto" if side == "OURS" else "float32")
    images, targets = _samples(model, int(batch))
    ends = _keras(model, objective, images, targets, side) if keras_side else _ours(model, objective, images, targets)
    steps = np.diff(ends)
    print(json.dumps({"first": float(steps[0]), "rate": int(batch) / statistics.median(steps[2:].tolist())}))


def _built(name: str, size: tuple[int, int], precision: str) -> tuple[Any, Any]:
    from components.training.devices import set_precision
    from tests.trainings import classifier_params, unet_params

    if name.startswith("unet"):
        from components.train_unet import registry as segmenters
        from components.train_unet.losses import MASKS

        set_precision(segmenters.precision_here(unet_params(name, precision=precision)))
        return segmenters.build(name, size, 0.1), MASKS
    from components.train_classifier import registry as classifiers
    from components.train_classifier.objective import DIAGNOSES

    set_precision(classifiers.precision_here(classifier_params(name, precision=precision)))
    return classifiers.build(name, size, 0.3).model, DIAGNOSES


def _samples(model: Any, batch: int) -> tuple[np.ndarray, np.ndarray]:
    rng = np.random.default_rng(0)
    images = rng.random((batch * _STEPS, *model.input_shape[1:]), np.float32)
    if len(model.output_shape) == 4:
        return images, (images[..., :1] > 0.5).astype(np.float32)
    return images, np.eye(8, dtype=np.float32)[rng.integers(0, 8, len(images))]


def _ours(model: Any, objective: Any, images: np.ndarray, targets: np.ndarray) -> list[float]:
    from components.training.loop import Trainer
    from components.training.phase import phase_of
    from tests.trainings import classifier_params

    ends = [time.perf_counter()]
    trainer = Trainer(model, objective, phase_of(classifier_params(learning_rate=_RATE)), _STEPS)
    for part in np.split(np.arange(len(images)), _STEPS):
        loss, *_ = trainer.train_step(images[part], targets[part], np.ones(len(part), np.float32))
        float(loss)
        ends.append(time.perf_counter())
    return ends


def _keras(model: Any, objective: Any, images: np.ndarray, targets: np.ndarray, side: str) -> list[float]:
    import keras
    import tensorflow as tf

    from components.training.batch_norm import BatchNormalization

    def as_shipped(layer: Any) -> Any:
        shipped = keras.layers.BatchNormalization if isinstance(layer, BatchNormalization) else layer.__class__
        return shipped.from_config(layer.get_config())

    class Ends(keras.callbacks.Callback):
        def on_train_batch_end(self, batch: int, logs: Any = None) -> None:
            ends.append(time.perf_counter())

    shipped = keras.models.clone_model(model, clone_function=as_shipped)
    without = {"jit_compile": False} if side == "KERAS_WITHOUT_XLA" else {}
    data = tf.data.Dataset.from_tensor_slices((images, targets)).batch(len(images) // _STEPS).prefetch(tf.data.AUTOTUNE)
    ends = [time.perf_counter()]
    shipped.compile(keras.optimizers.Adam(_RATE), objective.loss, metrics=[objective.score], **without)
    shipped.fit(data, callbacks=[Ends()], verbose=0)
    return ends


if __name__ == "__main__":
    main(*sys.argv[1:])
