"""`dermacare runs`: what runs and what ran."""

import time

from rich.table import Table

from components.errors import RunError
from dermacare.console import console, duration
from pipelines import runs
from pipelines.cluster_runs import look_again
from pipelines.home import Home


def show_runs() -> None:
    """A table of all runs of this home."""
    home = Home.here()
    runs.bury_the_dead(home)
    look_again(home)
    table = Table("run", "where", "profile", "state", "took", "steps", "command or reason")
    for run in runs.all_runs(home):
        took = duration((run.ended or time.time()) - run.created)
        table.add_row(run.id, run.cluster or "here", run.profile, run.state, took, str(len(run.plan)), run.reason or run.command)
    if not table.rows:
        console.print(f"no runs in {home.root} yet; `dermacare run --profile demo` makes one", markup=False)
        return
    console.print(table)


def show_logs(run: str | None, step: str | None) -> None:
    """Print the logs of a run's steps.

    Raises:
        RunError: there is no such run, or no such log.
    """
    home = Home.here()
    run = run or _newest(home)
    if cluster := runs.load(home, run).cluster:
        raise RunError(f"{run}: ran at {cluster}, and its logs are its pods'; Kubeflow's pages and `kubectl logs` show them")
    files = runs.step_logs(home, run)
    chosen = [file for file in files if step is None or file == home.log(run, step)]
    if not chosen:
        known = ", ".join(file.stem for file in files) or "none yet"
        raise RunError(f"{run}: has no log of {step or 'any step'}; there are {known}")
    for file in chosen:
        console.rule(file.stem)
        print(file.read_text(encoding="utf-8", errors="replace"), end="")


def cancel_run(run: str | None) -> None:
    """Stop a run."""
    home = Home.here()
    run = run or _newest(home)
    runs.cancel(home, run)
    console.print(f"{run}: stopped; the same command takes it up again")


def _newest(home: Home) -> str:
    known = runs.all_runs(home)
    if not known:
        raise RunError(f"{home.root}: holds no runs yet; `dermacare run --profile demo` makes one")
    return known[-1].id
