"""The figures once more as small JSON and CSV files: what `dvc metrics` and `dvc plots` read, and any spreadsheet.

metrics/<split>/<model>.json    the few figures that models are compared by
plots/curves/<model>.csv        epoch (from 1) and what the trainer measured after it
plots/roc/<model>.csv           diagnosis, false_positive_rate, true_positive_rate, on test
plots/confusion/<model>.csv     actual, predicted: one row a test image
"""

import json
from collections.abc import Sequence
from pathlib import Path

import pandas as pd

from components.evaluate.classification import Probabilities, predicted_codes, roc
from components.files import write_text
from components.lesions import CODES
from components.scores import ClassificationScores, ClassifierScores, SegmentationScores, SegmenterScores
from components.training.curves import read_epochs


def write_metrics(out: Path, model: ClassifierScores | SegmenterScores) -> None:
    """Write the figures that a model is compared by, a file a split; one that does not exist (no AUC on test) is left out."""
    for split in ("val", "test"):
        figures = {name: value for name, value in _compared(getattr(model, split)).items() if value is not None}
        write_text(out / "metrics" / split / f"{model.name}.json", json.dumps(figures, indent=1) + "\n")


def _compared(scores: ClassificationScores | SegmentationScores) -> dict[str, float | None]:
    if isinstance(scores, SegmentationScores):
        return {"dice": scores.per_image.dice, "jaccard": scores.per_image.jaccard}
    return {
        "accuracy": scores.accuracy,
        "balanced_accuracy": scores.balanced_accuracy,
        "macro_f1": scores.macro.f1,
        "macro_auc": scores.macro_auc,
    }


def write_answers(out: Path, name: str, truth: Sequence[str], probabilities: Probabilities) -> None:
    """Write what a classifier answered on test.

    Args:
        out: the step's output folder.
        name: the model's.
        truth: N diagnosis codes.
        probabilities: N x 8, columns in the order of `CODES`.
    """
    _write(out / "plots" / "confusion" / f"{name}.csv", {"actual": truth, "predicted": predicted_codes(probabilities)})
    curves = [
        pd.DataFrame({"diagnosis": code, "false_positive_rate": false_positive, "true_positive_rate": true_positive})
        for code in CODES
        if 0 < truth.count(code) < len(truth)
        for false_positive, true_positive in [roc(truth, probabilities, code)]
    ]
    if curves:
        _write(out / "plots" / "roc" / f"{name}.csv", pd.concat(curves))


def write_curves(out: Path, name: str, bundle: Path) -> None:
    """Write the curves of a model's training (of several members the first one's), where its bundle has them.

    How fast it went is left out, since no two runs agree.
    """
    record = bundle / "metrics.jsonl"
    if record.exists():
        epochs = [{"epoch": epoch.number + 1, **epoch.values} for epoch in read_epochs(record)]
        _write(out / "plots" / "curves" / f"{name}.csv", pd.DataFrame(epochs).drop(columns="images_per_second", errors="ignore"))


def _write(path: Path, table: pd.DataFrame | dict[str, Sequence[str]]) -> None:
    write_text(path, pd.DataFrame(table).to_csv(index=False, float_format="%.6g", lineterminator="\n"))
