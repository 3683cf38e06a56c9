"""`dermacare run`: plan, start, watch, tell."""

import subprocess
import sys
import time
from collections.abc import Sequence
from pathlib import Path

from rich.markup import escape
from rich.table import Table

from components.errors import StepFailed
from components.params import Params, Resolved, load_params, version_of
from components.remote_store import RemoteStore
from components.store import Store
from dermacare.cluster_command import reach_cluster, run_on_cluster
from dermacare.console import console, duration
from dermacare.progress import view_of
from dermacare.results import show_results
from dermacare.ui_command import server_address
from pipelines import local, runs
from pipelines.crop_by import Crop, find_crop, resolved_crop
from pipelines.home import Home
from pipelines.kubeflow import Kubeflow
from pipelines.plan import Plan, state_of, why_stale
from pipelines.publish import check_tracking
from pipelines.runner import Runner, check_runner
from pipelines.runs import EventTail, RunRecord, RunState
from pipelines.start import Prepared, prepare
from pipelines.start_from import Start, find_starts, weights_of
from pipelines.withdrawn_list import share_withdrawn

_LOG_LINES = 15


def run_pipeline(
    *,
    profile: str | None,
    data: Sequence[str],
    assignments: Sequence[str],
    file: Path | None,
    start_from: Sequence[str],
    crop_by: str | None,
    runner: Runner,
    plan_only: bool,
    fresh: bool,
    offline: bool,
) -> int:
    """Carry out `dermacare run`; returns the exit code."""
    home = Home.here()
    if not plan_only:
        check_runner(runner)
    resolved = load_params(file, profile=profile, data=data, assignments=assignments)
    kubeflow = reach_cluster(home, resolved.params) if runner is Runner.CLUSTER else None
    if not (plan_only or offline or kubeflow):
        check_tracking(home, resolved.params)
    prepared = plan_run(
        home,
        resolved,
        profile=profile,
        start_from=start_from,
        crop_by=crop_by,
        runner=runner,
        kubeflow=kubeflow,
        fresh=fresh,
        offline=offline,
    )
    if plan_only:
        _show_plan(home, prepared)
        return 0
    record = carry_out(home, prepared, kubeflow, fresh=fresh, offline=offline)
    return 0 if record.state is RunState.DONE else 130


def carry_out(
    home: Home, prepared: Prepared, kubeflow: Kubeflow | None, *, fresh: bool = False, offline: bool = False
) -> RunRecord:
    """Carry a planned run out and show it; returns the record of the run that did this work, an earlier one where it was done.

    Where it is not done, the run was stopped, or goes on at the cluster.

    Raises:
        StepFailed: a step failed.
        RunError, ParamsError: see `dermacare.cluster_command.run_on_cluster`.
    """
    if kubeflow is not None:
        return run_on_cluster(home, kubeflow, prepared, fresh=fresh)
    if prepared.equals is not None and not fresh:
        _show_equal(home, prepared.equals)
        return prepared.equals
    share_withdrawn(home, RemoteStore.here())
    done = sum(state_of(step, Store(home.root)) == "reuse" for step in prepared.plan.steps)
    what = f"{done} done already" + (f", goes on from {prepared.resumes.id}" if prepared.resumes else "")
    console.print(f"run {prepared.record.id}: {len(prepared.plan.steps)} steps, {what}; state in {home.root}", markup=False)
    start = time.time()
    record = _watch(home, prepared.record)
    if record.state is RunState.FAILED:
        raise StepFailed(_failure(home, record))
    if record.state is not RunState.DONE:
        console.print(f"run {record.id} was stopped; the same command goes on from here")
        return record
    _show_steps(home, record)
    show_results(home, record)
    where = escape(server_address(home) or "dermacare ui")
    after = "" if offline else f" Next: [bold]{where}[/bold] shows the runs and the models in MLflow."
    console.print(f"\n{duration(time.time() - start)} in all.{after}")
    return record


