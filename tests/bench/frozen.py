"""`python -m tests.bench.frozen OURS|KERAS`: phase 1, twelve epochs of a head on a frozen EfficientNet-Lite0, in its own process.

Ours sends each image through the backbone once and trains the head on what comes out; Keras's `fit` sends them through in every
epoch. Both see the same drawn images, not augmented, start from ImageNet's weights, and train the same head at the same rate.
Prints JSON: seconds from the built model to the end of the last epoch, and the accuracy on val.
"""

import json
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np

_EPOCHS, _BATCH, _RATE = 12, 32, 1e-3
_SIZE = (96, 96)
# Of each diagnosis.
_TRAIN, _VAL = 160, 40


@dataclass(frozen=True)
class Outcome:
    """Seconds that phase 1 took; share of the images of val that are told rightly after it."""

    seconds: float
    accuracy: float


def train_frozen(side: str) -> Outcome:
    """Train in a process of its own."""
    command = [sys.executable, "-m", "tests.bench.frozen", side]
    done = subprocess.run(command, check=True, capture_output=True, text=True)
    return Outcome(**json.loads(done.stdout.splitlines()[-1]))


def main(side: str) -> None:
    """Train, and print the outcome."""
    from components.train_classifier.registry import build, load_weights
    from components.training.devices import start_afresh

    start_afresh(1)
    train, val = _samples(0, _TRAIN), _samples(1, _VAL)
    classifier = build("efficientnet_lite0", _SIZE, 0.3)
    load_weights("efficientnet_lite0", classifier, "imagenet", Path(), 0)
    start = time.perf_counter()
    (_ours if side == "OURS" else _keras)(classifier, train, val)
    seconds = time.perf_counter() - start
    right = classifier.model.predict(val[0], verbose=0).argmax(axis=1) == val[1].argmax(axis=1)
    print(json.dumps({"seconds": seconds, "accuracy": float(right.mean())}))


def _samples(seed: int, count: int) -> tuple[np.ndarray, np.ndarray]:
    """Images and one-hot targets, shuffled."""
    from components.lesions import Diagnosis
    from components.preprocess.normalise import normalise
    from tests.datasets import draw_lesion

    rng = np.random.default_rng(seed)
    labels = rng.permutation(np.repeat(np.arange(len(Diagnosis)), count))
    images = np.stack([draw_lesion(list(Diagnosis)[label], _SIZE, rng)[0] for label in labels])
    return normalise(images), np.eye(len(Diagnosis), dtype=np.float32)[labels]


def _ours(classifier: Any, train: tuple[np.ndarray, np.ndarray], val: tuple[np.ndarray, np.ndarray]) -> None:
    from components.augment_balance.batch import Batch
    from components.reporter import Reporter
    from components.train_classifier.features import FeatureBatches, compute_features
    from components.train_classifier.objective import DIAGNOSES
    from components.training.checkpoint import Checkpoints
    from components.training.loop import Run, fit, predictor
    from components.training.phase import frozen_phase_of
    from tests.trainings import classifier_params

    def batches(images: np.ndarray, targets: np.ndarray, begin: int) -> Iterator[Batch]:
        for start in range(begin * _BATCH, len(images), _BATCH):
            part = slice(start, start + _BATCH)
            yield Batch(images[part], targets[part], np.ones(len(images[part]), np.float32))

    with tempfile.TemporaryDirectory() as folder:
        work, backbone = Path(folder), predictor(classifier.backbone)
        learned, judged = (
            FeatureBatches(compute_features(partial(batches, *samples), backbone, work, name, lambda done: None), _BATCH, seed=1)
            for name, samples in (("train", train), ("val", val))
        )
        params = classifier_params(frozen_epochs=_EPOCHS, frozen_learning_rate=_RATE, keep="last", stop_patience=None)
        run = Run(Checkpoints(work), Reporter(work, "bench"), _EPOCHS)
        fit(classifier.head, DIAGNOSES, learned, judged.in_order, frozen_phase_of(params, "frozen"), run)


def _keras(classifier: Any, train: tuple[np.ndarray, np.ndarray], val: tuple[np.ndarray, np.ndarray]) -> None:
    import keras

    classifier.backbone.trainable = False
    # XLA, Keras's choice, costs a CPU minutes.
    classifier.model.compile(keras.optimizers.Adam(_RATE), "categorical_crossentropy", metrics=["accuracy"], jit_compile=False)
    classifier.model.fit(*train, batch_size=_BATCH, epochs=_EPOCHS, validation_data=val, verbose=0)


if __name__ == "__main__":
    main(*sys.argv[1:])
