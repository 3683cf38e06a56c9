"""Data for leak studies: lesions whose diagnosis nothing tells but having seen the lesion, two images each."""

from pathlib import Path

import numpy as np
import pandas as pd

from components.augment_balance.plan import Ranges
from components.dataset import COLUMNS, shard_name, write_manifest, write_pixels_shard, write_preprocessing
from components.files import sha256_bytes
from components.leak_study import LeakStudyParams
from components.leak_study.scores import LeakScores, Paired
from components.lesions import Diagnosis, Split, Task
from components.params import load_params
from components.project import project_file
from tests.datasets import resize_alone
from tests.trainings import classifier_params

_SPLITS = (Split.TRAIN, Split.TRAIN, Split.VAL, Split.TEST)
_SIZE = (16, 16)


def coloured_lesions(root: Path, lesions: int = 64) -> Path:
    """Write a dataset of lesions that are one colour each, and melanoma or nevus by the toss of a coin."""
    rng = np.random.default_rng(0)
    labels = [(Diagnosis.MEL, Diagnosis.NV)[int(side)] for side in rng.integers(2, size=lesions)]
    colours = rng.integers(20, 236, (lesions, 1, 1, 1, 3))
    views = np.clip(colours + rng.normal(0, 4, (lesions, 2, *_SIZE, 3)), 0, 255).astype(np.uint8)
    names = [f"T_{lesion:03d}_{view}" for lesion in range(lesions) for view in range(2)]
    shard = write_pixels_shard(root, shard_name(Task.CLASSIFICATION, names), views.reshape(-1, *_SIZE, 3))
    rows = [
        dict.fromkeys(COLUMNS)
        | {
            "image_id": name,
            "task": Task.CLASSIFICATION.value,
            "label": labels[number // 2].value,
            "group_id": name[:5],
            "source": "phantom",
            "sha256": sha256_bytes(name.encode()),
            "width": _SIZE[1],
            "height": _SIZE[0],
            "split": _SPLITS[number // 2 % len(_SPLITS)].value,
            "shard": shard,
            "row": number,
        }
        for number, name in enumerate(names)
    ]
    write_preprocessing(root, resize_alone(_SIZE))
    write_manifest(root, pd.DataFrame(rows, columns=list(COLUMNS)))
    return root


def study_params(epochs: int) -> LeakStudyParams:
    """A training that learns by heart: nothing is drawn, nothing is dropped, nothing stops it."""
    section = load_params(project_file("params.yaml"), profile="report").params.augment_balance
    still = {name: type(value)(0) for name, value in section.model_dump(include=set(Ranges.model_fields)).items()}
    recipe = {"frozen_epochs": 0, "epochs": epochs, "learning_rate": 0.01, "batch_size": 16, "schedule": "cosine", "dropout": 0.0}
    return LeakStudyParams(
        classifier=classifier_params(**recipe, stop_patience=None, keep="last"),
        balance=section.model_copy(update=still),
        test_share=0.3,
        preprocess=resize_alone(_SIZE),
    )


def leak_scores(low: float, difference: float, high: float) -> LeakScores:
    """What a study found, all figures alike: a difference and its interval."""
    one = Paired(clean=0.5, leaked=0.5 + difference, low=low, high=high)
    counts = {"test_images": 10, "test_groups": 8, "train_images": 50, "leaked_images": 9, "leaking_share": 0.2}
    names = ("balanced_accuracy", "accuracy", "macro_f1")
    return LeakScores(data_version="f" * 64, phantom=False, model="resnet50", seeds=1, figures=dict.fromkeys(names, one), **counts)
