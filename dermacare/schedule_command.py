"""`dermacare schedule`: the pipeline by the clock, on a cluster."""

import re
from pathlib import Path

from rich.table import Table

from components.errors import ParamsError, RunError
from components.params import load_params
from components.remote_store import RemoteStore
from dermacare.console import console
from pipelines import cluster_runs
from pipelines.cluster_record import tell
from pipelines.cluster_sources import check_sources
from pipelines.home import Home
from pipelines.kubeflow import Kubeflow
from pipelines.plan import check_models
from pipelines.start_from import check_reachable
from pipelines.training import arguments
from pipelines.withdrawn_list import share_withdrawn

_FIELD = r"(\*|[\w,/*-]+)"
_CRON = re.compile(rf"{_FIELD}( {_FIELD}){{4}}")


def schedule(
    cron: str | None,
    *,
    name: str | None,
    remove: str | None,
    profile: str | None,
    data: list[str],
    assignments: list[str],
    file: Path | None,
) -> None:
    """Make, replace, remove or list runs by the clock.

    Args:
        cron: when: minute, hour, day, month, weekday; None: list, or remove.
        name: of the schedule; None: `dermacare-PROFILE`.
        remove: name of the schedule to remove.
        profile, data, assignments, file: see `components.params.load_params`.

    Raises:
        ParamsError: `cron` is no such five fields, or a cluster could not read a source.
        RunError: Kubeflow cannot be reached, or has no schedule of the name.
        StoreError: withdrawn.csv cannot be put where the cluster finds it, or is older than the one there.
    """
    params = load_params(file, profile=profile, data=data, assignments=assignments).params
    if cron is not None and not _CRON.fullmatch(cron):
        raise ParamsError(f'--cron: {cron!r} is no time; write minute, hour, day, month, weekday: "0 3 * * *"')
    kubeflow = Kubeflow(params.cluster.namespace)
    if remove is not None:
        _remove(kubeflow, params.cluster.experiment, remove)
    elif cron is None:
        _show(kubeflow, params.cluster.experiment)
    else:
        check_models(params)
        check_sources(params.ingest)
        home = Home.here()
        check_reachable(home, params)
        share_withdrawn(home, RemoteStore.here())
        name = name or f"dermacare-{profile or 'run'}"
        told = tell(params, profile=profile or "", command="dermacare schedule")
        kubeflow.schedule(
            cluster_runs.upload(kubeflow, params, "", scheduled=True),
            name,
            cron,
            arguments(params, fingerprint="", run=told),
            experiment=params.cluster.experiment,
            service_account=params.cluster.service_account,
        )
        console.print(f"{name}: runs at {cron}, at {kubeflow.address}; each time it looks what its sources hold", markup=False)


def _show(kubeflow: Kubeflow, experiment: str) -> None:
    table = Table("schedule", "when", "state")
    for one in kubeflow.schedules(experiment):
        table.add_row(one.name, one.cron, "on" if one.is_on else "off")
    if not table.rows:
        console.print('nothing is scheduled; `dermacare schedule --cron "0 3 * * *"` has it run each night', markup=False)
        return
    console.print(table)


def _remove(kubeflow: Kubeflow, experiment: str, name: str) -> None:
    known = kubeflow.schedules(experiment)
    chosen = [one for one in known if one.name == name]
    if not chosen:
        raise RunError(f"{name}: is no schedule of {experiment}; there are {', '.join(one.name for one in known) or 'none'}")
    for one in chosen:
        kubeflow.unschedule(one)
    console.print(f"{name}: removed; the runs that it started stay", markup=False)
