"""Preprocessing against the report's own loop, bit for bit the same pixels."""

import os
import tempfile
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import cv2
import numpy as np
import numpy.typing as npt
import pandas as pd

from components.dataset import COLUMNS, Dataset, write_files_shard, write_manifest
from components.images import one_thread_a_call
from components.lesions import Diagnosis, Task
from components.params import PreprocessParams, load_params
from components.preprocess.shards import cut_shards
from components.preprocess.step import PixelReader, empty_pixels
from components.project import project_file
from tests.bench.row import Row, race
from tests.components.preprocess.report_code import preprocess_as_the_report_does
from tests.datasets import draw_lesion

_IMAGES = 192
_REPEATS = 9
_SIZE = (450, 600)


def measure() -> Iterator[Row]:
    """Images/s from encoded 600x450 JPEG to preprocessed 224x224 pixels in memory, all cores for both."""
    params = load_params(project_file("params.yaml")).params.preprocess
    with tempfile.TemporaryDirectory() as folder:
        files = _write_files(Path(folder) / "files")
        dataset = _write_dataset(Path(folder) / "dataset", files)

        def ours() -> npt.NDArray[np.uint8]:
            return _preprocess(dataset, params)

        def theirs() -> list[npt.NDArray[np.uint8]]:
            height, width = params.classification_size
            return [preprocess_as_the_report_does(file, width, height) for file in files]

        assert np.array_equal(ours()[..., ::-1], theirs()), "the pixels differ from the report's: nothing to compare"
        seconds = race(ours, theirs, repeats=_REPEATS)
        yield Row.of_rates("preprocess exact 600x450", "images/s", ours=_IMAGES / seconds[0], theirs=_IMAGES / seconds[1])


def _preprocess(dataset: Path, params: PreprocessParams) -> npt.NDArray[np.uint8]:
    """The pixels of the whole dataset, by the step's own threads."""
    shards = cut_shards(Dataset(dataset), params)
    pixels = [empty_pixels(shard) for shard in shards]
    with one_thread_a_call(), ThreadPoolExecutor(os.cpu_count()) as pool:
        reader = PixelReader(dataset, params)
        for shard, (images, masks) in zip(shards, pixels, strict=True):
            for _ in reader.read(shard, images, masks, pool):
                pass
    return np.concatenate([images for images, _ in pixels])


def _write_files(folder: Path) -> list[Path]:
    """JPEG files of 600x450: real ones, repeated, where $DERMACARE_REAL_DATA names them, else drawn ones."""
    folder.mkdir()
    encoded = _real_images() or [_drawn_image(number) for number in range(24)]
    files = [folder / f"{number:04d}.jpg" for number in range(_IMAGES)]
    for number, file in enumerate(files):
        file.write_bytes(encoded[number % len(encoded)])
    return files


def _real_images() -> list[bytes]:
    place = os.environ.get("DERMACARE_REAL_DATA")
    if not place:
        return []
    return [path.read_bytes() for path in sorted(Path(place).glob("isic/segmentation_ham10000/images/*.jpg"))[:_IMAGES]]


def _drawn_image(number: int) -> bytes:
    rng = np.random.default_rng(number)
    image, _ = draw_lesion(list(Diagnosis)[number % len(Diagnosis)], _SIZE, rng)
    return bytes(cv2.imencode(".jpg", cv2.cvtColor(image, cv2.COLOR_RGB2BGR))[1])


def _write_dataset(root: Path, files: list[Path]) -> Path:
    shard = write_files_shard(root, "bench", [(file.name, file.read_bytes()) for file in files])
    common = dict.fromkeys(COLUMNS) | {"task": Task.CLASSIFICATION.value, "label": "NV", "source": "bench", "shard": shard}
    height, width = _SIZE
    rows = [
        common | {"image_id": file.stem, "sha256": file.stem, "width": width, "height": height, "row": row}
        for row, file in enumerate(files)
    ]
    write_manifest(root, pd.DataFrame(rows, columns=list(COLUMNS)))
    return root
