"""The record of a run on a cluster: told to the pipeline as a parameter, and written down by the pod that registers.

A pod has no home of the user's. What `register` publishes of a run as a whole (its profile, its parameters, its plan) comes to it
as JSON; the run's id is the one that Kubeflow gave it.
"""

import json

from components.params import Params
from pipelines import runs
from pipelines.home import Home
from pipelines.plan import make_plan
from pipelines.runs import RunRecord


def tell(params: Params, *, profile: str, command: str) -> str:
    """What a pipeline is told of a run, as JSON.

    Args:
        params: all parameters.
        profile: the profile's name, or empty.
        command: what was typed, or empty.
    """
    values = params.model_dump(mode="json", by_alias=True, exclude={"cluster"})
    return json.dumps({"profile": profile, "command": command, "params": values}, sort_keys=True)


def known_run(run: str, job: str, fingerprint: str) -> str:
    """Id of the run for which a step works; on a cluster its record is written into the pod's home first.

    Args:
        run: the id, or on a cluster what `tell` gave.
        job: Kubeflow's id of the run; empty: no cluster, `run` is the id.
        fingerprint: of the sources; empty: it is not known before ingest.
    """
    if not job:
        return run
    told = json.loads(run)
    params = Params.model_validate(told["params"])
    plan = make_plan(params, fingerprint=fingerprint, run_id=job).as_json()
    runs.save(Home.here(), RunRecord(job, told["command"], told["profile"], told["params"], plan))
    return job
