"""A run of the whole pipeline on tiny models, as a user starts it."""

import os
import shutil
import signal
import sqlite3
import subprocess
import sys
import time
from collections.abc import Callable
from contextlib import closing
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest

from components.files import locked
from pipelines.home import Home
from pipelines.runs import EventTail, all_runs
from tests.environment import user_environment

TINY = {
    "ingest.phantom.lesions_per_class": "12",
    "ingest.phantom.size": "[72,96]",
    "preprocess.classification_size": "[32,32]",
    "preprocess.segmentation_size": "[32,32]",
    "preprocess.shard_rows": "64",
    "train_unet.models": "[unet_tiny]",
    "train_unet.epochs": "3",
    "train_classifier.models": "[tiny_cnn]",
    "train_classifier.epochs": "3",
}

Event = dict[str, Any]


@dataclass
class Project:
    """A home folder and the command that works on it; `variables` are set besides where it runs."""

    home: Home
    settings: dict[str, str] = field(default_factory=lambda: dict(TINY))
    variables: dict[str, str] = field(default_factory=dict)

    def assignments(self) -> list[str]:
        """The settings, as commands take them."""
        return [part for key, value in self.settings.items() for part in ("--set", f"{key}={value}")]

    def command(self, *more: str) -> list[str]:
        """`dermacare run` on the tiny settings."""
        return [sys.executable, "-m", "dermacare.cli", "run", "--profile", "demo", *self.assignments(), *more]

    def environment(self) -> dict[str, str]:
        """This process's, with the home folder."""
        return user_environment(self.home.root, **self.variables)

    def run(self, *more: str) -> subprocess.CompletedProcess[str]:
        """Run to the end."""
        return subprocess.run(self.command(*more), env=self.environment(), capture_output=True, text=True, check=False)

    def dermacare(self, *arguments: str) -> subprocess.CompletedProcess[str]:
        """Any other command on this home."""
        command = [sys.executable, "-m", "dermacare.cli", *arguments]
        return subprocess.run(command, env=self.environment(), capture_output=True, text=True, check=False)

    def run_until(self, reached: Callable[[Event], bool], number: int = signal.SIGKILL, *more: str) -> bool:
        """Run in a process group of its own and send it a signal once an event is reached; False: the run was done before."""
        known = {run.id for run in all_runs(self.home)}
        log = self.home.root.with_name("run.log")
        with log.open("wb") as output:
            process = subprocess.Popen(
                self.command(*more), env=self.environment(), stdout=output, stderr=subprocess.STDOUT, start_new_session=True
            )
        tail: EventTail | None = None
        while process.poll() is None:
            if tail is None:
                new = [run.id for run in all_runs(self.home) if run.id not in known]
                tail = EventTail(self.home, new[0]) if new else None
            elif any(reached(event) for event in tail.new()):
                os.killpg(process.pid, number)
                process.wait()
                return True
            time.sleep(0.01)
        assert process.returncode == 0, log.read_text()
        return False

    def events(self) -> list[Event]:
        """What the steps of all runs said."""
        return [event for run in all_runs(self.home) for event in EventTail(self.home, run.id).new()]

    def finished(self) -> dict[str, list[str]]:
        """Step → how it ended, each time that it was carried out, over all runs."""
        ends: dict[str, list[str]] = {}
        for event in self.events():
            if event["kind"] == "state" and event["state"] == "finished":
                ends.setdefault(event["step"], []).append(event["outcome"])
        return ends

    def mlflow(self, query: str) -> list[tuple[Any, ...]]:
        """Ask MLflow's database, without MLflow."""
        with sqlite3.connect(self.home.root / "mlflow.db") as connection:
            return connection.execute(query).fetchall()


@pytest.fixture
def project(tmp_path: Path) -> Project:
    """An empty home."""
    return Project(Home(tmp_path / "home"))


@dataclass(frozen=True)
class Finished:
    """A first run of the tiny settings, done: its home, not to be changed, and what it printed."""

    home: Path
    printed: str


@pytest.fixture(scope="session")
def finished(tmp_path_factory: pytest.TempPathFactory) -> Finished:
    """Made once for all processes of tests: the first one that needs it makes it, the others wait."""
    own = tmp_path_factory.getbasetemp()
    folder = (own.parent if "PYTEST_XDIST_WORKER" in os.environ else own) / "finished"
    printed = folder / "printed"
    with locked(folder / "lock"):
        if not printed.exists():
            shutil.rmtree(folder / "home", ignore_errors=True)
            done = Project(Home(folder / "home")).run()
            assert done.returncode == 0, done.stderr
            printed.write_text(done.stdout)
    return Finished(folder / "home", printed.read_text())


# Where MLflow's database says in which folder files lie.
_PLACES = {
    "experiments": "artifact_location",
    "runs": "artifact_uri",
    "logged_models": "artifact_location",
    "model_versions": "storage_location",
}


@pytest.fixture
def used_project(finished: Finished, tmp_path: Path) -> Project:
    """A copy of the home with the finished run, to be changed; what it tells of its place is that of the copy."""
    root = tmp_path / "home"
    # Kubeflow's cache knows outputs by their place; the step store answers for them.
    shutil.copytree(finished.home, root, ignore=shutil.ignore_patterns("kfp-cache"))
    with closing(sqlite3.connect(root / "mlflow.db")) as connection, connection:
        for table, column in _PLACES.items():
            connection.execute(f"update {table} set {column} = replace({column}, ?, ?)", (str(finished.home), str(root)))
    return Project(Home(root))
