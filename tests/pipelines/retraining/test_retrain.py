"""Whether the data changed, on really ingested and validated drawings; no model is trained, the ledger says what serves."""

import json
from dataclasses import dataclass, field
from pathlib import Path

import pytest

from components.dataset import Dataset
from components.params import Params, load_params
from components.promotion.entries import Outcome
from components.store import Store
from pipelines import runs
from pipelines.home import Home
from pipelines.plan import make_plan, source_fingerprint
from pipelines.retraining.result import Result, State
from pipelines.retraining.retrain import Asked, note_told, retrain
from pipelines.runs import RunRecord, RunState
from pipelines.start import Prepared
from tests.components.promotion.records import decided, release


def params_of(lesions: int, *more: str) -> Params:
    small = (f"ingest.phantom.lesions_per_class={lesions}", "ingest.phantom.size=[48,64]", "validate.audit_fail_on=never")
    return load_params(profile="demo", assignments=[*small, *more]).params


@dataclass
class Retrained:
    """A home, and how often a run would have been carried out in it."""

    home: Home
    carried_out: list[str] = field(default_factory=list)
    told: list[str] = field(default_factory=list)

    def retrain(self, params: Params, *, equals: str | None = None) -> Result:
        """Retrain if it changed; a run that is carried out is judged like `run-2`, without a run."""
        record = RunRecord("run-2", "", "", {}, [])

        def carry_out(prepared: Prepared) -> RunRecord:
            self.carried_out.append(prepared.record.id)
            self.judge(2, Dataset(Store(self.home.root).outs("validate")[0]).version)
            return record

        done = None if equals is None else RunRecord(equals, "", "", {}, [])
        return retrain(self.home, Asked(params, True, lambda: Prepared(record, done, None, None), carry_out, self.told.append))

    def judge(self, number: int, version: str) -> None:
        """Have a run's model be judged on a version of the data, and serve."""
        ledger = self.home.releases()
        content = decided(number, Outcome.PROMOTE, release(number)).model_copy(update={"data_version": version})
        ledger.append(content, after=ledger.newest())


@pytest.fixture
def retrained(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Retrained:
    for name in ("DERMACARE_LEDGER", "MLFLOW_TRACKING_URI"):
        monkeypatch.delenv(name, raising=False)
    return Retrained(Home(tmp_path / "home"))


def test_data_is_compared_with_that_behind_what_serves(retrained: Retrained) -> None:
    first = retrained.retrain(params_of(8))
    assert (first.state, first.before, first.serving) == (State.PROMOTED, "", "lesion-classifier/2")
    note_told(retrained.home)
    same = retrained.retrain(params_of(8))
    assert (same.state, len(retrained.carried_out)) == (State.UNCHANGED, 1)
    assert same.lines() == [f"unchanged: the data version is {first.after[:8]}, as that behind lesion-classifier/2"]

    # What validate refuses is refused, and nothing of it is trained on.
    bad = retrained.retrain(params_of(8, "validate.test_share=0.0001"))
    assert (bad.state, bad.after, bad.serving) == (State.REFUSED, "", "lesion-classifier/2")
    assert "test would be empty" in bad.reason

    # More lesions: looked at, and taken.
    more = retrained.retrain(params_of(10, "intake.checks=[copies, missing_class]"))
    assert more.state is State.PROMOTED
    assert more.changes["added"] > 0
    assert more.intake is not None
    assert [one.refuses for one in more.intake.findings] == [False, False]
    assert retrained.told[-1] == "looking at what the data brings"


def test_what_was_judged_and_not_told_is_told_by_the_next(retrained: Retrained) -> None:
    first = retrained.retrain(params_of(8))
    # Killed here: the note stays, and production is on this data already.
    again = retrained.retrain(params_of(8), equals="run-2")
    assert (again.state, again.before, len(retrained.carried_out)) == (State.PROMOTED, "", 1)
    assert again.reason == first.reason
    note_told(retrained.home)
    assert retrained.retrain(params_of(8), equals="run-2").state is State.UNCHANGED


def test_a_run_of_this_home_on_the_same_files_is_enough_to_know(retrained: Retrained) -> None:
    params = params_of(8)
    plan = make_plan(params, fingerprint=source_fingerprint(params.ingest, retrained.home.root), run_id="run-2")
    record = RunRecord("run-2", "", "", {}, json.loads(json.dumps(plan.as_json())), state=RunState.DONE)
    runs.save(retrained.home, record)
    retrained.judge(2, "d" * 64)
    assert retrained.retrain(params).state is State.UNCHANGED
    assert not (retrained.home.root / "steps").exists(), "nothing was computed"
