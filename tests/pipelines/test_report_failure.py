"""What a run on a cluster leaves where it failed: in MLflow, and with whoever is to be told."""

from pathlib import Path

import pytest

from components.params import load_params
from components.tracking import Ledger, RunDetails
from pipelines.report_failure import REASON, report

JOB = "6f1d2c1e-5f0b-4a57-9d7e-000000000001"
REGISTER = load_params().params.register_.model_dump_json()


@pytest.fixture
def ledger(mlflow_uri: str, monkeypatch: pytest.MonkeyPatch) -> Ledger:
    monkeypatch.setenv("MLFLOW_TRACKING_URI", mlflow_uri)
    return Ledger(mlflow_uri, "dermacare")


def status(ledger: Ledger) -> str:
    run = ledger.pipeline_run(JOB)
    assert run is not None
    return str(run.info.status)


def told(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    file = tmp_path / "told"
    monkeypatch.setenv("DERMACARE_NOTIFY_COMMAND", f"sh -c 'cat > {file}'")
    return file


def test_a_failed_run_is_ended_in_mlflow_with_its_reason_and_people_are_told(
    ledger: Ledger, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    run = ledger.ensure_pipeline_run(RunDetails(JOB, "demo", "", {}, {}))
    child = ledger.ensure_model_run(run, JOB, "resnet50")
    file = told(tmp_path, monkeypatch)
    report(REGISTER, JOB, state="FAILED", error="validate failed")
    assert status(ledger) == "FAILED"
    assert "validate failed" in ledger.client.get_run(run).data.tags[REASON]
    assert ledger.client.get_run(child).info.status == "FAILED"
    assert f"run {JOB} failed: validate failed" in file.read_text()


def test_a_run_that_succeeded_is_left_alone(ledger: Ledger, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    ledger.ensure_pipeline_run(RunDetails(JOB, "demo", "", {}, {}))
    file = told(tmp_path, monkeypatch)
    report(REGISTER, JOB, state="SUCCEEDED", error="")
    assert status(ledger) == "RUNNING"
    assert not file.exists()


def test_people_are_told_though_mlflow_is_away_or_knows_nothing_of_it(
    ledger: Ledger, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    file = told(tmp_path, monkeypatch)
    report(REGISTER, JOB, state="FAILED", error="no node had a GPU")
    assert "no node had a GPU" in file.read_text()
    file.unlink()
    monkeypatch.setenv("MLFLOW_TRACKING_URI", "http://127.0.0.1:1")
    report(REGISTER, JOB, state="CANCELLED", error="")
    assert "cancelled: Kubeflow gives no reason" in file.read_text()
    assert "warning: http://127.0.0.1:1" in capsys.readouterr().err
