"""`dermacare data audit`: which folder, which predictions, what is printed."""

import os
import shutil
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from components.audit.labels import PREDICTED
from components.errors import DatasetError
from components.evaluate.classification import measure_classification
from components.evaluate.predictions import write_predictions
from components.lesions import CODES
from components.scores import ClassifierScores, Scores, write_scores
from components.store import Store
from dermacare.data_audit_command import audit_data
from pipelines.home import VARIABLE
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
    write_scores(folder, Scores(data_version=version, phantom=True, models=scores))
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
