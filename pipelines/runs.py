"""Records of runs: who runs, what is planned, how it ended. One writer: the process that owns the run."""

import json
import os
import secrets
import signal
import socket
import time
from dataclasses import asdict, dataclass, field, replace
from enum import StrEnum
from pathlib import Path
from typing import Any

import psutil

from components.errors import RunError
from components.files import write_text
from components.tracking import LEASE_SECONDS, process_lives
from pipelines.home import Home
from pipelines.plan import Plan
from pipelines.runner import Runner


class RunState(StrEnum):
    """How a run stands."""

    RUNNING = "running"
    DONE = "done"
    FAILED = "failed"
    KILLED = "killed"


@dataclass(frozen=True)
class RunRecord:
    """What is known of a run; `run.json` of its folder.

    Attributes:
        id: date, time and four random digits: `20261124-153012-a1b2`; of a run on a cluster, Kubeflow's.
        command: what was typed.
        profile: the profile, or empty.
        params: all parameters, as plain values.
        plan: see `Plan.as_json`.
        fresh: the mark of a `--fresh` run, or empty.
        offline: whether it sends nothing to MLflow and registers nothing.
        runner: where its steps run.
        state: how it stands; a record that says running is believed only while its owner lives (see `alive`).
        host, pid, started_process: the owner, and when that process started (a pid is used again).
        created, ended: seconds since 1970.
        reason: why it failed, in one sentence.
        cluster: address of the Kubeflow Pipelines that carries it out; empty: a process of ours does.
    """

    id: str
    command: str
    profile: str
    params: dict[str, Any]
    plan: list[dict[str, Any]]
    fresh: str = ""
    offline: bool = False
    runner: Runner = Runner.SUBPROCESS
    state: RunState = RunState.RUNNING
    host: str = field(default_factory=socket.gethostname)
    pid: int = 0
    started_process: float = 0.0
    created: float = field(default_factory=time.time)
    ended: float | None = None
    reason: str = ""
    cluster: str = ""

    @property
    def steps(self) -> Plan:
        """The plan, typed."""
        return Plan.from_json(self.plan)


def new_id() -> str:
    """An id for a run that starts now."""
    return f"{time.strftime('%Y%m%d-%H%M%S')}-{secrets.token_hex(2)}"


def save(home: Home, record: RunRecord) -> None:
    """Write a run's record."""
    write_text(home.run(record.id) / "run.json", json.dumps(asdict(record), indent=1) + "\n")


def load(home: Home, run: str) -> RunRecord:
    """Read a run's record.

    Raises:
        RunError: there is no such run.
    """
    file = home.run(run) / "run.json"
    if not file.is_file():
        raise RunError(f"{run}: is no run of {home.root}; `dermacare runs list` shows those that are")
    values = json.loads(file.read_text(encoding="utf-8"))
    # Records of before there was a choice name no runner.
    typed = {"state": RunState(values["state"]), "runner": Runner(values.get("runner", Runner.SUBPROCESS))}
    return RunRecord(**(values | typed))


def all_runs(home: Home) -> list[RunRecord]:
    """All runs, oldest first."""
    return sorted((load(home, file.parent.name) for file in home.runs.glob("*/run.json")), key=lambda run: (run.created, run.id))


def owned(record: RunRecord, pid: int | None = None) -> RunRecord:
    """The record with a process of this host as its owner; None: this one."""
    process = psutil.Process(pid)
    return replace(record, pid=process.pid, started_process=process.create_time(), host=socket.gethostname())


def beat(home: Home, run: str) -> None:
    """Renew a run's lease."""
    (home.run(run) / "heartbeat").touch()


def alive(home: Home, record: RunRecord) -> bool:
    """Whether a run that says it is running has an owner: a living process on this host, elsewhere a lease that holds.

    A run on a cluster is believed: only Kubeflow knows better (`pipelines.cluster_runs.look_again`).
    """
    if record.state is not RunState.RUNNING:
        return False
    if record.cluster:
        return True
    if record.host == socket.gethostname():
        return process_lives(record.pid, record.started_process)
    beat_file = home.run(record.id) / "heartbeat"
    return beat_file.exists() and time.time() - beat_file.stat().st_mtime < LEASE_SECONDS


def bury_the_dead(home: Home) -> list[RunRecord]:
    """Mark runs whose owner died as killed; returns those."""
    dead = [run for run in all_runs(home) if run.state is RunState.RUNNING and not alive(home, run)]
    for run in dead:
        save(home, replace(run, state=RunState.KILLED, ended=time.time(), reason="its process died"))
    return dead


def cancel(home: Home, run: str) -> None:
    """Stop a run that is going on, on this host or on a cluster; what it has done stays, and the same command goes on from there.

    Raises:
        RunError: the run is not going on, or on another host.
    """
    record = load(home, run)
    if not alive(home, record):
        raise RunError(f"{run}: is not running (it is {record.state}); there is nothing to cancel")
    if record.cluster:
        from pipelines.cluster_runs import terminate

        terminate(home, record)
        return
    if record.host != socket.gethostname():
        raise RunError(f"{run}: runs on {record.host}; cancel it there")
    os.kill(record.pid, signal.SIGTERM)
    try:
        psutil.Process(record.pid).wait(timeout=60)
    except psutil.NoSuchProcess:
        return
    except psutil.TimeoutExpired as error:
        raise RunError(f"{run}: process {record.pid} did not end within 60 s; end it with kill -9 {record.pid}") from error


def step_logs(home: Home, run: str) -> list[Path]:
    """The log files of a run's steps, in the order in which they started."""
    load(home, run)
    return sorted((home.run(run) / "logs").glob("*.log"), key=lambda file: file.stat().st_mtime)


class EventTail:
    """Reads what a run's steps say, as it comes: each call of `new` gives the events since the last one."""

    def __init__(self, home: Home, run: str) -> None:
        self._file = home.events(run)
        self._offset = 0

    def new(self) -> list[dict[str, Any]]:
        """Events that were not read yet, in order; a line that is still being written waits for the next call."""
        if not self._file.exists():
            return []
        with self._file.open("rb") as handle:
            handle.seek(self._offset)
            whole, _, _ = handle.read().rpartition(b"\n")
        self._offset += len(whole) + 1 if whole else 0
        return [json.loads(line) for line in whole.splitlines()]
