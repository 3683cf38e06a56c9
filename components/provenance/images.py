"""What tells apart the images that a model was made with, and how they were split."""

import json

from components.dataset import Dataset
from components.files import sha256_bytes
from components.lesions import Task


def image_list_digest(dataset: Dataset, task: Task) -> str:
    """SHA-256 over the sorted list of (image_id, SHA-256 of its file, split) of a task: train, val and test.

    The data version says more (labels, groups, ages); this is what anybody can compute from the files and a table of splits.
    """
    rows = dataset.rows(task)[["image_id", "sha256", "split"]].to_numpy(dtype=object).tolist()
    return sha256_bytes(json.dumps(sorted(rows)).encode())
