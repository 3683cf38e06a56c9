"""`python -m tests.components.training.two_devices FOLDER`: the same training on one processor, and on two virtual ones.

Both trainings start from the same weights and see the same batches, one of them odd and one of a single image, fewer than there are
devices. Then a third one, on two devices, goes on from a checkpoint of the second. Prints JSON: how far apart the weights are, as a
share of their size, and the figures on val.
"""

import json
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np

from components.augment_balance.reader import Batch
from components.reporter import Reporter
from components.train_classifier.objective import DIAGNOSES
from components.train_classifier.registry import build as build_classifier
from components.train_unet.losses import MASKS
from components.train_unet.registry import build as build_segmenter
from components.training.backend import keras
from components.training.checkpoint import Checkpoints
from components.training.devices import mirror, replicas, start_afresh
from components.training.loop import Run, fit
from components.training.phase import phase_of
from tests.trainings import classifier_params

import tensorflow as tf  # isort: skip  # after Keras, whose import sets how TensorFlow runs

_SIZES = (6, 5, 1, 6)
_EPOCHS = 3
_TWO = ["CPU:0", "CPU:1"]


class Pictures:
    """Epochs of random pictures with random targets."""

    steps = len(_SIZES)

    def __init__(self, masks: bool) -> None:
        self._masks = masks

    def epoch(self, number: int, start: int = 0, size: tuple[int, int] | None = None) -> Iterator[Batch]:
        rng = np.random.default_rng(number)
        batches = []
        for count in _SIZES:
            images = rng.random((count, 16, 16, 3), np.float32)
            of_diagnoses = np.eye(8, dtype=np.float32)[rng.integers(0, 8, count)]
            targets = (images[..., :1] > 0.5).astype(np.float32) if self._masks else of_diagnoses
            batches.append(Batch(images, targets, rng.uniform(0.5, 2, count).astype(np.float32)))
        yield from batches[start:]

    def val(self) -> Iterator[Batch]:
        return self.epoch(99)


def train(task: str, folder: Path, devices: list[str]) -> tuple[list[np.ndarray], dict[str, Any]]:
    """The weights and the last epoch's figures of a short training with everything on that a batch as a whole decides."""
    start_afresh(3)
    if len(devices) > 1:
        mirror(devices)
    assert replicas() == len(devices)
    segments = task == "segmentation"
    model: keras.Model = (
        build_segmenter("unet_tiny", (16, 16), 0.0) if segments else build_classifier("tiny_cnn", (16, 16), 0.0).model
    )
    recipe = {"schedule": "cosine", "ema": 0.9, "weight_decay": 0.01, "clip_norm": 0.5, "keep": "last", "stop_patience": None}
    phase = phase_of(classifier_params(epochs=_EPOCHS, learning_rate=0.001, **recipe))
    folder.mkdir(parents=True, exist_ok=True)
    data, reporter = Pictures(segments), Reporter(folder, "test")
    fit(model, MASKS if segments else DIAGNOSES, data, data.val, phase, Run(Checkpoints(folder), reporter, _EPOCHS))
    last = json.loads((folder / "metrics.jsonl").read_text().splitlines()[-1])["values"]
    return [np.array(variable) for variable in model.variables if "float" in variable.dtype], last


def apart(ours: list[np.ndarray], theirs: list[np.ndarray]) -> float:
    """The largest distance of two variables, as a share of the larger of them and 1."""
    return max(float(np.linalg.norm(a - b) / max(np.linalg.norm(b), 1)) for a, b in zip(ours, theirs, strict=True))


def main(folder: Path) -> None:
    """Train, compare, print."""
    tf.config.set_logical_device_configuration(
        tf.config.list_physical_devices("CPU")[0], [tf.config.LogicalDeviceConfiguration() for _ in range(2)]
    )
    tasks = ("segmentation", "classification")
    one = {task: train(task, folder / task / "one", ["CPU:0"]) for task in tasks}
    result: dict[str, object] = {}
    for task in tasks:
        weights, figures = train(task, folder / task / "two", _TWO)
        (folder / task / "two/checkpoints/0003-00000.npz").unlink()
        resumed, _ = train(task, folder / task / "two", _TWO)
        result[task] = {
            "apart": apart(weights, one[task][0]),
            "resumed_apart": apart(resumed, weights),
            "figures": [
                {name: figures[name] for name in figures if name != "images_per_second"} for figures in (one[task][1], figures)
            ],
        }
    print(json.dumps(result))


if __name__ == "__main__":
    main(Path(sys.argv[1]))
