"""`python -m tests.bench.judging PREPARE|STEP|MEASURE|KERAS FOLDER`: judge a ResNet50 and a U-Net, each side in its own process.

STEP is the whole step evaluate: intervals, slices, probes, explanations, the official scorer, every figure. MEASURE is the part of
it that a user would write by hand, and KERAS is that, written by hand: `predict`, then scikit-learn. Prints JSON: seconds, without
imports and without building the Keras models.
"""

import json
import subprocess
import sys
import time
from pathlib import Path

import numpy as np

from tests.bench.untrained import Network

SIZE = (128, 128)
IMAGES = 1_000
_BATCH = 32
_MODELS = {"classification": Network("resnet50", SIZE), "segmentation": Network("unet_plain", SIZE)}


def judge(side: str, folder: Path) -> float:
    """Seconds of a side, in a process of its own; `PREPARE` first."""
    command = [sys.executable, "-m", "tests.bench.judging", side, str(folder)]
    done = subprocess.run(command, check=True, capture_output=True, text=True)
    return float(json.loads(done.stdout.splitlines()[-1]))


def main(side: str, folder: str) -> None:
    """Carry out a side, and print its seconds."""
    seconds = {"PREPARE": _prepare, "STEP": _step, "MEASURE": _measure, "KERAS": _keras}[side](Path(folder))
    print(json.dumps(seconds))


def _prepare(folder: Path) -> float:
    """A dataset of which 1,000 images judge, and a bundle of each model, untrained; the classifier refuses what is strange."""
    from components.appearance import appearance_of
    from components.bundle import Bundle
    from components.dataset import Dataset, read_manifest, write_manifest
    from components.lesions import Split, Task
    from components.refusal import Seen, fit_refusal
    from tests.bench.untrained import add_refusal, write_untrained
    from tests.datasets import preprocessed_dataset, some_measures

    root = preprocessed_dataset(folder / "dataset", per_class=IMAGES // 8, images_per_lesion=1, size=SIZE)
    manifest = read_manifest(root)
    is_val = manifest["lesion_id"].map(lambda name: sum(name.encode()) % 10 == 0)
    write_manifest(root, manifest.assign(split=is_val.map({True: Split.VAL.value, False: Split.TEST.value}), fold=None))
    some_measures(root)
    dataset = Dataset(root)
    for task, network in _MODELS.items():
        write_untrained(folder / task, network, dataset)
    classifier, val = folder / "classification", dataset.rows(Task.CLASSIFICATION, Split.VAL)
    images = dataset.images(val)
    seen = Seen(Bundle.load(classifier).features_of(images), appearance_of(images), val["group_id"].to_numpy())
    add_refusal(classifier, fit_refusal(seen, Seen(*(one[:0] for one in vars(seen).values()))))
    return 0.0


def _step(folder: Path) -> float:
    from components.evaluate import evaluate
    from components.params import EvaluateParams
    from components.reporter import Reporter

    out = folder / "out"
    out.mkdir(exist_ok=True)
    start = time.perf_counter()
    evaluate(folder / "dataset", [folder / task for task in _MODELS], out, EvaluateParams(overlays=12), Reporter(out, "evaluate"))
    return time.perf_counter() - start


def _measure(folder: Path) -> float:
    from components.bundle import Bundle
    from components.dataset import Dataset
    from components.evaluate.classification import measure_classification
    from components.evaluate.judged import answered
    from components.evaluate.segmentation import measure_segmentation
    from components.lesions import Task
    from components.predictions import probabilities_of

    start = time.perf_counter()
    dataset = Dataset(folder / "dataset")
    for task in _MODELS:
        rows = dataset.rows(Task(task)).reset_index(drop=True)
        table = answered(Bundle.load(folder / task), dataset, rows, lambda images: None)
        if task == "classification":
            measure_classification(table["label"].tolist(), probabilities_of(table))
        else:
            measure_segmentation(table, table["group_id"].tolist())
    return time.perf_counter() - start


def _keras(folder: Path) -> float:
    import keras  # noqa: F401  # before our settings, so that TensorFlow runs as it is shipped
    import tensorflow  # noqa: F401

    from components.dataset import Dataset
    from components.lesions import Task

    dataset, models = Dataset(folder / "dataset"), {task: network.load(folder / task) for task, network in _MODELS.items()}
    start = time.perf_counter()
    for task, model in models.items():
        rows = dataset.rows(Task(task))
        said = model.predict(dataset.images(rows).astype(np.float32) / 255, batch_size=_BATCH, verbose=0)
        if task == "classification":
            _diagnoses_by_scikit_learn(rows["label"].tolist(), said)
        else:
            _masks_by_scikit_learn(dataset.masks(rows) > 0, said[..., 0] >= 0.5)
    return time.perf_counter() - start


def _diagnoses_by_scikit_learn(truth: list[str], said: np.ndarray) -> None:
    from sklearn.metrics import average_precision_score, classification_report, confusion_matrix, roc_auc_score, roc_curve

    from components.lesions import CODES

    true = np.array([CODES.index(label) for label in truth])
    classification_report(true, said.argmax(axis=1), labels=range(8), output_dict=True, zero_division=0)
    confusion_matrix(true, said.argmax(axis=1), labels=range(8))
    for place in range(8):
        roc_auc_score(true == place, said[:, place])
        average_precision_score(true == place, said[:, place])
    roc_curve(true == 0, said[:, 0])


def _masks_by_scikit_learn(truth: np.ndarray, said: np.ndarray) -> None:
    from sklearn.metrics import f1_score, jaccard_score, precision_score, recall_score

    for one, other in zip(truth.reshape(len(truth), -1), said.reshape(len(said), -1), strict=True):
        for score in (f1_score, jaccard_score, precision_score, recall_score):
            score(one, other, zero_division=0)


if __name__ == "__main__":
    main(*sys.argv[1:])
