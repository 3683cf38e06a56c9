"""Classification: folds by group, every image predicted by the one model that did not learn from its group."""

from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pandas as pd

from components.evaluate.classification import measure_classification
from components.predictions import probabilities_of
from components.scores import ClassificationScores
from tests.results.intervals import interval
from tests.results.run import Finished, assigned, folder, real_data, run
from tests.results.subset import copy_labelled, is_square_256

_FIGURES = {
    "balanced accuracy": lambda scores: scores.balanced_accuracy,
    "macro AUC": lambda scores: scores.macro_auc,
    "macro F1": lambda scores: scores.macro.f1,
    "accuracy": lambda scores: scores.accuracy,
}
# Nearly all images are train or val, of which the folds are cut.
_SPLIT = {"validate.test_share": 0.02, "validate.val_share": 0.02, "validate.audit_fail_on": "never", "train_unet.models": []}
_LITE0 = "efficientnet_lite0"
_RESNETS = ["resnet50", "resnet101", "resnet152"]


def measure_ham10000(*changes: str) -> Iterator[str]:
    """HAM10000: one source, the true imbalance."""
    data = ("--data", str(real_data() / "ham10000"))
    yield from report(run("ham10000", "--profile", "best", *data, *assigned(_SPLIT), *changes), _LITE0)


def measure_isic(*changes: str) -> Iterator[str]:
    """The labelled images of the ISIC subset that are 256 x 256, so that resolution tells nothing."""
    more = {"augment_balance.max_images": None, "preprocess.classification_size": [192, 192]}
    more |= {"train_classifier.epochs": 16, "train_classifier.progressive": [{"epochs": 8, "size": [160, 160]}]}
    yield from report(run("isic", "--profile", "best", *_squares(), *assigned(_SPLIT | more), *changes), _LITE0)


def measure_resnets(*changes: str) -> Iterator[str]:
    """The mission's ResNets from nothing, on the first fold of the same images."""
    more = {"train_classifier.models": _RESNETS, "train_classifier.folds": 5, "train_classifier.fold": 0}
    more |= {"train_classifier.epochs": 14, "train_classifier.overrides": {}}
    finished = run("resnets", "--profile", "small", *_squares(), *assigned(_SPLIT | more), *changes)
    for name in _RESNETS:
        yield from report(finished, name)


def report(finished: Finished, architecture: str) -> Iterator[str]:
    """A line a figure: over all out-of-fold predictions, its 95 % interval, and in each fold."""
    step = f"train_classifier/{architecture}"
    table = pd.read_parquet(finished.output(step) / "out_of_fold.parquet")
    yield f"{architecture}: {len(table)} images out of fold, {finished.minutes(step):.0f} minutes"
    whole = _scores(table)
    folds = [_scores(part) for _, part in table.groupby("fold")]
    groups = table["group_id"].tolist()
    for name, figure in _FIGURES.items():
        low, high = interval(lambda rows, figure=figure: figure(_scores(table.iloc[rows])), groups)
        each = ", ".join(f"{figure(fold):.3f}" for fold in folds)
        mean = np.mean([figure(fold) for fold in folds])
        yield f"  {name} {figure(whole):.3f} ({low:.3f} to {high:.3f}); by fold {each}, mean {mean:.3f}"
    for code, one in whole.classes.items():
        yield f"  {code} sensitivity {one.recall:.3f} of {one.support}"


def _squares() -> tuple[str, str]:
    target: Path = folder("isic-256")
    return "--data", str(copy_labelled(real_data() / "isic" / "classification", target, is_square_256))


def _scores(table: pd.DataFrame) -> ClassificationScores:
    return measure_classification(table["label"].tolist(), probabilities_of(table))
