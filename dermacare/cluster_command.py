"""`dermacare run --runner cluster`: plan here, start there, follow from here."""

import time

from rich.table import Table

from components.errors import RunError, StepFailed
from components.params import Params
from dermacare.console import console, duration
from dermacare.progress import view_of
from pipelines import cluster_runs
from pipelines.cluster_runs import Watcher
from pipelines.cluster_sources import check_sources
from pipelines.home import Home
from pipelines.kubeflow import Kubeflow, Standing
from pipelines.plan import Plan
from pipelines.runs import RunRecord, RunState
from pipelines.start import Prepared
from pipelines.start_from import check_reachable

LOOK_SECONDS = 3.0
_PATIENCE = 300.0


def reach_cluster(home: Home, params: Params) -> Kubeflow:
    """See that Kubeflow answers and that a cluster can read the sources; runs that say they go on there are looked at again.

    Raises:
        MachineError: nothing says where Kubeflow is.
        RunError: it does not answer.
        ParamsError: a source lies on this machine.
    """
    check_sources(params.ingest)
    kubeflow = Kubeflow(params.cluster.namespace)
    cluster_runs.look_again(home)
    return kubeflow


def run_on_cluster(home: Home, kubeflow: Kubeflow, prepared: Prepared, *, fresh: bool) -> RunRecord:
    """Start a prepared run, or find it done or going on, and follow it; returns its record: done, stopped, or still going on.

    Raises:
        StepFailed: a step failed.
        RunError: Kubeflow refuses it, or does not answer for minutes.
        ParamsError: a model starts from a version that a cluster cannot fetch.
    """
    if prepared.equals is not None and not fresh:
        console.print(f"nothing changed: this equals run {prepared.equals.id}. --fresh does it all again.", markup=False)
        return prepared.equals
    if prepared.goes_on is not None:
        record = prepared.goes_on
        console.print(f"run {record.id} of the same work goes on at {kubeflow.address}", markup=False)
    else:
        check_reachable(home, Params.model_validate(prepared.record.params))
        record = cluster_runs.start(kubeflow, home, prepared.record)
        console.print(f"run {record.id}: {len(record.plan)} steps, at {kubeflow.address}", markup=False)
    try:
        record, standing = _follow(home, kubeflow, record)
    except KeyboardInterrupt:
        console.print(
            f"run {record.id} goes on there; the same command follows it, `dermacare runs cancel {record.id}` ends it", markup=False
        )
        return record
    if record.state is RunState.FAILED:
        raise StepFailed(f"{record.reason}; `kubectl logs` of its pod says more, and the same command goes on from there")
    if record.state is not RunState.DONE:
        console.print(f"run {record.id} was stopped; the same command goes on from there", markup=False)
        return record
    _show_end(record, standing)
    return record


def _follow(home: Home, kubeflow: Kubeflow, record: RunRecord) -> tuple[RunRecord, Standing]:
    """Show a run until it ends. A Kubeflow that does not answer is asked again for some minutes."""
    watcher, view = Watcher(record), view_of(_as_told(record.steps))
    heard = time.monotonic()
    try:
        while True:
            try:
                standing = kubeflow.standing(record.id)
            except RunError:
                if time.monotonic() - heard > _PATIENCE:
                    raise
            else:
                heard = time.monotonic()
                for event in watcher.events(standing):
                    view.show(event)
                if standing.state.is_over:
                    return cluster_runs.settled(home, record, standing), standing
            time.sleep(LOOK_SECONDS)
    finally:
        view.close()


def _as_told(plan: Plan) -> Plan:
    """The plan with one step for all models of a training, since Kubeflow does not tell them apart."""
    steps = {step.step: step for step in reversed(plan.steps)}
    named = [type(step)(name, step.key, step.params, step.inputs, step.code, step.salt) for name, step in steps.items()]
    return Plan(tuple(reversed(named)))


def _show_end(record: RunRecord, standing: Standing) -> None:
    table = Table("task", "state")
    for task in standing.tasks:
        if cluster_runs.step_of(task) is not None:
            table.add_row(task.name, task.state.lower())
    console.print(table)
    experiment = Params.model_validate(record.params).register_.experiment
    told = "nothing was registered (--offline)" if record.offline else f"what came of it stands in MLflow, experiment {experiment}"
    console.print(f"{duration((record.ended or time.time()) - record.created)} in all; {told}", markup=False)
