"""`dermacare run --runner docker`: the same steps over the same home, each in a container of its image."""

import signal
from pathlib import Path

import pytest

from components.store import Store
from pipelines.home import Home
from pipelines.images import STEPS, TRAIN
from pipelines.runner import Runner
from pipelines.runs import RunState, all_runs
from tests.e2e.conftest import Event, Project
from tests.images.containers import Engine

pytestmark = pytest.mark.images


@pytest.fixture
def project(tmp_path: Path, engine: Engine) -> Project:
    """An empty home, for a run in containers of images that are there."""
    there = {tag for found in engine.client.images.list() for tag in found.tags}
    if not {STEPS, TRAIN} <= there:
        pytest.skip(f"{STEPS} and {TRAIN} are not built: make images")
    return Project(Home(tmp_path / "home"))


def containers(engine: Engine, project: Project) -> list[str]:
    """Containers that run for a home."""
    label = f"dermacare.home={project.home.root}"
    return [str(container.id) for container in engine.client.containers.list(filters={"label": label})]


def test_a_run_in_containers_is_the_run_without(project: Project) -> None:
    done = project.run("--runner", "docker")
    assert done.returncode == 0, done.stderr
    (record,) = all_runs(project.home)
    assert (record.state, record.runner) == (RunState.DONE, Runner.DOCKER)
    store = Store(project.home.root)
    assert all(store.record(step.step, step.key)["outcome"] == "done" for step in record.steps.steps)
    again = project.run()
    assert again.returncode == 0, again.stderr
    assert f"nothing changed: this equals run {record.id}" in again.stdout


def test_a_stopped_run_leaves_no_container_and_goes_on_without_any(project: Project, engine: Engine) -> None:
    assert project.run_until(_trains, signal.SIGINT, "--runner", "docker")
    assert containers(engine, project) == []
    assert all_runs(project.home)[-1].state is RunState.KILLED
    done = project.run()
    assert done.returncode == 0, done.stderr
    assert "resumed" in done.stdout


def test_containers_of_a_run_that_was_killed_end_when_the_next_one_starts(project: Project, engine: Engine) -> None:
    assert project.run_until(_trains, signal.SIGKILL, "--runner", "docker")
    done = project.run("--runner", "docker")
    assert done.returncode == 0, done.stderr
    assert containers(engine, project) == []


def _trains(event: Event) -> bool:
    return event["kind"] == "metrics" and event["step"].startswith("train_classifier") and event["epoch"] is not None
