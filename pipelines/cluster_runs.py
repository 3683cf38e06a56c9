"""Runs on a cluster: started from here, looked at from here, carried out by Kubeflow, which alone knows how they stand."""

import tempfile
import time
from collections.abc import Iterator, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

from components.errors import MachineError, RunError
from components.files import sha256_file
from components.params import PODS, Params
from components.remote_store import RemoteStore
from pipelines import runs
from pipelines.cluster_record import tell
from pipelines.home import Home
from pipelines.kubeflow import Kubeflow, RunUnknown, Standing, Task, TaskState, Version
from pipelines.runs import RunRecord, RunState
from pipelines.withdrawn_list import share_withdrawn

_ENDED = {
    TaskState.SUCCEEDED: RunState.DONE,
    TaskState.SKIPPED: RunState.DONE,
    TaskState.FAILED: RunState.FAILED,
    TaskState.CANCELED: RunState.KILLED,
}

_LOOPS = ("train_unet", "train_classifier")


def upload(kubeflow: Kubeflow, params: Params, fingerprint: str, *, registers: bool = True, scheduled: bool = False) -> Version:
    """Upload the pipeline of these parameters; its version is named after the digest of what is sent.

    Args:
        kubeflow: where to.
        params: all parameters.
        fingerprint: of the sources; empty: ingest looks itself.
        registers: whether the last step runs.
        scheduled: whether it runs again and again.

    Raises:
        RunError: Kubeflow cannot be reached, or refuses it.
        ParamsError: an address holds a password.
    """
    from pipelines.training import compile_pipeline

    with tempfile.TemporaryDirectory() as folder:
        file = Path(folder) / "pipeline.yaml"
        compile_pipeline(params, fingerprint, file, registers=registers, scheduled=scheduled)
        return kubeflow.upload(file, params.cluster.pipeline, sha256_file(file)[:20])


def start(kubeflow: Kubeflow, home: Home, record: RunRecord) -> RunRecord:
    """Start a planned run on a cluster; returns its record, saved under Kubeflow's id of it.

    Raises:
        RunError: Kubeflow cannot be reached, or refuses it.
        StoreError: withdrawn.csv cannot be put where the cluster finds it, or is older than the one there.
    """
    from pipelines.training import arguments

    params = Params.model_validate(record.params)
    fingerprint = record.steps["ingest"].salt
    share_withdrawn(home, RemoteStore.here())
    version = upload(kubeflow, params, fingerprint, registers=not record.offline)
    told = tell(params, profile=record.profile, command=record.command)
    run = kubeflow.start(
        version,
        f"{record.profile or 'run'} {record.id}",
        arguments(params, fingerprint=fingerprint, run=told),
        experiment=params.cluster.experiment,
        service_account=params.cluster.service_account,
    )
    started = replace(record, id=run, cluster=kubeflow.address, created=time.time())
    runs.save(home, started)
    return started


def settled(home: Home, record: RunRecord, standing: Standing) -> RunRecord:
    """The record of a run that stands so, saved where that ends it."""
    if not standing.state.is_over:
        return record
    reason = "" if standing.state in (TaskState.SUCCEEDED, TaskState.SKIPPED) else failure(standing)
    ended = replace(record, state=_ENDED[standing.state], ended=time.time(), reason=reason)
    runs.save(home, ended)
    return ended


def failure(standing: Standing) -> str:
    """Why a run failed, in one line: the steps that did, with what Kubeflow says of them."""
    if standing.state is TaskState.CANCELED:
        return "stopped in Kubeflow"
    failed = {step_of(task): task.error for task in standing.tasks if task.state is TaskState.FAILED and step_of(task)}
    told = [f"{step}: {error or 'failed'}" for step, error in failed.items()]
    return "; ".join(told) or standing.error or "failed in Kubeflow"


def look_again(home: Home) -> None:
    """Ask Kubeflow how the runs stand that say they go on there; those of a cluster that is out of reach stay as they are."""
    going = [run for run in runs.all_runs(home) if run.cluster and run.state is RunState.RUNNING]
    servers: dict[str, Kubeflow | None] = {}
    for run in going:
        if run.cluster not in servers:
            servers[run.cluster] = _server(run)
        kubeflow = servers[run.cluster]
        if kubeflow is not None and kubeflow.address == run.cluster:
            try:
                settled(home, run, kubeflow.standing(run.id))
            except RunUnknown:
                _forgotten(home, run)


def _forgotten(home: Home, record: RunRecord) -> None:
    runs.save(home, replace(record, state=RunState.KILLED, ended=time.time(), reason="Kubeflow does not know it any more"))


def _server(run: RunRecord) -> Kubeflow | None:
    try:
        return Kubeflow(Params.model_validate(run.params).cluster.namespace)
    except (RunError, MachineError):
        return None


def terminate(home: Home, record: RunRecord) -> None:
    """End a run on a cluster; what its steps have sent to the store stays, and the same command goes on from there.

    Raises:
        MachineError: nothing says where Kubeflow is.
        RunError: it is another one, does not answer, or does not let the run be ended.
    """
    kubeflow = Kubeflow(Params.model_validate(record.params).cluster.namespace)
    if kubeflow.address != record.cluster:
        raise RunError(f"{record.id}: runs on {record.cluster}, and KFP_HOST names {kubeflow.address}; name that one")
    try:
        kubeflow.terminate(record.id)
    except RunUnknown:
        _forgotten(home, record)
        return
    runs.save(home, replace(record, state=RunState.KILLED, ended=time.time(), reason="stopped"))


class Watcher:
    """Turns what Kubeflow says of a run into events such as the steps of a local run write.

    Kubeflow does not say which model a round of a loop trains: the rounds of a training are told as one step, by their number.

    Args:
        record: the run's.
    """

    def __init__(self, record: RunRecord) -> None:
        self._models = {step: sum(one.step == step for one in record.steps.steps) for step in _LOOPS}
        self._told: dict[str, str] = {}
        self._done: dict[str, int] = {}

    def events(self, standing: Standing) -> Iterator[dict[str, Any]]:
        """What is new since the last call."""
        for step in dict.fromkeys(filter(None, map(step_of, standing.tasks))):
            yield from self._of_step(step, [task for task in standing.tasks if step_of(task) == step])

    def _of_step(self, step: str, tasks: Sequence[Task]) -> Iterator[dict[str, Any]]:
        event = {"step": step, "time": time.time()}
        done = sum(task.state in (TaskState.SUCCEEDED, TaskState.SKIPPED) for task in tasks)
        rounds = max(self._models.get(step, 0), len(tasks))
        state = "finished" if done == rounds else "started" if any(t.state is not TaskState.PENDING for t in tasks) else ""
        if any(task.state in (TaskState.FAILED, TaskState.CANCELED) for task in tasks):
            state = "failed"
        if state and step not in self._told:
            self._told[step] = "started"
            yield event | {"kind": "state", "state": "started"}
        if rounds > 1 and done != self._done.get(step, 0):
            self._done[step] = done
            yield event | {"kind": "progress", "done": done, "total": rounds, "what": f"{done} of {rounds}", "left": None}
        if state in ("finished", "failed") and self._told[step] == "started":
            self._told[step] = state
            skipped = all(task.state is TaskState.SKIPPED for task in tasks)
            yield event | {"kind": "state", "state": state, "outcome": "reused" if skipped else "done"}


_STEPS = {name.replace("_", "-"): name for name in PODS}


def step_of(task: Task) -> str | None:
    """The step behind a task; None: it is one of Kubeflow's own (a driver, a loop)."""
    return _STEPS.get(task.name)
