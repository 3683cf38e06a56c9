"""The whole of it: compare the data, look at what it brings, run the pipeline, say what came out.

Every part is in the step store or in the ledger once it is done, so that the same command goes on wherever it was killed.
"""

import json
import time
from collections.abc import Callable
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Any

from components.dataset import Dataset
from components.errors import DataRefused, RunError
from components.files import write_text
from components.intake import Before, Intake, intake, read_intake
from components.params import Params
from components.promotion.releases import decisions_of, serving
from components.reporter import Reporter
from components.store import Store, code_digest, made_by, step_key
from components.tracking import without_credentials
from pipelines import runs
from pipelines.compare import find_pipeline_run
from pipelines.data.diff import DataDiff, Kind, compare
from pipelines.execute import StepCall, logged_to, run_step
from pipelines.home import Home, open_ledger
from pipelines.parents import KnownSplits
from pipelines.plan import Plan, make_plan, source_fingerprint
from pipelines.retraining.production import Production, find_production, validated_of
from pipelines.retraining.result import Result, State, outcome, overall
from pipelines.runs import RunRecord, RunState
from pipelines.start import Prepared

_INTAKE = "intake"


@dataclass(frozen=True)
class Asked:
    """What is asked.

    Attributes:
        params: all parameters.
        if_changed: leave it where the data version is that of what serves.
        prepare: plans the run (`pipelines.start.prepare`).
        carry_out: carries a planned run out, to its end.
        tell: is told what is being done, a line each.
    """

    params: Params
    if_changed: bool
    prepare: Callable[[], Prepared]
    carry_out: Callable[[Prepared], RunRecord]
    tell: Callable[[str], None]


def retrain(home: Home, asked: Asked) -> Result:
    """Retrain where the data changed.

    Raises:
        DermaCareError: something failed; nothing of what serves has changed by that.
    """
    production, left = find_production(home), _left(home)
    fingerprint = source_fingerprint(asked.params.ingest, home.root)
    plan = make_plan(asked.params, fingerprint=fingerprint, run_id="")
    if asked.if_changed and left is None and production.came_from(home, plan):
        return _unchanged(production, production.version)
    try:
        if not Store(home.root).has("validate", plan["validate"].key):
            asked.tell("reading and checking the data")
        validated = _validated(home, asked.params, fingerprint)
    except DataRefused as error:
        # Nobody can say what such data would do; what serves goes on serving.
        return Result(State.REFUSED, str(error), production.release.label, production.version)
    version = Dataset(validated).version
    # A retraining that was killed once its models were judged has still to be told.
    goes_on = left is not None and left.after == version
    if asked.if_changed and production.is_on(version) and not goes_on:
        note_told(home)
        return _unchanged(production, version)
    before = left.before if left is not None and goes_on else production.version
    earlier = validated_of(home, before) if before else None
    diff = None if earlier is None else compare(Dataset(earlier).manifest, Dataset(validated).manifest)
    asks = production.version not in ("", version) and asked.params.intake.checks
    looked = _look_at(home, production, earlier, validated, asked) if asks else None
    if looked is not None and looked.refusals:
        reason = f"the new data was not trained on: {', '.join(one.check for one in looked.refusals)}"
        result = Result(State.REFUSED, reason, production.release.label, production.version, version, intake=looked)
    else:
        write_text(_note(home), json.dumps(asdict(Left(before, version))) + "\n")
        record, carried_out = _run(home, asked, plan)
        result = _judged(home, record, before, version, looked, new=goes_on or carried_out)
    return replace(result, folders=(earlier, validated), **_changes(diff))


def _unchanged(production: Production, version: str) -> Result:
    reason = f"the data version is {version[:8]}, as that behind {production.release.label}"
    return Result(State.UNCHANGED, reason, production.release.label, production.version, version)


def _validated(home: Home, params: Params, fingerprint: str) -> Path:
    """The data, checked, grouped and split: made now, or found in the store."""
    raw = run_step(StepCall("ingest", params.ingest, {}, salt=fingerprint), home).out
    return run_step(StepCall("validate", params.section("validate"), {"raw": raw}), home).out


