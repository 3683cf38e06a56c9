"""Segmentation: one fold of five by group, images as they came, masks judged at their own size."""

from collections.abc import Iterator
from pathlib import Path

import cv2
import numpy as np
import pandas as pd

from components.bundle import Bundle
from components.dataset import Dataset
from components.images import decode_image, decode_mask
from components.lesions import Split, Task
from components.overlap import MEASURES, Overlap, count_overlap, measure_overlap, threshold_jaccard
from tests.results.intervals import interval
from tests.results.run import Finished, assigned, folder, real_data, run
from tests.results.subset import copy_pairs

_BATCH = 32
_LITE0 = "unet_efficientnet_lite0"
_WANG = ["unet_plain", _LITE0]


def measure_both(*changes: str) -> Iterator[str]:
    """One model for both sets: a fifth of the groups is test, a little of the rest chooses the threshold."""
    data = real_data()
    sources = ("--data", str(data / "ham10000"), "--data", str(data / "isic"))
    split = {"validate.test_share": 0.2, "validate.val_share": 0.04, "validate.audit_fail_on": "never"}
    settings = assigned(split | {"train_classifier.models": [], "preprocess.classification_size": [32, 32]})
    yield from report(run("segmentation", "--profile", "best", *sources, *settings, *changes), _LITE0)


def measure_wang(*changes: str) -> Iterator[str]:
    """Wang's setting (2023): some 100 images to learn from, 10 epochs, pixel accuracy on val."""
    pairs = copy_pairs(real_data() / "isic" / "segmentation", folder("isic-pairs"), 200)
    split = {"validate.test_share": 0.25, "validate.val_share": 0.25, "validate.audit_fail_on": "never"}
    settings = {"train_classifier.models": [], "train_unet.models": _WANG, "train_unet.epochs": 10, "train_unet.progressive": []}
    settings |= {"train_unet.weights": "none", "train_unet.overrides": {_LITE0: {"weights": "imagenet"}}}
    finished = run("wang", "--profile", "best", "--data", str(pairs), *assigned(split | settings), *changes)
    for name in _WANG:
        yield from report(finished, name, Split.VAL)


def report(finished: Finished, architecture: str, split: Split = Split.TEST) -> Iterator[str]:
    """A line a size of masks and figure: its mean over the images of a split, and that mean's 95 % interval."""
    step = f"train_unet/{architecture}"
    dataset = Dataset(finished.output("validate"))
    learned = len(dataset.rows(Task.SEGMENTATION, Split.TRAIN))
    yield f"{architecture}: {learned} images learned from, {finished.minutes(step):.0f} minutes"
    for size, part in judge(finished.output(step), dataset, split).groupby("mask"):
        yield f"  masks of {size}: {len(part)} images of {split}"
        for name in ("dice", "jaccard", "thresholded_jaccard", "global_accuracy", "sensitivity", "specificity"):
            values = part[name].to_numpy()
            low, high = interval(lambda chosen, values=values: float(values[chosen].mean()), part["group_id"].tolist())
            yield f"    {name} {values.mean():.4f} ({low:.4f} to {high:.4f})"


def judge(model: Path, data: Dataset, split: Split) -> pd.DataFrame:
    """Predict every image of a split of a validated dataset with a bundle, from the file as it came.

    Returns:
        A row an image: group_id, size of its mask as `height x width`, each of `MEASURES`, and `thresholded_jaccard`.
    """
    bundle = Bundle.load(model)
    rows = data.rows(Task.SEGMENTATION, split).sort_values(["shard", "row"], ignore_index=True)
    parts = [_judge_batch(bundle, data, rows.iloc[start : start + _BATCH]) for start in range(0, len(rows), _BATCH)]
    table = pd.concat(parts, ignore_index=True)
    return table.assign(thresholded_jaccard=threshold_jaccard(table["jaccard"].to_numpy()))


def _judge_batch(bundle: Bundle, data: Dataset, rows: pd.DataFrame) -> pd.DataFrame:
    records = rows.to_dict("records")
    probabilities = bundle.predict([decode_image(data.image_bytes(row), str(row["image_id"])) for row in records])
    truths = [decode_mask(data.mask_bytes(row), str(row["mask"])) > 0 for row in records]
    counts = [_overlap(truth, said, bundle) for truth, said in zip(truths, probabilities, strict=True)]
    overlap = Overlap(*(np.concatenate([getattr(one, name) for one in counts]) for name in vars(counts[0])))
    identity = rows[["image_id", "group_id"]].reset_index(drop=True)
    sizes = [f"{truth.shape[0]} x {truth.shape[1]}" for truth in truths]
    return identity.assign(mask=sizes).join(measure_overlap(overlap)[list(MEASURES)])


def _overlap(truth: np.ndarray, said: np.ndarray, bundle: Bundle) -> Overlap:
    height, width = truth.shape
    mask = cv2.resize(said, (width, height), interpolation=cv2.INTER_LINEAR) >= bundle.description.mask_threshold
    return count_overlap(truth[None], mask[None])
