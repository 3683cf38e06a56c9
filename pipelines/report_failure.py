"""The end of a run on a cluster: where it failed, MLflow and whoever is named in the environment are told so."""

import sys

from components.errors import TrackingError
from components.notify import notify
from components.params import RegisterParams
from components.tracking import Ledger
from pipelines.home import Home

REASON = "dermacare.failure"
"""Names the tag of an MLflow run that says why it failed."""


def report(params: str, job: str, *, state: str, error: str) -> None:
    """Say that a run failed, if it did: end its run in MLflow, if there is one, and tell people.

    What neither takes stands in this pod's log, and raises nothing: the run has failed already, and its own reason counts.

    Args:
        params: the section `register`, as JSON.
        job: Kubeflow's id of the run.
        state: how Kubeflow says the run ended: `SUCCEEDED`, `FAILED`, `CANCELLED`.
        error: what Kubeflow says of it.
    """
    if state == "SUCCEEDED":
        return
    summary = f"run {job} {state.lower()}: {error or 'Kubeflow gives no reason; its pods and their logs do'}"
    print(summary)
    for missed in (*_tell_mlflow(RegisterParams.model_validate_json(params).experiment, job, summary), *_tell_people(job, summary)):
        print(f"warning: {missed}", file=sys.stderr)


def _tell_mlflow(experiment: str, job: str, summary: str) -> list[str]:
    ledger = Ledger(Home.here().tracking_uri, experiment)
    try:
        with ledger.answering("writing down that the run failed"):
            run = ledger.pipeline_run(job)
            if run is not None:
                ledger.set_tags(run.info.run_id, {REASON: summary})
                ledger.end_with_children(run.info.run_id, "FAILED")
    except TrackingError as error:
        return [str(error)]
    return []


def _tell_people(job: str, summary: str) -> list[str]:
    return notify("failed", summary, {"run": job})
