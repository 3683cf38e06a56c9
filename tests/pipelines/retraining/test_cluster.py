"""`dermacare retrain --runner cluster` against a simulated Kubeflow API; the tests write the ledger as `register` would there."""

import json
from collections.abc import Iterator, Sequence
from pathlib import Path

import pytest

from components.dataset import Dataset
from components.errors import MachineError, ParamsError, RunError
from components.promotion.entries import Outcome
from components.store import Store
from dermacare import cluster_command
from dermacare.retrain_command import retrain_models
from pipelines import runs
from pipelines.home import VARIABLE, Home
from pipelines.runner import Runner
from pipelines.runs import RunRecord, RunState
from tests.components.promotion.records import decided, release
from tests.kubeflow_simulated import SimulatedKubeflow, simulated_kubeflow

DONE = [(name, "SUCCEEDED") for name in ("ingest", "validate", "preprocess", "train-classifier", "evaluate", "register")]


@pytest.fixture
def home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Home:
    for name in ("DERMACARE_LEDGER", "MLFLOW_TRACKING_URI", "KFP_HOST", "DERMACARE_STORE"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv(VARIABLE, str(tmp_path / "home"))
    monkeypatch.chdir(tmp_path)
    return Home(tmp_path / "home")


@pytest.fixture
def server(home: Home, monkeypatch: pytest.MonkeyPatch) -> Iterator[SimulatedKubeflow]:
    with simulated_kubeflow() as simulated:
        monkeypatch.setenv("KFP_HOST", simulated.address)
        yield simulated
        assert not simulated.faults


def retrain(*data: str, lesions: int = 8, assignments: Sequence[str] = ()) -> int:
    small = (f"ingest.phantom.lesions_per_class={lesions}", "ingest.phantom.size=[48,64]", "validate.audit_fail_on=never")
    return retrain_models(
        if_changed=True,
        profile="demo",
        data=data,
        assignments=(*small, "intake.checks=[copies, missing_class]", *assignments),
        file=None,
        start_from=(),
        crop_by=None,
        runner=Runner.CLUSTER,
        wait=False,
        markdown=None,
        as_json=True,
    )


def test_the_data_is_looked_at_here_and_the_run_carried_out_there(
    home: Home, server: SimulatedKubeflow, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    def judged_there(seconds: float) -> None:
        """The cluster's `register` judges the run's model, and the run ends."""
        number, ledger = len(server.runs), home.releases()
        (run,) = server.runs.keys() - {entry.run_id for entry in ledger.entries()}
        version = Dataset(Store(home.root).outs("validate")[0]).version
        content = decided(number, Outcome.PROMOTE, release(number)).model_copy(update={"run_id": run, "data_version": version})
        ledger.append(content, after=ledger.newest())
        server.stages, server.looked = [("SUCCEEDED", DONE, "")], 0

    monkeypatch.setattr(cluster_command.time, "sleep", judged_there)
    server.stages = [("RUNNING", [("ingest", "RUNNING")], "")]
    assert retrain() == 10
    told = json.loads(capsys.readouterr().out)
    (record,) = runs.all_runs(home)
    assert (told["state"], told["run"]) == ("promoted", record.id)
    assert (record.cluster, record.state) == (server.address, RunState.DONE)

    assert retrain() == 0
    assert len(server.runs) == 1

    server.stages, server.looked = [("RUNNING", [("ingest", "RUNNING")], "")], 0
    assert retrain(lesions=10) == 10
    assert len(server.runs) == 2


def test_what_is_told_is_of_its_own_run_whichever_began_meanwhile(
    home: Home, server: SimulatedKubeflow, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    def judged_there(seconds: float) -> None:
        (run,) = server.runs
        version = Dataset(Store(home.root).outs("validate")[0]).version
        content = decided(1, Outcome.PROMOTE, release(1)).model_copy(update={"run_id": run, "data_version": version})
        home.releases().append(content, after=None)
        runs.save(home, runs.owned(RunRecord(runs.new_id(), "dermacare run", "", {}, [])))
        server.stages, server.looked = [("SUCCEEDED", DONE, "")], 0

    monkeypatch.setattr(cluster_command.time, "sleep", judged_there)
    server.stages = [("RUNNING", [("ingest", "RUNNING")], "")]
    assert retrain() == 10
    own, other = runs.all_runs(home)
    assert (own.cluster, other.cluster) == (server.address, "")
    assert json.loads(capsys.readouterr().out)["run"] == own.id


def test_people_are_told_again_of_a_failure_that_comes_back(
    home: Home, server: SimulatedKubeflow, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv("DERMACARE_WEBHOOK", raising=False)
    monkeypatch.setenv("DERMACARE_NOTIFY_COMMAND", f"tee -a {tmp_path / 'told'}")

    def failures() -> int:
        with monkeypatch.context() as away:
            away.setenv("KFP_HOST", "http://127.0.0.1:9")
            with pytest.raises(RunError):
                retrain()
        return (tmp_path / "told").read_text().count("could not retrain")

    assert [failures(), failures()] == [1, 1]
    assert retrain(assignments=["validate.test_share=0.0001"]) == 30
    assert failures() == 2


def test_stopped_it_goes_on_there_and_the_same_command_follows_it(
    home: Home, server: SimulatedKubeflow, monkeypatch: pytest.MonkeyPatch
) -> None:
    def interrupted(seconds: float) -> None:
        raise KeyboardInterrupt

    server.stages = [("RUNNING", [("ingest", "RUNNING")], "")]
    with monkeypatch.context() as patch:
        patch.setattr(cluster_command.time, "sleep", interrupted)
        with pytest.raises(KeyboardInterrupt):
            retrain()
    (record,) = runs.all_runs(home)
    version = Dataset(Store(home.root).outs("validate")[0]).version
    content = decided(1, Outcome.PROMOTE, release(1)).model_copy(update={"run_id": record.id, "data_version": version})
    home.releases().append(content, after=None)
    server.stages, server.looked = [("SUCCEEDED", DONE, "")], 0
    assert retrain() == 10
    assert len(server.runs) == 1


def test_what_no_cluster_can_do_is_said_before_anything_is_read(home: Home, server: SimulatedKubeflow, tmp_path: Path) -> None:
    with pytest.raises(ParamsError, match="lies on this machine"):
        retrain(str(tmp_path))
    assert not (home.root / "steps").exists()


def test_without_an_address_one_sentence_says_what_to_set(home: Home) -> None:
    with pytest.raises(MachineError, match="KFP_HOST"):
        retrain()
    assert not (home.root / "steps").exists()


def test_people_are_told_that_kubeflow_is_away(home: Home, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("KFP_HOST", "http://127.0.0.1:9")
    monkeypatch.delenv("DERMACARE_WEBHOOK", raising=False)
    monkeypatch.setenv("DERMACARE_NOTIFY_COMMAND", f"tee {tmp_path / 'told'}")
    with pytest.raises(RunError, match=r"127\.0\.0\.1:9"):
        retrain()
    assert "could not retrain" in (tmp_path / "told").read_text()
