"""A home in which untrained networks serve, and one prediction after the other in a process of its own.

`python -m tests.bench.predicting PREPARE FOLDER FLOAT32|INT8 CLASSIFIER SIZE SEGMENTER SIZE`
`python -m tests.bench.predicting OURS|KERAS FOLDER`: prints JSON, the median seconds of a prediction from encoded bytes: both
models, the mask of the image's size, and, of ours, all that an answer has besides.
"""

import json
import os
import statistics
import subprocess
import sys
import time
from collections.abc import Callable
from dataclasses import asdict
from pathlib import Path

import numpy as np

from tests.bench.untrained import Network, write_untrained

_REPEATS = 21
# As ISIC's pictures: 600 x 450.
_PICTURE = (450, 600)


def prepare(folder: Path, classifier: Network, segmenter: Network, *, int8: bool = False) -> None:
    """Have the two serve in `folder/home`, in a process of its own, whose TensorFlow is gone after it."""
    form = "INT8" if int8 else "FLOAT32"
    networks = [text for network in (classifier, segmenter) for text in (network.architecture, str(network.size[0]))]
    subprocess.run([sys.executable, "-m", "tests.bench.predicting", "PREPARE", str(folder), form, *networks], check=True)


def predict(side: str, folder: Path) -> float:
    """Median seconds of a prediction."""
    command = [sys.executable, "-m", "tests.bench.predicting", side, str(folder)]
    done = subprocess.run(command, check=True, capture_output=True, text=True)
    return float(json.loads(done.stdout.splitlines()[-1]))


def networks_of(folder: Path) -> tuple[Network, Network]:
    """What was prepared: classifier and segmenter."""
    classifier, segmenter = json.loads((folder / "networks.json").read_text())
    return Network(classifier["architecture"], tuple(classifier["size"])), Network(
        segmenter["architecture"], tuple(segmenter["size"])
    )


def photograph(folder: Path) -> bytes:
    """A drawn picture as JPEG."""
    return (folder / "picture.jpg").read_bytes()


def main(side: str, folder: str, *networks: str) -> None:
    """Prepare, or predict and print."""
    if side == "PREPARE":
        form, first, height, second, other = networks
        size, sides = (int(height), int(height)), (int(other), int(other))
        _prepare(Path(folder), Network(first, size), Network(second, sides), int8=form == "INT8")
        return
    answer = (_ours if side == "OURS" else _keras)(Path(folder))
    data, seconds = photograph(Path(folder)), []
    answer(data)
    for _ in range(_REPEATS):
        start = time.perf_counter()
        answer(data)
        seconds.append(time.perf_counter() - start)
    print(json.dumps(statistics.median(seconds)))


def _ours(folder: Path) -> Callable[[bytes], object]:
    from components.predict.picture import read_with_pixels
    from dermacare.api.limits import IMAGE_PIXELS
    from pipelines.home import Home
    from pipelines.serving.cache import ServingCache

    cache = ServingCache(Home(folder / "home").serving)
    release = cache.remembered
    assert release is not None
    predictor = cache.load(release, len(os.sched_getaffinity(0)))

    def answer(data: bytes) -> object:
        picture, _ = read_with_pixels(data, "image", predictor.reading, IMAGE_PIXELS)
        return predictor.answer(picture)

    return answer


def _keras(folder: Path) -> Callable[[bytes], object]:
    from tests.bench.keras_app import Models

    return Models(folder).answer


def _prepare(folder: Path, classifier: Network, segmenter: Network, *, int8: bool) -> None:
    import cv2

    from components.dataset import Dataset
    from components.lesions import Diagnosis
    from components.tracking import Ledger
    from pipelines.home import Home
    from pipelines.serving.cache import ServingCache
    from pipelines.serving.fetch import fetch_release
    from tests.components.register.conftest import Made, judged
    from tests.datasets import draw_lesion, preprocessed_dataset

    dataset = preprocessed_dataset(folder / "dataset", per_class=3, size=segmenter.size)
    models = [folder / "models" / network.architecture for network in (segmenter, classifier)]
    for network, model in zip((segmenter, classifier), models, strict=True):
        write_untrained(model, network, Dataset(dataset), int8=int8)
    home = Home(folder / "home")
    home.root.mkdir()
    made = Made(dataset, models, judged(dataset, models, folder / "evaluation"))
    made.register(Ledger(home.tracking_uri, "dermacare"), home.root / "out")
    ServingCache(home.serving).remember(fetch_release(home))
    picture, _ = draw_lesion(Diagnosis.MEL, _PICTURE, np.random.default_rng(0))
    cv2.imwrite(str(folder / "picture.jpg"), cv2.cvtColor(picture, cv2.COLOR_RGB2BGR), [cv2.IMWRITE_JPEG_QUALITY, 92])
    (folder / "networks.json").write_text(json.dumps([asdict(classifier), asdict(segmenter)]))


if __name__ == "__main__":
    main(*sys.argv[1:])