def plan_run(
    home: Home,
    resolved: Resolved,
    *,
    profile: str | None,
    start_from: Sequence[str],
    crop_by: str | None,
    runner: Runner,
    kubeflow: Kubeflow | None,
    fresh: bool = False,
    offline: bool = False,
) -> Prepared:
    """What a run of these parameters would do; tells of the models that start from a registered version."""
    crop = find_crop(home, resolved.params, crop_by, start_from)
    cropped = resolved_crop(resolved, crop)
    starts = find_starts(home, cropped.params, start_from)
    prepared = prepare(
        home,
        cropped,
        profile=profile or "",
        arguments=sys.argv[1:],
        fresh=fresh,
        offline=offline,
        runner=runner,
        starts=starts,
        crop=crop,
        cluster=kubeflow.address if kubeflow else "",
    )
    if crop is not None:
        _tell_crop(prepared.record, crop)
    _tell_starts(prepared.record, starts)
    return prepared


def _tell_crop(record: RunRecord, crop: Crop) -> None:
    segmenter = Params.model_validate(record.params).preprocess.segmenter
    assert segmenter is not None
    console.print(f"classifiers see images that {version_of(segmenter)} crops", markup=False)
    if crop.withdrawn and version_of(segmenter) == crop.version:  # another one crops for work that is done
        console.print(
            f"{crop.version} learned from images that were withdrawn since ({', '.join(crop.withdrawn)}): the classifiers that it "
            "crops for hold it",
            markup=False,
        )


def _tell_starts(record: RunRecord, starts: Sequence[Start]) -> None:
    params = Params.model_validate(record.params)
    for start in starts:
        console.print(f"{start.model} starts from {version_of(weights_of(params, start))}", markup=False)
        if start.withdrawn:
            console.print(
                f"{start.version} learned from images that were withdrawn since ({', '.join(start.withdrawn)}): what is trained on "
                "from it did so too",
                markup=False,
            )
    models = [*params.train_unet.models, *params.train_classifier.models]
    others = [model for model in models if model not in [start.model for start in starts]]
    if starts and others:
        console.print(f"{', '.join(others)}: as the recipe says", markup=False)


def _watch(home: Home, record: RunRecord) -> RunRecord:
    process = local.start(home, record)
    view = view_of(record.steps)
    events = EventTail(home, record.id)
    try:
        while True:
            ended = _ended(process)
            for event in events.new():
                view.show(event)
            if ended:
                break
    except KeyboardInterrupt:
        process.terminate()
        process.wait()
    finally:
        view.close()
    runs.bury_the_dead(home)
    return runs.load(home, record.id)


def _ended(process: subprocess.Popen[bytes]) -> bool:
    try:
        process.wait(timeout=0.2)
    except subprocess.TimeoutExpired:
        return False
    return True


def _failure(home: Home, record: RunRecord) -> str:
    """What failed, and the last lines of its log."""
    step = record.reason.partition(":")[0]
    log = home.log(record.id, step)
    lines = [f"{record.reason}"]
    if log.exists():
        tail = log.read_text(encoding="utf-8", errors="replace").splitlines()[-_LOG_LINES:]
        lines += [f"  last lines of {log}:", *(f"  | {line}" for line in tail)]
    return "\n".join(lines)


def _show_plan(home: Home, prepared: Prepared) -> None:
    store = Store(home.root)
    table = Table("step", "would", "because")
    for step in prepared.plan.steps:
        state = state_of(step, store)
        reason = {"reuse": "its output is there", "resume": "an earlier attempt was stopped in the middle"}.get(state)
        table.add_row(step.name, state, reason or why_stale(step, _comparable(prepared)))
    console.print(table)
    if prepared.equals is not None:
        console.print(f"nothing changed: it would equal run {prepared.equals.id}")


def _comparable(prepared: Prepared) -> Plan | None:
    return prepared.before.steps if prepared.before else None


def _show_equal(home: Home, record: RunRecord) -> None:
    console.print(f"nothing changed: this equals run {record.id}. --fresh does it all again.", markup=False)
    show_results(home, record)


def _show_steps(home: Home, record: RunRecord) -> None:
    finished = {
        event["step"]: event
        for event in EventTail(home, record.id).new()
        if event["kind"] == "state" and event["state"] == "finished"
    }
    table = Table("step", "seconds", "outcome")
    for step in record.steps.steps:
        event = finished.get(step.name)
        # Kubeflow's cache answers for a step without starting it: it says nothing. That the output is there was looked at.
        table.add_row(step.name, f"{event['seconds']:.1f}" if event else "0.0", event["outcome"] if event else "reused")
    console.print(table)
