"""When there is nothing to do: the work is done, and its models need no other judgement."""

from dataclasses import replace
from pathlib import Path

import pytest

from components.params import load_params
from components.promotion.entries import Action, Outcome
from components.store import Store
from pipelines import runs
from pipelines.home import Home
from pipelines.runs import RunRecord, RunState
from pipelines.start import Prepared, prepare
from tests.components.promotion.records import decided, moved, release, version


def planned(home: Home, *assignments: str, offline: bool = False) -> Prepared:
    resolved = load_params(profile="demo", assignments=list(assignments))
    return prepare(home, resolved, profile="demo", arguments=["run"], fresh=False, offline=offline)


def done(home: Home, *, offline: bool = False) -> RunRecord:
    """A run of the demo whose steps are all there, without their work."""
    prepared = planned(home, offline=offline)
    record = replace(prepared.record, state=RunState.DONE)
    for step in prepared.plan.steps:
        Store(home.root).execute(step.step, step.key, lambda work: None)
    runs.save(home, record)
    return record


@pytest.fixture
def home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Home:
    for name in ("DERMACARE_LEDGER", "MLFLOW_TRACKING_URI"):
        monkeypatch.delenv(name, raising=False)
    return Home(tmp_path / "home")


def test_the_same_again_has_nothing_to_do(home: Home) -> None:
    record = done(home)
    equals = planned(home).equals
    assert equals is not None
    assert equals.id == record.id


@pytest.mark.parametrize("change", ["register.policy=production", "register.metric=macro_auc", "train_unet.epochs=7"])
def test_another_policy_or_figure_asks_for_a_judgement_as_other_work_does(home: Home, change: str) -> None:
    done(home)
    assert planned(home, change).equals is None
    assert planned(home).equals is not None


def test_what_an_offline_run_did_is_still_to_be_registered(home: Home) -> None:
    done(home, offline=True)
    assert planned(home, offline=True).equals is not None
    assert planned(home).equals is None


def test_a_model_that_nobody_can_approve_any_more_is_judged_again(home: Home) -> None:
    record = done(home)
    ledger = home.releases()
    waiting = decided(2, Outcome.NEEDS_APPROVAL, release(1), champion=1, approvals=1).model_copy(update={"run_id": record.id})
    for content in (decided(1, Outcome.PROMOTE, release(1)), waiting):
        ledger.append(content, after=ledger.newest())
    assert planned(home).equals is not None
    ledger.append(moved(Action.PROMOTE, release(3), version(3)), after=ledger.newest())
    assert planned(home).equals is None
