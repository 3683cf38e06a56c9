"""A round: something dies at random while a model is trained and registered; the same command is typed, and all is looked at."""

import json
import os
import random
import signal
import subprocess
import time
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol

from components.lesions import Task
from components.register.registry import REGISTERED
from pipelines.home import Home
from pipelines.runs import EventTail, all_runs
from tests.disasters.site import App, Storage
from tests.e2e.conftest import Project
from tests.postgresql import PostgreSQL, postgresql
from tests.tracking_server.server import TrackingServer, tracking_server

_USER = "pia"  # a promoter
_STEPS = ("train_classifier", "evaluate", "register")  # what a round does anew
_MOMENTS = 4.0  # seconds after the start of a step within which something dies
_AWAY = 8.0  # seconds for which it stays away
_ATTEMPTS = 3

_POINTS_TWICE = "select run_uuid, key, step from metrics group by 1, 2, 3 having count(*) > 1"
_RUNS_TWICE = """
select run.value, coalesce(model.value, '') from runs join tags run using (run_uuid)
left join tags model on model.run_uuid = runs.run_uuid and model.key = 'dermacare.model'
where run.key = 'dermacare.run_id' and lifecycle_stage = 'active' group by 1, 2 having count(*) > 1
"""
_GOING_ON = "select count(*) from runs where status = 'RUNNING'"
_VERSIONS = "select name, value, count(*) from model_version_tags where key = 'dermacare.bundle' group by 1, 2"
_PRODUCTION = "select name, version from registered_model_aliases where alias = 'production'"

_FETCH_ALL = """
import tempfile
from pathlib import Path

from components.registered import fetch_bundle
from components.register.registry import REGISTERED, Registry
from components.tracking import Ledger

ledger = Ledger({uri!r}, "dermacare")
for name in REGISTERED.values():
    for version in Registry(ledger).versions(name):
        with tempfile.TemporaryDirectory() as folder:
            fetch_bundle(ledger, version, Path(folder) / "whole")
"""


class Victim(Protocol):
    """What can be killed and started again."""

    def kill(self) -> None:
        """End it at once, as a power cut would."""

    def start(self) -> None:
        """Start it again; it answers when this returns."""


@dataclass(frozen=True)
class Round:
    """Who died, in which step, how many seconds after its start, for how many, and how often the command was typed afterwards."""

    victim: str
    step: str
    after: float
    away: float
    attempts: int


@dataclass
class Site:
    """The servers, the app and the project of one who trains."""

    database: PostgreSQL
    storage: Storage
    tracking: TrackingServer
    app: App
    project: Project
    rounds: int = 0

    def victims(self) -> dict[str, Victim]:
        """Everything that can be killed, besides the run."""
        return {"postgresql": self.database, "s3": self.storage, "mlflow": self.tracking, "dermacare": self.app}

    def change(self) -> None:
        """Let the next run train a classifier that was not there before."""
        self.rounds += 1
        self.project.settings["train_classifier.learning_rate"] = f"{0.001 + self.rounds * 1e-5:.5f}"


@contextmanager
def site(folder: Path) -> Iterator[Site]:
    """All of it, with a first release that serves; gone when the block ends."""
    with ExitStack() as running:
        database = running.enter_context(postgresql())
        database.query("postgres", "create database ledger")
        storage = Storage(folder / "s3")
        running.callback(storage.kill)
        (folder / "tracking").mkdir()
        tracking = running.enter_context(tracking_server(folder / "tracking", database, storage.server, "disasters"))
        ledger = {"DERMACARE_LEDGER": database.address("ledger")}
        project = Project(Home(folder / "home"), variables=tracking.credentials(_USER) | ledger)
        first = project.run()
        assert first.returncode == 0, first.stderr
        app = App(Home(folder / "app"), project.variables)
        running.callback(app.end)
        app.start()
        yield Site(database, storage, tracking, app, project)


def play(site: Site, chance: random.Random) -> Round:
    """Play a round and assert that nothing is lost, doubled or left broken."""
    victims = site.victims()
    name = chance.choice(["run", *victims])
    step, after, away = chance.choice(_STEPS), chance.uniform(0, _MOMENTS), chance.uniform(0, _AWAY)
    site.change()
    process = _started(site.project)
    _wait_for(site.project, process, step)
    time.sleep(after)
    if name == "run":
        os.killpg(process.pid, signal.SIGKILL)
    else:
        victims[name].kill()
        time.sleep(away)
        victims[name].start()
    process.wait()
    attempts = _finish(site.project)
    _look_at_mlflow(site)
    _look_at_the_ledger(site)
    _look_at_the_app(site)
    return Round(name, step, after, away if name != "run" else 0.0, attempts)


def _started(project: Project) -> subprocess.Popen[bytes]:
    with project.home.root.with_name("run.log").open("wb") as log:
        return subprocess.Popen(project.command(), env=project.environment(), stdout=log, stderr=log, start_new_session=True)


def _wait_for(project: Project, process: subprocess.Popen[bytes], step: str) -> None:
    """Until the newest run starts a step."""
    known = {run.id for run in all_runs(project.home)}
    while process.poll() is None:
        for run in all_runs(project.home):
            if run.id not in known and any(
                event["kind"] == "state" and event["step"].startswith(step) for event in EventTail(project.home, run.id).new()
            ):
                return
        time.sleep(0.05)
    raise AssertionError(project.home.root.with_name("run.log").read_text())


def _finish(project: Project) -> int:
    """Type the command until it is done; returns how often that took."""
    said = ""
    for attempt in range(1, _ATTEMPTS + 1):
        done = project.run()
        assert "Traceback" not in done.stderr
        if done.returncode == 0:
            return attempt
        said += done.stderr
    raise AssertionError(said)


def _look_at_mlflow(site: Site) -> None:
    """Each run, point and version once; nothing seems to go on; every version can be fetched whole."""

    def ask(query: str) -> list[tuple[object, ...]]:
        return site.database.query(site.tracking.name, query)

    assert ask(_POINTS_TWICE) == []
    assert ask(_RUNS_TWICE) == []
    assert ask(_GOING_ON) == [(0,)]
    versions = ask(_VERSIONS)
    assert [row for row in versions if row[2] != 1] == []
    classifiers = [row for row in versions if row[0] == REGISTERED[Task.CLASSIFICATION]]
    assert len(classifiers) == site.rounds + 1, "a version was lost"
    fetched = site.tracking.python(_USER, _FETCH_ALL.format(uri=site.tracking.uri))
    assert fetched.returncode == 0, fetched.stderr


def _look_at_the_ledger(site: Site) -> None:
    """Its chain and signatures hold, and the aliases follow it."""
    verified = site.project.dermacare("history", "--verify")
    assert verified.returncode == 0, verified.stdout + verified.stderr
    entries = json.loads(site.project.dermacare("history", "--json").stdout)
    release = entries[-1]["release"]
    serving = {one["name"]: one["number"] for one in (release["classifier"], release["segmenter"])}
    assert dict(site.database.query(site.tracking.name, _PRODUCTION)) == serving


def _look_at_the_app(site: Site) -> None:
    """It answers by the ledger's newest entry, and whatever it answered can be traced."""
    entries = json.loads(site.project.dermacare("history", "--json").stdout)
    end = time.monotonic() + 120
    while (models := site.app.models()).stale is not None or models.entry != entries[-1]["number"]:
        assert time.monotonic() < end, models.stale
        time.sleep(0.5)
    assert site.app.faults == []
    assert site.app.answered <= site.app.logged()
    assert site.app.answered
