"""How often a test set was judged on, counted in MLflow."""

from pathlib import Path

from components.dataset import Dataset
from components.evaluate.test_set import test_set_digest as digest_of
from components.lesions import Task
from components.register.context import RunContext
from components.register.decisions import WORN_AFTER, count_decisions, wear
from components.tracking import Ledger
from tests.components.register.conftest import Made


def test_each_run_counts_once_however_many_models_it_has_and_whatever_its_experiment(
    made: Made, skilled: Made, ledger: Ledger, tmp_path: Path
) -> None:
    test_set = digest_of(Dataset(made.dataset), Task.CLASSIFICATION)
    made.register(ledger, tmp_path / "first", RunContext(run_id="first"))
    made.register(ledger, tmp_path / "first", RunContext(run_id="first"))
    assert count_decisions(ledger, test_set) == 1
    elsewhere = Ledger(ledger.uri, "elsewhere")
    skilled.register(elsewhere, tmp_path / "second", RunContext(run_id="second"))
    assert count_decisions(ledger, test_set) == 2
    assert count_decisions(ledger, digest_of(Dataset(made.dataset), Task.SEGMENTATION)) == 1
    assert count_decisions(ledger, "0" * 64) == 0


def test_a_worn_test_set_is_called_so() -> None:
    assert wear(1) == "this test set has taken 1 decision"
    assert wear(WORN_AFTER) == f"this test set has taken {WORN_AFTER} decisions"
    assert "Dwork 2015" in wear(WORN_AFTER + 1)
