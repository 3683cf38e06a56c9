"""The whole pipeline against the team's server: by whom, and with the server away. Nothing is lost, nothing stands there twice."""

import subprocess
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from pipelines.home import Home
from pipelines.runs import EventTail, all_runs
from tests.e2e.conftest import TINY, Project
from tests.postgresql import PostgreSQL, postgresql
from tests.seaweedfs import S3Server
from tests.tracking_server.server import PASSWORDS, TrackingServer, tracking_server

# Whole runs, each request with a password: longer than other slow tests where the machine is busy.
pytestmark = [pytest.mark.slow, pytest.mark.timeout(2400)]

_POINTS_TWICE = "select run_uuid, key, step from metrics group by 1, 2, 3 having count(*) > 1"
_RUNS_TWICE = """
select run.value, coalesce(model.value, '') from runs join tags run using (run_uuid)
left join tags model on model.run_uuid = runs.run_uuid and model.key = 'dermacare.model'
where run.key = 'dermacare.run_id' and lifecycle_stage = 'active' group by 1, 2 having count(*) > 1
"""
_VERSIONS = "select name, count(*) from model_versions group by 1 order by 1"
_ALIASES = "select name, alias, version from registered_model_aliases order by 1, 2"


@pytest.fixture
def database() -> Iterator[PostgreSQL]:
    """A PostgreSQL of the test's own."""
    with postgresql() as server:
        yield server


@pytest.fixture
def project(tmp_path: Path) -> Project:
    return Project(Home(tmp_path / "home"))


def run(project: Project, server: TrackingServer, user: str, *more: str) -> subprocess.CompletedProcess[str]:
    project.variables = server.credentials(user)
    out = project.run(*more)
    assert "Traceback" not in out.stderr
    assert not [password for password in PASSWORDS.values() if password in out.stdout + out.stderr]
    return out


def ask(server: TrackingServer, query: str) -> list[tuple[Any, ...]]:
    return server.database.query(server.name, query)


def assert_whole_and_once(server: TrackingServer) -> None:
    """Each point, run and version once; curves with all epochs; a release; no run that still goes on."""
    assert ask(server, _POINTS_TWICE) == []
    assert ask(server, _RUNS_TWICE) == []
    assert ask(server, "select count(*) from runs where status = 'RUNNING'") == [(0,)]
    lengths = ask(server, "select count(*) from metrics where key = 'val_loss' group by run_uuid")
    assert {length for (length,) in lengths} == {int(TINY["train_unet.epochs"])}
    assert ask(server, _VERSIONS) == [("lesion-classifier", 1), ("lesion-segmenter", 1)]
    assert ask(server, _ALIASES) == [("lesion-classifier", "production", 1), ("lesion-segmenter", "production", 1)]
    assert ask(server, "select count(*), count(distinct name) from logged_models where status = 2") == [(2, 2)]


def test_a_server_that_is_away_and_people_who_may_more_or_less(
    project: Project, database: PostgreSQL, s3_server: S3Server, tmp_path: Path
) -> None:
    with tracking_server(tmp_path, database, s3_server, "team") as server:
        server.kill()
        away_at_the_start(project, server)
        offline(project, server)
        server.start()
        a_reviewer(project, server)
        an_engineer(project, server)
        a_promoter(project, server)


def away_at_the_start(project: Project, server: TrackingServer) -> None:
    out = run(project, server, "eva")
    assert out.returncode == 1
    assert f"{server.uri}: no MLflow answers there; start it, or correct MLFLOW_TRACKING_URI" in out.stderr
    assert "--offline" in out.stderr
    assert all_runs(project.home) == []


def offline(project: Project, server: TrackingServer) -> None:
    out = run(project, server, "eva", "--offline")
    assert out.returncode == 0, out.stderr
    assert "Nothing was registered" in out.stdout
    assert "register" not in project.finished()
    assert {"train_unet/unet_tiny", "train_classifier/tiny_cnn", "evaluate"} <= set(project.finished())
    assert "nothing changed" in run(project, server, "eva", "--offline").stdout


def a_reviewer(project: Project, server: TrackingServer) -> None:
    runs = all_runs(project.home)
    out = run(project, server, "rob")
    assert out.returncode == 1
    assert "have the server's admin give you the right" in out.stderr
    assert all_runs(project.home) == runs
    assert ask(server, "select count(*) from runs") == [(0,)]


def an_engineer(project: Project, server: TrackingServer) -> None:
    out = run(project, server, "eva")
    assert out.returncode == 0, out.stderr
    for model in ("train_unet/unet_tiny", "train_classifier/tiny_cnn"):
        assert project.finished()[model].count("done") == 1  # offline, and never again
    assert f"Next: {server.uri} shows the runs" in out.stdout
    assert ask(server, _VERSIONS) == [("lesion-classifier", 1), ("lesion-segmenter", 1)]
    assert ask(server, _ALIASES) == []
    assert "does not let you: the next" in (project.home.root / "runs" / all_runs(project.home)[-1].id / "events.jsonl").read_text()


def a_promoter(project: Project, server: TrackingServer) -> None:
    project.variables = server.credentials("pia")
    out = project.dermacare("history")
    assert out.returncode == 0, out.stderr
    assert_whole_and_once(server)
    stored = {entry["Key"] for entry in server.s3.client().list_objects_v2(Bucket=server.name)["Contents"]}
    assert len([key for key in stored if key.endswith("/bundle/model.onnx")]) == 2
    assert "nothing changed" in run(project, server, "pia").stdout


def test_a_server_killed_in_the_middle_gets_all_of_it_once(
    project: Project, database: PostgreSQL, s3_server: S3Server, tmp_path: Path
) -> None:
    with tracking_server(tmp_path, database, s3_server, "killed") as server:
        project.variables = server.credentials("pia")
        process = subprocess.Popen(
            project.command(), env=project.environment(), stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True
        )
        wait_for_event(project, process, "metrics")
        server.kill()
        wait_for_event(project, process, "state", step="evaluate")
        server.start()
        out, _ = process.communicate()
        if process.returncode:  # `register` was quicker than the server
            assert "error: register: " in out
            again = run(project, server, "pia")
            assert again.returncode == 0, again.stderr
        for model in ("train_unet/unet_tiny", "train_classifier/tiny_cnn"):
            assert project.finished()[model].count("done") == 1
        assert_whole_and_once(server)


def wait_for_event(project: Project, process: subprocess.Popen[str], kind: str, step: str = "") -> None:
    while process.poll() is None:
        for one in all_runs(project.home):
            for event in EventTail(project.home, one.id).new():
                if event["kind"] == kind and event["step"].startswith(step):
                    return
        time.sleep(0.05)
    raise AssertionError(process.communicate()[0])
