"""Starting a run: resolve what is planned, see whether it is done already, and hand it to a runner."""

import shlex
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from typing import Any

from pydantic import ValidationError

from components.params import Params, Resolved, bundle_of
from components.promotion.releases import overtaken
from components.store import Store
from pipelines import runs
from pipelines.crop_by import Crop, cropped
from pipelines.home import Home
from pipelines.plan import Plan, make_plan, source_fingerprint
from pipelines.runner import Runner
from pipelines.runs import RunRecord, RunState
from pipelines.start_from import Start, started, weights_of


@dataclass(frozen=True)
class Prepared:
    """A run that could start.

    Attributes:
        record: its record, not yet saved.
        equals: a finished run that did the same work, whose outputs are all there, and whose models need no other judgement, if
            there is one.
        before: the newest earlier run, to compare with, if there is one.
        resumes: an unfinished run of the same work, if there is one.
        goes_on: a run of the same work that a cluster is carrying out now, if there is one.
    """

    record: RunRecord
    equals: RunRecord | None
    before: RunRecord | None
    resumes: RunRecord | None
    goes_on: RunRecord | None = None

    @property
    def plan(self) -> Plan:
        """The plan of the run."""
        return self.record.steps


def prepare(
    home: Home,
    resolved: Resolved,
    *,
    profile: str,
    arguments: list[str],
    fresh: bool,
    offline: bool = False,
    runner: Runner = Runner.SUBPROCESS,
    starts: Sequence[Start] = (),
    crop: Crop | None = None,
    cluster: str = "",
) -> Prepared:
    """Plan a run and look at what earlier ones left.

    Args:
        home: where state lies.
        resolved: the parameters.
        profile: the profile's name, or empty.
        arguments: what was typed, for the record.
        fresh: do everything again, whatever is done; a fresh run that died is taken up again.
        offline: leave MLflow out, and `register`, which needs it; a run without it then does that step.
        runner: where the steps are to run.
        starts: the models that start from a registered version.
        crop: the segmenter that `resolved` has by `--crop-by`.
        cluster: address of the Kubeflow Pipelines that carries it out; empty: this machine does.
    """
    runs.bury_the_dead(home)
    earlier = runs.all_runs(home)
    run = runs.new_id()
    fingerprint = source_fingerprint(resolved.params.ingest, home.root)

    def is_work_of(params: Params, one: RunRecord) -> bool:
        if fresh:
            return _unfinished_fresh(one, params.model_dump(mode="json", by_alias=True))
        return make_plan(params, fingerprint=fingerprint, run_id=run).same_work(one.steps)

    params = as_begun(resolved.params, starts, crop, earlier, is_work_of) or started(resolved.params, starts)
    values = params.model_dump(mode="json", by_alias=True)
    mark = ""
    if fresh:
        mark = next((r.fresh for r in reversed(earlier) if _unfinished_fresh(r, values)), run)
        fingerprint = source_fingerprint(params.ingest, home.root, fresh=mark)
    plan = make_plan(params, fingerprint=fingerprint, run_id=run)
    if offline:
        plan = plan.without("register")
    record = RunRecord(
        id=run,
        command=shlex.join(["dermacare", *arguments]),
        profile=profile,
        params=values,
        plan=plan.as_json(),
        fresh=mark,
        offline=offline,
        cluster=cluster,
        runner=runner,
    )
    same = [r for r in reversed(earlier) if r.cluster == cluster and r.steps.same_work(plan)]
    store = Store(home.root)
    # What a cluster has made does not lie here.
    whole = bool(cluster) or all(store.has(step.step, step.key) for step in plan.steps if step.step != "register")
    return Prepared(
        record=record,
        equals=_equal(home, plan, same) if whole else None,
        before=earlier[-1] if earlier else None,
        resumes=same[0] if same and same[0].state in (RunState.KILLED, RunState.FAILED) else None,
        goes_on=same[0] if cluster and same and same[0].state is RunState.RUNNING else None,
    )


def _equal(home: Home, plan: Plan, same: Sequence[RunRecord]) -> RunRecord | None:
    """The newest finished run that leaves nothing to do."""
    done = [r for r in same if r.state is RunState.DONE and plan.same_judgement(r.steps)]
    registers = any(step.step == "register" for step in plan.steps)
    if done and registers and overtaken(home.releases().entries(), done[0].id):
        return None
    return done[0] if done else None


def as_begun(
    params: Params,
    starts: Sequence[Start],
    crop: Crop | None,
    earlier: Sequence[RunRecord],
    is_work_of: Callable[[Params, RunRecord], bool],
) -> Params | None:
    """The parameters as an earlier run had them, where an alias now names what that run made of the same work; else None.

    A run that trains on from production, or crops by it, may become production. The same command, typed again, would then train on
    from its own model, or crop by it, though nothing changed, or never end what a kill in `register` left.
    """
    moved = {start.run_id for start in starts if start.by_alias}
    moved |= {crop.run_id} if crop is not None and crop.by_alias else set()
    for run in [one for one in earlier if one.id in moved]:
        try:
            before = Params.model_validate(run.params)
        except ValidationError:
            continue  # of another version of this program: none of its work is this
        then = [
            replace(start, weights=weights)
            for start in starts
            if start.by_alias and start.run_id == run.id and bundle_of(weights := weights_of(before, start))
        ]
        segmenter = before.preprocess.segmenter if crop is not None and crop.by_alias and crop.run_id == run.id else None
        if not then and segmenter is None:
            continue
        begun = started(started(params, starts), then)
        begun = begun if segmenter is None else cropped(begun, segmenter)
        if is_work_of(begun, run):
            return begun
    return None


def _unfinished_fresh(record: RunRecord, params: dict[str, Any]) -> bool:
    return bool(record.fresh) and record.state is not RunState.DONE and record.params == params