def _look_at(home: Home, production: Production, earlier: Path | None, validated: Path, asked: Asked) -> Intake:
    """What the checks say of what the data brings; made now, or found in the store."""
    params = asked.params.intake
    splits = None if earlier is not None else KnownSplits(home).of(production.version)
    if earlier is None and splits is None:
        raise RunError(
            f"data version {production.version[:8]}, that behind {production.release.label}, is neither in this home nor in "
            "MLflow, so that nobody can tell what the new data brings; retrain in the home that trained it, or give "
            "--set 'intake.checks=[]' and answer for it"
        )
    asked.tell("looking at what the data brings")
    code = code_digest(_INTAKE)
    origin = made_by(validated)
    key = step_key(_INTAKE, params, {"before": production.version, "validate": origin.key}, code=code, salt=str(earlier is None))
    before = Before(production.version, earlier, splits)

    def work(out: Path) -> None:
        intake(before, validated, out, params, Reporter(out, _INTAKE))

    with logged_to(home.root / "retrain" / "intake.log"):
        return read_intake(Store(home.root).execute(_INTAKE, key, work, code=code).out)


def _run(home: Home, asked: Asked, plan: Plan) -> tuple[RunRecord, bool]:
    """The finished run of this work, an earlier one or one that is carried out now, and whether it is the latter."""
    while (other := _going_on(home, plan)) is not None:
        asked.tell(f"run {other.id} does this work already; waiting for its end")
        while runs.alive(home, runs.load(home, other.id)):
            time.sleep(1)
    prepared = asked.prepare()
    return (prepared.equals, False) if prepared.equals is not None else (asked.carry_out(prepared), True)


def _going_on(home: Home, plan: Plan) -> RunRecord | None:
    """A run of the same data that still goes on here: one whose command was killed and which was not."""
    key = plan["validate"].key
    here = (run for run in runs.all_runs(home) if not run.cluster)
    alive = (run for run in here if run.state is RunState.RUNNING and runs.alive(home, run))
    return next((run for run in alive if any(step.key == key for step in run.steps.steps)), None)


def _judged(home: Home, record: RunRecord, before: str, version: str, looked: Intake | None, *, new: bool) -> Result:
    """What the ledger says of a run's models now; that they serve is nothing new where that was told before."""
    entries = home.releases().entries()
    entry = decisions_of(entries, record.id)
    if entry is None:
        raise RunError(
            f"{record.id}: the ledger has no entry of it; see that DERMACARE_LEDGER names the ledger of this home's runs"
        )
    models = outcome(entries, entry)
    state = overall(models)
    labels = ", ".join(f"{one.version.label} {one.state.value}" for one in models)
    when = "" if new else " before"
    return Result(
        State.UNCHANGED if state is State.PROMOTED and not new else state,
        f"run {record.id} judged this data{when}: {labels}",
        serving(entries).label,
        before,
        version,
        intake=looked,
        run=record.id,
        models=models,
        mlflow=_page(home, record.id),
    )


@dataclass(frozen=True)
class Left:
    """A retraining that has begun and was not told yet: the data versions behind what served, and of what is trained on."""

    before: str
    after: str


def _left(home: Home) -> Left | None:
    try:
        return Left(**json.loads(_note(home).read_text(encoding="utf-8")))
    except FileNotFoundError:
        return None


def note_told(home: Home) -> None:
    """Forget the retraining that had begun: whoever must know what came of it does."""
    _note(home).unlink(missing_ok=True)


def _note(home: Home) -> Path:
    return home.root / "retrain" / "begun.json"


def _changes(diff: DataDiff | None) -> dict[str, Any]:
    if diff is None:
        return {}
    counts = {kind.value: diff.count(kind) for kind in Kind}
    return {"changes": {kind: count for kind, count in counts.items() if count}, "moved": diff.verdict}


def _page(home: Home, run_id: str) -> str:
    """The address of the run's page, without credentials; empty where MLflow is a database of the home."""
    address = without_credentials(home.tracking_uri).rstrip("/")
    ledger = open_ledger(home)
    if ledger is None or not address.startswith("http"):
        return ""
    with ledger.answering(f"looking up {run_id}"):
        run = find_pipeline_run(ledger, run_id)
    return address if run is None else f"{address}/#/experiments/{run.info.experiment_id}/runs/{run.info.run_id}"
