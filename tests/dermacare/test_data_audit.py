"""`dermacare data audit`: which folder, which predictions, what is printed."""

import os
import shutil
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from components.audit.labels import PREDICTED
from components.bundle import read_description, write_bundle
from components.errors import DatasetError
from components.evaluate.classification import measure_classification
from components.evaluate.judged import write_predictions
from components.lesions import CODES, Task
from components.out_of_fold import write_out_of_fold
from components.scores import ClassifierScores, Scores, write_scores
from components.store import Store
from dermacare.data_audit_command import audit_data
from pipelines.home import VARIABLE
from tests.bundles import classifier_bundle
from tests.components.audit.validated import Validated


@pytest.fixture
def home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A home of its own."""
    monkeypatch.setenv(VARIABLE, str(tmp_path / "home"))
    return tmp_path / "home"


def stored(home: Path, step: str, key: str, folder: Path, *, made: float) -> Path:
    """Put a folder into the store as a step's output that was made at a time."""
    out = Store(home).execute(step, key, lambda work: shutil.copytree(folder, work, dirs_exist_ok=True) and None).out
    os.utime(out, (made, made))
    return out


def evaluated(folder: Path, validated: Validated, models: dict[str, float], version: str) -> Path:
    """What evaluate leaves: each model's predictions of val and test; `models`: name → share of images on which it is right."""
    rows = validated.rows[(validated.rows["task"] == "classification") & (validated.rows["split"] != "train")]
    truth = [CODES.index(image.split("_")[1]) for image in rows["image_id"]]
    scores = {}
    for name, share in models.items():
        said = [true if number < share * len(truth) else (true + 1) % 8 for number, true in enumerate(truth)]
        values = np.full((len(truth), 8), 0.02)
        values[np.arange(len(truth)), said] = 0.86
        table = rows[["image_id", "split"]].reset_index(drop=True).join(pd.DataFrame(values, columns=list(PREDICTED)))
        write_predictions(folder / f"predictions/{name}.parquet", table)
        judged = measure_classification([CODES[n] for n in truth], values.astype(np.float32))
        scores[name] = ClassifierScores(name=name, architecture=name, parameters_total=1, val=judged, test=judged)
    write_scores(folder, Scores(data_version=version, phantom=True, test_sets={"classification": "1" * 64}, models=scores))
    return folder


def test_the_newest_validated_data_of_the_home_is_audited(home: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    older = Validated(tmp_path / "older", per_class=6).write()
    newer = Validated(tmp_path / "newer", per_class=9).write()
    new = stored(home, "validate", "b", newer, made=2000)
    stored(home, "validate", "a", older, made=1000)
    audit_data(None, predictions=None, out=None)
    said = capsys.readouterr().out
    assert f"audited: {new}" in said
    assert "144 images" in said
    assert f"page: {home.resolve() / 'audit/audit.html'}" in said
    assert {"audit.html", "audit.json", "card.html", "card.md", "figures"} <= {path.name for path in (home / "audit").iterdir()}


def test_a_home_without_validated_data_says_how_to_come_by_some(home: Path) -> None:
    with pytest.raises(DatasetError, match="holds no validated data yet; `dermacare run` makes some, or name a folder"):
        audit_data(None, predictions=None, out=None)


def test_labels_are_judged_by_the_best_classifier_of_the_newest_evaluation_of_the_same_data(
    home: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    validated = Validated(tmp_path / "validated", per_class=12)
    validated.set("T_MEL_001_0", {"label": "NV"})
    version = validated.read().dataset.version
    stored(home, "evaluate", "same", evaluated(tmp_path / "1", validated, {"weak": 0.3, "good": 1.0}, version), made=1000)
    stored(home, "evaluate", "other", evaluated(tmp_path / "2", validated, {"weak": 0.3}, "0" * 64), made=2000)
    audit_data(validated.root, predictions=None, out=tmp_path / "out")
    assert "A model that did not see them doubts 1 label of 64" in capsys.readouterr().out


def folded(folder: Path, validated: Validated, version: str, share: float, **training: object) -> Path:
    """What training with folds leaves: a bundle with out-of-fold predictions of train and val, right on a share of the images."""
    rows = validated.rows[(validated.rows["task"] == "classification") & (validated.rows["split"] != "test")].reset_index(drop=True)
    truth = np.array([CODES.index(image.split("_")[1]) for image in rows["image_id"]])
    values = np.full((len(rows), 8), 0.02)
    values[np.arange(len(rows)), np.where(np.arange(len(rows)) < share * len(rows), truth, (truth + 1) % 8)] = 0.86
    table = rows[["image_id", "group_id", "fold", "label"]].join(pd.DataFrame(values, columns=list(PREDICTED)))
    plain = classifier_bundle(folder.parent / f"{folder.name}-plain", data_version=version)
    digest = write_out_of_fold(folder, Task.CLASSIFICATION, table)
    changes = {"out_of_fold": digest, "training": {"folds": 5, "fold": None} | training}
    model, weights = (plain / "model.onnx").read_bytes(), [plain / "weights.weights.h5"]
    write_bundle(folder, read_description(plain).model_copy(update=changes), model=model, weights=weights, card="")
    return folder


def test_out_of_fold_predictions_of_the_same_data_go_before_those_of_val_and_test(
    home: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    validated = Validated(tmp_path / "validated", per_class=12)
    validated.set("T_MEL_003_0", {"label": "NV"})  # in train
    version = validated.read().dataset.version
    stored(home, "evaluate", "same", evaluated(tmp_path / "1", validated, {"good": 1.0}, version), made=9000)
    stored(home, "train_classifier", "a", folded(tmp_path / "2", validated, version, 0.3), made=1000)
    newest = stored(home, "train_classifier", "b", folded(tmp_path / "3", validated, version, 1.0), made=2000)
    stored(home, "train_classifier", "c", folded(tmp_path / "4", validated, version, 0.3, fold=2), made=3000)
    stored(home, "train_classifier", "d", folded(tmp_path / "5", validated, "0" * 64, 0.3), made=4000)
    audit_data(validated.root, predictions=None, out=tmp_path / "out")
    said = capsys.readouterr().out
    assert "A model that did not see them doubts 1 label of 160" in said
    assert f"labels judged by: {newest / 'out_of_fold.parquet'}" in said


def test_a_file_of_predictions_goes_before_what_runs_predicted(
    home: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    validated = Validated(tmp_path / "validated", per_class=12)
    version = validated.read().dataset.version
    stored(home, "evaluate", "same", evaluated(tmp_path / "1", validated, {"good": 1.0}, version), made=1000)
    weak = evaluated(tmp_path / "2", validated, {"weak": 0.3}, version) / "predictions/weak.parquet"
    audit_data(validated.root, predictions=weak, out=tmp_path / "out")
    said = capsys.readouterr().out
    assert "Labels were not checked: the model whose predictions are there is right on 31.2 % of 64 images" in " ".join(
        said.split()
    )


def test_the_pages_are_written_anew_each_time(home: Path, tmp_path: Path) -> None:
    folder = Validated(tmp_path / "validated").write()
    for _ in range(2):
        audit_data(folder, predictions=None, out=tmp_path / "out")
    assert len((tmp_path / "out/metrics.jsonl").read_text().splitlines()) == 1
