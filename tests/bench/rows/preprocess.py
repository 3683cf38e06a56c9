"""Preprocessing against the report's own loop, that loop in a process pool, and the decoder alone."""

import itertools
import multiprocessing
import os
import tempfile
from collections import deque
from collections.abc import Callable, Iterator
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
_REPEATS = 7
_SIZES = {"exact": (450, 600), "fast": (1024, 1024)}
# ISIC's own files: about 120 KB at 1,024 pixels, 250 KB at 600.
_QUALITY = 92


def measure() -> Iterator[Row]:
    """Images/s from encoded JPEG to preprocessed 224x224 pixels in memory, all cores for both but for the report's own loop."""
    report = load_params(project_file("params.yaml")).params.preprocess
    for mode, (height, width) in _SIZES.items():
        params = report.model_copy(update={"mode": mode})
        with tempfile.TemporaryDirectory() as folder:
            files = _write_files(Path(folder) / "files", (height, width))
            yield from _measure(
                f"preprocess {mode} {width}x{height}", _write_dataset(Path(folder) / "dataset", files), files, params
            )


def _measure(name: str, dataset: Path, files: list[Path], params: PreprocessParams) -> Iterator[Row]:
    pixels, loop = _preprocess(dataset, params), _loop(files)
    difference = float(np.abs(pixels[..., ::-1].astype(np.int16) - loop).mean())
    assert difference == 0 if params.mode == "exact" else difference < 5, f"{difference:.2f} grey levels: nothing to compare"
    with multiprocessing.get_context("spawn").Pool(os.cpu_count(), cv2.setNumThreads, (1,)) as pool:
        rivals: dict[str, Callable[[], object]] = {
            name: lambda: _loop(files),
            f"{name}, against a process pool": lambda: pool.map(_report, files, chunksize=8),
        }
        if params.mode == "fast":
            rivals[f"{name}, share of the decode-only limit"] = lambda: _decode_alone(files)
        for title, theirs in rivals.items():
            seconds = race(lambda: _preprocess(dataset, params), theirs, repeats=_REPEATS)
            yield Row.of_rates(title, "images/s", ours=_IMAGES / seconds[0], theirs=_IMAGES / seconds[1])


def _loop(files: list[Path]) -> list[npt.NDArray[np.uint8]]:
    return [_report(file) for file in files]


def _report(file: Path) -> npt.NDArray[np.uint8]:
    return preprocess_as_the_report_does(file, 224, 224)


def _decode_alone(files: list[Path]) -> None:
    """What cannot be undercut with OpenCV: its decoder alone, at the same scale, on all cores."""
    with one_thread_a_call(), ThreadPoolExecutor(os.cpu_count()) as pool:
        list(pool.map(lambda file: cv2.imdecode(np.fromfile(file, np.uint8), cv2.IMREAD_REDUCED_COLOR_4), files))


def _preprocess(dataset: Path, params: PreprocessParams) -> npt.NDArray[np.uint8]:
    """The pixels of the whole dataset, by the step's own threads."""
    source = Dataset(dataset)
    shards = cut_shards(source, params)
    pixels = [empty_pixels(shard) for shard in shards]
    with one_thread_a_call(), ThreadPoolExecutor(os.cpu_count()) as pool:
        reader = PixelReader(source, params)
        for shard, (images, masks) in zip(shards, pixels, strict=True):
            deque(reader.read(shard, images, masks, pool), maxlen=0)
    return np.concatenate([images for images, _ in pixels])


def _write_files(folder: Path, size: tuple[int, int]) -> list[Path]:
    """JPEG files of a size: real photographs, repeated, where $DERMACARE_REAL_DATA names them, else drawn ones."""
    folder.mkdir()
    encoded = _real_images(size) or [_drawn_image(number, size) for number in range(24)]
    files = [folder / f"{number:04d}.jpg" for number in range(_IMAGES)]
    for number, file in enumerate(files):
        file.write_bytes(encoded[number % len(encoded)])
    return files


def _real_images(size: tuple[int, int]) -> list[bytes]:
    place = os.environ.get("DERMACARE_REAL_DATA")
    if not place:
        return []
    if size == _SIZES["exact"]:
        return [path.read_bytes() for path in sorted(Path(place).glob("isic/segmentation_ham10000/images/*.jpg"))[:_IMAGES]]
    # Those of 1,022 x 767 pixels, made square.
    photographs = (cv2.imread(str(path)) for path in sorted(Path(place).glob("isic/classification/images/*.jpg")))
    large = itertools.islice((image for image in photographs if image.shape[1] >= 1000), 48)
    return [_encode(cv2.resize(image, size[::-1], interpolation=cv2.INTER_AREA)) for image in large]


def _drawn_image(number: int, size: tuple[int, int]) -> bytes:
    image, _ = draw_lesion(list(Diagnosis)[number % len(Diagnosis)], size, np.random.default_rng(number))
    return _encode(cv2.cvtColor(image, cv2.COLOR_RGB2BGR))


def _encode(image: npt.NDArray[np.uint8]) -> bytes:
    return bytes(cv2.imencode(".jpg", image, [cv2.IMWRITE_JPEG_QUALITY, _QUALITY])[1])


def _write_dataset(root: Path, files: list[Path]) -> Path:
    shard = write_files_shard(root, "bench", [(file.name, file.read_bytes()) for file in files])
    common = dict.fromkeys(COLUMNS) | {"task": Task.CLASSIFICATION.value, "label": "NV", "source": "bench", "shard": shard}
    rows = [
        common | {"image_id": file.stem, "sha256": file.stem, "width": 1, "height": 1, "row": row} for row, file in enumerate(files)
    ]
    write_manifest(root, pd.DataFrame(rows, columns=list(COLUMNS)))
    return root
