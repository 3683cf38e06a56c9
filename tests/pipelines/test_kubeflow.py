"""The client against a simulated Kubeflow API: no cluster runs here."""

import json
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from components.errors import MachineError, ParamsError, RunError, StepFailed
from components.params import Params, load_params
from dermacare import cluster_command
from dermacare.cluster_command import reach_cluster, run_on_cluster
from dermacare.schedule_command import schedule
from pipelines import runs
from pipelines.home import Home
from pipelines.kubeflow import Kubeflow
from pipelines.runs import RunState
from pipelines.start import prepare
from tests.kubeflow_simulated import SimulatedKubeflow, simulated_kubeflow

PARAMS = load_params(profile="demo")
OTHER = load_params(profile="demo", assignments=["train_unet.epochs=7"])
DATA_STEPS = ("ingest", "validate", "preprocess", "augment-balance")
DONE = [(name, "SUCCEEDED") for name in (*DATA_STEPS, "train-unet", *4 * ["train-classifier"], "evaluate", "register")]


@pytest.fixture
def server(monkeypatch: pytest.MonkeyPatch) -> Iterator[SimulatedKubeflow]:
    monkeypatch.setattr(cluster_command, "LOOK_SECONDS", 0.01)
    with simulated_kubeflow() as simulated:
        monkeypatch.setenv("KFP_HOST", simulated.address)
        yield simulated
        assert not simulated.faults


def run(home: Home, resolved: object = PARAMS) -> RunState:
    assert isinstance(resolved, type(PARAMS))
    kubeflow = reach_cluster(home, resolved.params)
    prepared = prepare(home, resolved, profile="demo", arguments=["run"], fresh=False, cluster=kubeflow.address)
    return run_on_cluster(home, kubeflow, prepared, fresh=False).state


