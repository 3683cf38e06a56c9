"""Classification: folds by group, every image predicted by the one model that did not learn from its group."""

from collections.abc import Callable, Iterator, Set

import numpy as np
import pandas as pd

from components.evaluate.bootstrap import intervals
from components.evaluate.classification import measure_classification
from components.predictions import probabilities_of
from components.scores import ClassificationScores
from tests.results.run import Finished, assigned, folder, real_data, run
from tests.results.subset import copy_labelled, is_square_256, labelled_ids

FIGURES: dict[str, Callable[[pd.DataFrame], float]] = {
    "balanced accuracy": lambda table: _scores(table).balanced_accuracy,
    "macro AUC": lambda table: _scores(table).macro_auc,
    "macro F1": lambda table: _scores(table).macro.f1,
    "accuracy": lambda table: _scores(table).accuracy,
}
"""Of a table of labels and probabilities."""
FLAT = {"balanced accuracy": "balanced_accuracy", "macro AUC": "macro_auc", "macro F1": "macro_f1", "accuracy": "accuracy"}
"""What `intervals` calls them."""

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


def measure_both(*changes: str) -> Iterator[str]:
    """One model for both sets: HAM10000 beside every labelled image of the ISIC subset. An image that both hold has two files, the
    whole field at 200x150 and its middle at 256x256, and two ids, but one lesion, which is in one fold."""
    small, labelled = real_data() / "ham10000", real_data() / "isic" / "classification"
    twice = labelled_ids(small)
    large = copy_labelled(labelled, folder("isic-large"), lambda path: f"{path.stem}_large" if path.stem in twice else path.stem)
    more = {"augment_balance.max_images": 700, "train_classifier.ema": 0.995}
    sources = ("--data", str(small), "--data", str(large))
    finished = run("both", "--profile", "best", *sources, *assigned(_SPLIT | more), *changes)
    squares = {path.stem for path in (large / "images").iterdir() if is_square_256(path)}
    for what, ids in (("HAM10000, 200 x 150", twice), ("ISIC, 256 x 256", squares)):
        yield what
        yield from report(finished, _LITE0, ids)


def measure_resnets(*changes: str) -> Iterator[str]:
    """The mission's ResNets from nothing, on the first fold of the same images."""
    more = {"train_classifier.models": _RESNETS, "train_classifier.folds": 5, "train_classifier.fold": 0}
    more |= {"train_classifier.epochs": 14, "train_classifier.overrides": {}}
    finished = run("resnets", "--profile", "small", *_squares(), *assigned(_SPLIT | more), *changes)
    for name in _RESNETS:
        yield from report(finished, name)


def report(finished: Finished, architecture: str, ids: Set[str] | None = None) -> Iterator[str]:
    """A line a figure: over all out-of-fold predictions (of some images), its 95 % interval, and in each fold."""
    step = f"train_classifier/{architecture}"
    table = pd.read_parquet(finished.output(step) / "out_of_fold.parquet")
    if ids is not None:
        table = table[table["image_id"].isin(ids)].reset_index(drop=True)
    yield f"{architecture}: {len(table)} images out of fold, {finished.minutes(step):.0f} minutes"
    folds = [part for _, part in table.groupby("fold")]
    ends = intervals(table["label"].tolist(), probabilities_of(table), table["group_id"].tolist())
    for name, figure in FIGURES.items():
        one = ends[FLAT[name]]
        each = ", ".join(f"{figure(fold):.3f}" for fold in folds)
        mean = np.mean([figure(fold) for fold in folds])
        yield f"  {name} {figure(table):.3f} ({one.low:.3f} to {one.high:.3f}); by fold {each}, mean {mean:.3f}"
    for code, one in _scores(table).classes.items():
        yield f"  {code} sensitivity {one.recall:.3f} of {one.support}"


def _squares() -> tuple[str, str]:
    source, target = real_data() / "isic" / "classification", folder("isic-256")
    return "--data", str(copy_labelled(source, target, lambda path: path.stem if is_square_256(path) else None))


def _scores(table: pd.DataFrame) -> ClassificationScores:
    return measure_classification(table["label"].tolist(), probabilities_of(table))
