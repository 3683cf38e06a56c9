"""The study on lesions that can only be known by heart, judged by the files that it writes."""

from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from components.dataset import Dataset
from components.evaluate.classification import measure_classification, predicted_codes
from components.leak_study import study_leak
from components.leak_study.page import headline, write_page
from components.leak_study.publish import publish_leak
from components.leak_study.scores import read_leak
from components.predictions import probabilities_of
from components.reporter import Reporter
from components.tracking import Ledger
from tests.components.leak_study.studies import coloured_lesions, leak_scores, study_params

EPOCHS = 60
# Of which 46 are in the test set.
LESIONS = 160


@pytest.fixture(scope="module")
def dataset(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return coloured_lesions(tmp_path_factory.mktemp("data"), LESIONS)


class _Interrupted(Reporter):
    """Ends the study when the second model begins."""

    def progress(self, done: int, total: int, what: str = "", left: float | None = None) -> None:
        if what.startswith("leaked"):
            raise KeyboardInterrupt
        assert left is None  # nobody knows how long the second one will take


@pytest.fixture(scope="module")
def studied(dataset: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A study that was interrupted after its first model."""
    out = tmp_path_factory.mktemp("study")
    with pytest.raises(KeyboardInterrupt):
        study_leak(dataset, out, study_params(EPOCHS), _Interrupted(out, "leak_study"))
    kept = (out / "clean.parquet").stat().st_mtime_ns
    study_leak(dataset, out, study_params(EPOCHS), Reporter(out, "leak_study"))
    assert (out / "clean.parquet").stat().st_mtime_ns == kept
    return out


def test_who_has_seen_the_lesion_knows_it_and_who_has_not_guesses(studied: Path) -> None:
    worth = read_leak(studied).figures["balanced_accuracy"]
    # Who tosses a coin for each of 46 lesions is further from a half once in five hundred times.
    assert abs(worth.clean - 0.5) < 0.23
    assert 0 < worth.low < worth.difference < worth.high


def test_the_figures_are_those_of_the_answers_that_lie_beside_them(studied: Path) -> None:
    scores = read_leak(studied)
    tables = [pd.read_parquet(studied / f"{name}.parquet") for name in ("clean", "leaked")]
    assert tables[0]["image_id"].tolist() == tables[1]["image_id"].tolist()
    assert len(tables[0]) == scores.test_images
    for name, table in zip(("clean", "leaked"), tables, strict=True):
        assert np.mean(np.array(predicted_codes(probabilities_of(table))) == table["label"]) == pytest.approx(
            getattr(scores.figures["accuracy"], name)
        )
        judged = measure_classification(table["label"].tolist(), probabilities_of(table))
        assert judged.macro.f1 == pytest.approx(getattr(scores.figures["macro_f1"], name))


def test_what_stays_is_figures_and_page_and_no_model(studied: Path, dataset: Path) -> None:
    files = {path.relative_to(studied).as_posix() for path in studied.rglob("*") if path.is_file()}
    tables = {"clean.parquet", "leaked.parquet", "leak.json", "leak.md", "metrics.jsonl"}
    pictures = {f"figures/{model}/{name}.png" for model in ("clean", "leaked") for name in ("curves", "worst")}
    assert files == tables | pictures | {"figures/leak.png"}
    assert read_leak(studied).data_version == Dataset(dataset).version
    assert (studied / "leak.md").read_text() == write_page(read_leak(studied))
    assert "Drawn images (phantom)" in (studied / "leak.md").read_text()


def test_it_stands_in_mlflow_once(studied: Path, mlflow_uri: str) -> None:
    ledger = Ledger(mlflow_uri, "dermacare")
    for _ in range(2):
        publish_leak(ledger, "k" * 20, read_leak(studied), studied, {"classifier.epochs": "60"}, {"dermacare.dirty": "false"})
    (run,) = ledger.search("tags.`dermacare.role` = 'leak study'")
    scores = read_leak(studied)
    assert run.info.status == "FINISHED"
    assert run.data.metrics["leak/balanced_accuracy/difference"] == scores.figures["balanced_accuracy"].difference
    assert run.data.params == {"classifier.epochs": "60"}
    assert headline(scores) in run.data.tags["mlflow.note.content"]
    assert run.data.tags["dermacare.data_version"] == scores.data_version
    kept = {file.path for file in ledger.client.list_artifacts(run.info.run_id)}
    assert kept == {"figures", "leak.md", "leak.json"}


def test_what_chance_can_explain_is_not_claimed() -> None:
    assert "can be told from chance" in headline(leak_scores(-0.01, 0.02, 0.05))
    assert "looks better than it is" in headline(leak_scores(0.01, 0.02, 0.05))
    assert "looks worse than it is" in headline(leak_scores(-0.05, -0.02, -0.01))