def test_a_run_is_uploaded_started_followed_and_done(
    server: SimulatedKubeflow, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    running = [("root", "RUNNING"), ("ingest-driver", "SUCCEEDED"), ("ingest", "RUNNING")]
    training = [*((name, "SUCCEEDED") for name in DATA_STEPS), ("train-classifier", "SUCCEEDED"), ("train-classifier", "RUNNING")]
    server.stages = [("PENDING", [], ""), ("RUNNING", running, ""), ("RUNNING", training, ""), ("SUCCEEDED", DONE, "")]
    home = Home(tmp_path)
    assert run(home) is RunState.DONE
    (record,) = runs.all_runs(home)
    (told,) = server.runs.values()
    assert (record.id, record.state, record.cluster) == (told["run_id"], RunState.DONE, server.address)
    assert told["service_account"] == "dermacare-steps"
    assert next(iter(server.experiments.values()))["display_name"] == "dermacare"
    given = told["runtime_config"]["parameters"]
    assert given["fingerprint"] == record.steps["ingest"].salt
    assert given["classifiers"] == ["resnet50", "resnet101", "resnet152", "efficientnet_lite0"]
    assert json.loads(given["run"])["profile"] == "demo"
    said = capsys.readouterr().out
    for line in ("ingest: started", "preprocess: done in", "register: done in", "in all; what came of it stands in MLflow"):
        assert line in said
    assert "driver" not in said


def test_the_same_pipeline_is_uploaded_once_and_another_beside_it(server: SimulatedKubeflow, tmp_path: Path) -> None:
    server.stages = [("SUCCEEDED", DONE, "")]
    for number, resolved in enumerate((PARAMS, PARAMS, OTHER)):
        assert run(Home(tmp_path / str(number)), resolved) is RunState.DONE
    assert len(server.runs) == 3
    assert len(server.versions) == 2
    assert len(server.pipelines) == 1


def test_what_a_cluster_has_done_is_not_started_again(
    server: SimulatedKubeflow, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    server.stages = [("SUCCEEDED", DONE, "")]
    assert [run(Home(tmp_path)), run(Home(tmp_path))] == [RunState.DONE, RunState.DONE]
    assert len(server.runs) == 1
    assert "nothing changed" in capsys.readouterr().out


def test_a_failed_step_ends_the_command_with_its_reason(server: SimulatedKubeflow, tmp_path: Path) -> None:
    server.stages = [("FAILED", [("ingest", "SUCCEEDED"), ("validate", "FAILED")], "the container ended with 1")]
    with pytest.raises(StepFailed, match="validate: the container ended with 1"):
        run(Home(tmp_path))
    (record,) = runs.all_runs(Home(tmp_path))
    assert record.state is RunState.FAILED


def test_ctrl_c_leaves_it_running_and_the_same_command_follows_it(
    server: SimulatedKubeflow, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    server.stages = [("RUNNING", [("ingest", "RUNNING")], "")]
    with monkeypatch.context() as patch:

        def interrupted(seconds: float) -> None:
            raise KeyboardInterrupt

        patch.setattr(cluster_command.time, "sleep", interrupted)
        assert run(Home(tmp_path)) is RunState.RUNNING
    (record,) = runs.all_runs(Home(tmp_path))
    assert record.state is RunState.RUNNING
    assert f"runs cancel {record.id}" in " ".join(capsys.readouterr().out.split())
    server.stages = [("SUCCEEDED", DONE, "")]
    server.looked = 0
    assert run(Home(tmp_path)) is RunState.DONE
    assert len(server.runs) == 1


def test_runs_cancel_ends_it_there(server: SimulatedKubeflow, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    server.stages = [("RUNNING", [("ingest", "RUNNING")], "")]
    home = Home(tmp_path)
    kubeflow = reach_cluster(home, PARAMS.params)
    prepared = prepare(home, PARAMS, profile="demo", arguments=[], fresh=False, cluster=kubeflow.address)
    record = cluster_command.cluster_runs.start(kubeflow, home, prepared.record)
    runs.cancel(home, record.id)
    assert server.terminated == [record.id]
    assert runs.load(home, record.id).state is RunState.KILLED


@pytest.mark.parametrize(
    "end", [lambda home, run: cluster_command.cluster_runs.look_again(home), runs.cancel], ids=["look", "cancel"]
)
def test_a_run_that_was_deleted_there_stands_in_nobodys_way(
    server: SimulatedKubeflow, tmp_path: Path, end: Callable[[Home, str], None]
) -> None:
    home = Home(tmp_path)
    kubeflow = reach_cluster(home, PARAMS.params)
    prepared = prepare(home, PARAMS, profile="demo", arguments=[], fresh=False, cluster=kubeflow.address)
    record = cluster_command.cluster_runs.start(kubeflow, home, prepared.record)
    server.runs.clear()
    end(home, record.id)
    ended = runs.load(home, record.id)
    assert (ended.state, ended.reason) == (RunState.KILLED, "Kubeflow does not know it any more")


def test_where_several_namespaces_are_served_one_is_named(server: SimulatedKubeflow, tmp_path: Path) -> None:
    server.multi_user = True
    server.stages = [("SUCCEEDED", DONE, "")]
    assert run(Home(tmp_path)) is RunState.DONE
    assert next(iter(server.experiments.values()))["namespace"] == "dermacare"


def test_the_token_comes_from_its_file_and_is_in_no_message(
    server: SimulatedKubeflow, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    server.token = "the-token"
    with pytest.raises(RunError, match="KF_PIPELINES_SA_TOKEN_PATH"):
        Kubeflow("dermacare")
    (tmp_path / "token").write_text("the-token")
    monkeypatch.setenv("KF_PIPELINES_SA_TOKEN_PATH", str(tmp_path / "token"))
    server.stages = [("SUCCEEDED", DONE, "")]
    assert run(Home(tmp_path)) is RunState.DONE
    assert b"the-token" not in server.uploads[0]


def test_a_server_that_is_away_is_one_sentence(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    with simulated_kubeflow() as simulated:
        monkeypatch.setenv("KFP_HOST", simulated.address)
        simulated.down = True
        with pytest.raises(RunError, match="HTTP 503"):
            Kubeflow("dermacare")
    with pytest.raises(RunError, match="see that Kubeflow Pipelines answers there, or correct KFP_HOST"):
        Kubeflow("dermacare")
    monkeypatch.delenv("KFP_HOST")
    monkeypatch.setenv("KUBECONFIG", str(tmp_path / "none"))
    with pytest.raises(MachineError, match="KFP_HOST is not set"):
        Kubeflow("dermacare")


@pytest.mark.parametrize("source", ["{folder}", "dvc:{folder}@main:data", "dvc:file://{folder}@main:data"])
def test_what_lies_on_this_machine_is_refused(server: SimulatedKubeflow, tmp_path: Path, source: str) -> None:
    params = load_params(profile="demo", data=[source.format(folder=tmp_path)]).params
    with pytest.raises(ParamsError, match="lies on this machine"):
        reach_cluster(Home(tmp_path), params)


def test_an_address_with_a_password_is_refused(tmp_path: Path) -> None:
    params = load_params(profile="demo", data=["dvc:https://eva:secret@git.example.org/data@main:images"]).params
    with pytest.raises(ParamsError, match="holds a password") as refused:
        reach_cluster(Home(tmp_path), params)
    assert "secret" not in str(refused.value)


def arrange(cron: str | None = None, **options: str) -> None:
    named = {"name": None, "remove": None, "profile": "demo", **options}
    schedule(cron, data=[], assignments=[], file=None, **named)  # type: ignore[arg-type]


def test_a_schedule_is_made_replaced_listed_and_removed(
    server: SimulatedKubeflow, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("DERMACARE_HOME", str(tmp_path))
    arrange("0 3 * * *")
    arrange("30 4 * * 1-5")
    (kept,) = server.recurring.values()
    assert kept["trigger"] == {"cron_schedule": {"cron": "0 30 4 * * 1-5"}}
    assert kept["runtime_config"]["parameters"]["fingerprint"] == ""
    assert (kept["mode"], kept["no_catchup"], kept["max_concurrency"]) == ("ENABLE", True, 1)
    capsys.readouterr()
    arrange()
    assert "dermacare-demo" in (told := capsys.readouterr().out)
    assert "30 4 * * 1-5" in told
    arrange(remove="dermacare-demo")
    assert not server.recurring
    with pytest.raises(RunError, match="is no schedule"):
        arrange(remove="dermacare-demo")


@pytest.mark.parametrize("cron", ["3", "0 3 * *", "0 0 3 * * *", "0 3 * * ;"])
def test_a_time_that_is_none_is_refused(cron: str) -> None:
    with pytest.raises(ParamsError, match="write minute, hour, day, month, weekday"):
        arrange(cron)


def test_the_command_line_ends_with_one_sentence(tmp_path: Path) -> None:
    nowhere = "http://127.0.0.1:1"
    environment = {
        "PATH": "/usr/bin:/bin",
        "HOME": str(tmp_path),
        "KFP_HOST": nowhere,
        "DERMACARE_HOME": str(tmp_path),
    }
    command = [sys.executable, "-m", "dermacare.cli", "run", "--profile", "demo", "--runner", "cluster"]
    done = subprocess.run(command, env=environment, capture_output=True, text=True, check=False, cwd=Path(__file__).parents[2])
    assert done.returncode == 1
    assert done.stderr.startswith(f"error: {nowhere}: ")
    assert len(done.stderr.strip().splitlines()) == 1


def test_records_and_files_of_before_the_cluster_are_read(tmp_path: Path) -> None:
    values = PARAMS.params.model_dump(mode="json", by_alias=True)
    del values["cluster"]
    assert Params.model_validate(values).cluster == load_params().params.cluster
