"""What tells test sets apart, so that MLflow can count how often each of them was judged on."""

import json

import pandas as pd

from components.dataset import Dataset
from components.files import sha256_bytes
from components.lesions import Split, Task

TRUTH = {Task.CLASSIFICATION: "label", Task.SEGMENTATION: "mask_sha256"}
"""The column of the manifest that a model of a task is judged against."""


def test_set_digest(dataset: Dataset, task: Task) -> str:
    """SHA-256 over the sorted images of test, their bytes and their truth: the same where the same images ask the same question.

    Groups and metadata do not count: they change no answer.
    """
    rows = dataset.rows(task, Split.TEST)[["image_id", "sha256", TRUTH[task]]]
    cells = ([None if pd.isna(cell) else cell for cell in row] for row in rows.to_numpy(dtype=object))
    return sha256_bytes(json.dumps(sorted(cells, key=str)).encode())
