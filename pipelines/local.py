"""A run on this machine, in subprocesses or in containers: Kubeflow's local runner in a process of its own, watched by whoever
started it.

`start` is called by the command line and returns at once; `main` is that process. It owns the run: it renews the lease, sends
what the steps say to MLflow, and writes how the run ended.
"""

import os
import signal
import subprocess
import sys
import threading
import time
import traceback
from contextlib import suppress
from dataclasses import replace

import psutil

from components.errors import DermaCareError, StepFailed
from components.params import Params
from components.reporter import append_event
from components.store import Store
from pipelines import runs
from pipelines.containers import docker_runner, stop_containers, whole_paths
from pipelines.home import VARIABLE, Home
from pipelines.runner import Runner
from pipelines.runs import RunRecord, RunState

_ENVIRONMENT = {
    "PYTHONSAFEPATH": "1",  # no folder of the user's shadows `components`
    "DO_NOT_TRACK": "true",
    "GX_ANALYTICS_ENABLED": "false",
}


def start(home: Home, record: RunRecord) -> subprocess.Popen[bytes]:
    """Start the process that carries out a run.

    It stays in the caller's process group, so that whoever kills the group kills the run; killed with the terminal's Ctrl-C, it
    marks the run and ends. It waits until the record names it, so that at no time the record says of a run that nobody owns it.
    """
    log = home.log(record.id, "kubeflow")
    log.parent.mkdir(parents=True, exist_ok=True)
    environment = os.environ | _ENVIRONMENT | {VARIABLE: str(home.root), "DERMACARE_RUN": record.id}
    with log.open("ab") as handle:
        process = subprocess.Popen(
            [sys.executable, "-m", "pipelines.local", record.id],
            env=environment,
            stdin=subprocess.PIPE,
            stdout=handle,
            stderr=handle,
        )
    assert process.stdin is not None
    with process.stdin:
        runs.beat(home, record.id)
        runs.save(home, runs.owned(record, process.pid))
    return process


def main(run: str) -> int:
    """Carry out a planned run; returns the process's exit code."""
    home = Home.here()
    sys.stdin.read()  # until `start` has written the record
    record = runs.load(home, run)
    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, lambda _number, _frame: _stop(home, record))
    ending = threading.Event()
    tasks = (_beat,) if record.offline else (_beat, _track)
    threads = [threading.Thread(target=task, args=(home, record, ending)) for task in tasks]
    for thread in threads:
        thread.start()
    state, reason = RunState.KILLED, "stopped"
    try:
        _run_pipeline(home, record)
        state, reason = RunState.DONE, ""
    except KeyboardInterrupt:
        pass
    except Exception as error:
        traceback.print_exc()
        told = str(error) if isinstance(error, DermaCareError) else f"{type(error).__name__}: {error}"
        state, reason = RunState.FAILED, _first_failure(home, run) or told
    finally:
        runs.save(home, replace(record, state=state, reason=reason, ended=time.time()))
        ending.set()
        for thread in threads:
            thread.join()
    return 0 if state is RunState.DONE else 1


def _run_pipeline(home: Home, record: RunRecord) -> None:
    from kfp import local

    from pipelines.training import arguments, draw

    params = Params.model_validate(record.params)
    work = home.run(record.id) / "kfp"
    work.mkdir(parents=True, exist_ok=True)
    if record.runner is Runner.DOCKER:
        params = whole_paths(params)
        runner = docker_runner(home, record, params)
    else:
        runner = local.SubprocessRunner(use_venv=False)
    local.init(
        runner=runner,
        pipeline_root=str(work),
        workspace_root=str(work),
        # Kubeflow keeps a container that was killed as one that ended well, without an output. The store answers instead, from one.
        enable_caching=record.runner is not Runner.DOCKER,
        cache_root=str(home.root / "kfp-cache"),
    )
    pipeline = draw(params, parallel=False, registers=not record.offline)
    pipeline(**arguments(params, fingerprint=record.steps["ingest"].salt, run=record.id))
    _check_outputs(home, record)


def _check_outputs(home: Home, record: RunRecord) -> None:
    """Kubeflow takes a container that is gone when it asks how it ended for one that ended well: believe the store alone."""
    store = Store(home.root)
    for step in record.steps.steps:
        if not store.has(step.step, step.key):
            raise StepFailed(f"{step.name}: ended without its output; {home.log(record.id, step.name)} may tell why")


def _stop(home: Home, record: RunRecord) -> None:
    """End the step that runs, and let none start: Kubeflow's loops go on after an interrupt."""
    for number in (signal.SIGTERM, signal.SIGINT):  # a terminal's Ctrl-C comes here, and from the command that the terminal ends
        signal.signal(number, signal.SIG_IGN)
    append_event(home.events(record.id), "", {"kind": "stopped"})
    for child in psutil.Process().children(recursive=True):
        with suppress(psutil.NoSuchProcess):  # the terminal may have ended it
            child.kill()  # a killed step loses nothing: it goes on from its work folder
    if record.runner is Runner.DOCKER:
        stop_containers(home, record.id)
    raise KeyboardInterrupt


def _first_failure(home: Home, run: str) -> str:
    for event in runs.EventTail(home, run).new():
        if event["kind"] == "state" and event["state"] == "failed":
            return f"{event['step']}: {event['error']}"
    return ""


def _beat(home: Home, record: RunRecord, ending: threading.Event) -> None:
    while True:
        runs.beat(home, record.id)
        if ending.wait(5):
            return


def _track(home: Home, record: RunRecord, ending: threading.Event) -> None:
    """Send the run's events to MLflow while it goes on; what does not get through is published by `register`."""
    from pipelines.publish import LiveTracking

    tracking = LiveTracking(home, record)
    events = runs.EventTail(home, record.id)
    while True:
        last = ending.wait(1)
        tracking.send(events.new())
        if last:
            tracking.end(runs.load(home, record.id).state)
            return


if __name__ == "__main__":
    sys.exit(main(sys.argv[1]))
