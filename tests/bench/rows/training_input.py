"""What feeds training, against tf.data that decodes the JPEGs each epoch and draws the same augmentation."""

import os
import tempfile
from collections import deque
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from components.augment_balance import augment_balance
from components.augment_balance.plan import Ranges, read_plan
from components.augment_balance.reader import TrainingReader
from components.dataset import Dataset
from components.lesions import CODES, Task
from components.params import load_params
from components.preprocess import preprocess
from components.project import project_file
from components.reporter import Reporter
from tests.bench.row import Row, race
from tests.datasets import encoded_dataset

if TYPE_CHECKING:
    import tensorflow as tf

_SIZE = (450, 600)
_INPUT = (224, 224)
_BATCH = 32
_REPEATS = 7


def measure() -> Iterator[Row]:
    """Images/s of whole epochs of 224x224 batches, from 600x450 JPEGs or what we made of them, all cores for both."""
    params = load_params(project_file("params.yaml")).params
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        encoded = encoded_dataset(folder / "encoded", per_class=48, size=_SIZE, tasks=[Task.CLASSIFICATION])
        for step in ("pixels", "plan"):
            (folder / step).mkdir()
        preprocess(encoded, folder / "pixels", params.preprocess, Reporter(folder / "pixels", "preprocess"))
        even = params.augment_balance.model_copy(update={"oversample": False})
        augment_balance(folder / "pixels", folder / "plan", even, Reporter(folder / "plan", "augment_balance"))
        plan = read_plan(folder / "plan")
        reader = TrainingReader(Dataset(folder / "pixels"), Task.CLASSIFICATION, plan, None, _BATCH)
        files = _train_files(Dataset(encoded), folder / "files")
        rival = _tf_data(files, plan.ranges)
        assert len(files) == reader.samples
        seconds = race(lambda: deque(reader.epoch(0), maxlen=0), lambda: deque(rival, maxlen=0), repeats=_REPEATS)
    yield Row.of_rates("training input", "images/s", ours=len(files) / seconds[0], theirs=len(files) / seconds[1])


def _train_files(dataset: Dataset, folder: Path) -> list[tuple[str, int]]:
    """The images of train as files, each with its class."""
    folder.mkdir()
    rows = dataset.rows(Task.CLASSIFICATION)
    files = []
    for _, row in rows[rows["split"] == "train"].iterrows():
        path = folder / dataset.image_name(row)
        path.write_bytes(dataset.image_bytes(row))
        files.append((str(path), CODES.index(row["label"])))
    return files


def _tf_data(files: list[tuple[str, int]], ranges: Ranges) -> "tf.data.Dataset":
    os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")
    import tensorflow as tf

    def load(path: "tf.Tensor", label: "tf.Tensor") -> tuple["tf.Tensor", "tf.Tensor"]:
        image = tf.io.decode_jpeg(tf.io.read_file(path), channels=3)
        image = _augment(tf.image.resize(image, _INPUT) / 255, ranges)
        return image, tf.one_hot(label, len(CODES))

    paths, labels = (np.array(column) for column in zip(*files, strict=True))
    data = tf.data.Dataset.from_tensor_slices((paths, labels)).shuffle(len(files))
    return data.map(load, num_parallel_calls=tf.data.AUTOTUNE).batch(_BATCH).prefetch(tf.data.AUTOTUNE)


def _augment(image: "tf.Tensor", ranges: Ranges) -> "tf.Tensor":
    """One affine map for turn, zoom, mirroring and flip, then brightness: what `components.augment_balance` draws."""
    import tensorflow as tf

    turn, zoom, light, mirror, flip = tf.unstack(tf.random.uniform([5], -1, 1))
    angle, scale = ranges.rotation * np.pi / 180 * turn, 1 + ranges.zoom * zoom
    across = scale * tf.where(mirror < 0, -1.0, 1.0)
    down = scale * tf.where(flip < 0, -1.0, 1.0)
    a, b, c, d = tf.cos(angle) * across, tf.sin(angle) * down, -tf.sin(angle) * across, tf.cos(angle) * down
    middle = (_INPUT[0] - 1) / 2
    matrix = tf.stack([a, b, middle - a * middle - b * middle, c, d, middle - c * middle - d * middle, 0.0, 0.0])
    warped = tf.raw_ops.ImageProjectiveTransformV3(
        images=image[None],
        transforms=matrix[None],
        output_shape=_INPUT,
        fill_value=0.0,
        interpolation="BILINEAR",
        fill_mode="REFLECT",
    )[0]
    return tf.clip_by_value(warped + ranges.brightness * light, 0, 1)
