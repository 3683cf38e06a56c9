"""What a retraining came to, by what the ledger says: without MLflow, and without training anything."""

import json
from pathlib import Path

import pytest

from components.intake import Checked, Intake
from components.promotion.entries import Action, Content, Entry, Outcome
from components.promotion.releases import decisions_of
from pipelines.home import Home
from pipelines.retraining.production import find_production
from pipelines.retraining.result import JudgedModel, Result, State, outcome, overall
from tests.components.promotion.records import decided, moved, release, version


@pytest.fixture
def home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Home:
    for name in ("DERMACARE_LEDGER", "MLFLOW_TRACKING_URI"):
        monkeypatch.delenv(name, raising=False)
    return Home(tmp_path / "home")


def write(home: Home, *contents: Content) -> list[Entry]:
    for content in contents:
        ledger = home.releases()
        ledger.append(content, after=ledger.newest())
    return home.releases().entries()


def on(data: str, content: Content) -> Content:
    return content.model_copy(update={"data_version": data})


def judged(entries: list[Entry], run: str) -> JudgedModel:
    entry = decisions_of(entries, run)
    assert entry is not None
    (model,) = outcome(entries, entry)
    return model


WAITS = decided(2, Outcome.NEEDS_APPROVAL, release(1), champion=1, approvals=1)


def test_the_data_behind_what_serves_is_what_judged_it(home: Home) -> None:
    nothing = find_production(home)
    assert (nothing.version, nothing.is_on("a")) == ("", False)
    write(home, on("a" * 64, decided(1, Outcome.PROMOTE, release(1))), on("b" * 64, WAITS))
    found = find_production(home)
    assert found.data == {"lesion-classifier/1": "a" * 64}
    assert found.is_on("a" * 64)
    assert not found.is_on("b" * 64)
    write(home, moved(Action.APPROVE, release(2), version(2)))
    assert find_production(home).version == "b" * 64
    write(home, moved(Action.ROLLBACK, release(1)))
    assert find_production(home).version == "a" * 64


def test_a_model_waits_serves_is_rejected_or_was_taken_back(home: Home) -> None:
    entries = write(home, decided(1, Outcome.PROMOTE, release(1)), WAITS)
    assert judged(entries, "run-1").state is State.PROMOTED
    waits = judged(entries, "run-2")
    assert (waits.state, waits.command) == (State.WAITING, 'dermacare approve lesion-classifier/2 --reason "…"')
    served = write(home, moved(Action.APPROVE, release(2), version(2)))
    assert judged(served, "run-2").state is State.PROMOTED
    back = judged(write(home, moved(Action.ROLLBACK, release(1))), "run-2")
    assert (back.state, back.reason) == (State.REFUSED, "it served, and another was let serve in its place since")


def test_a_rejected_model_says_by_whom(home: Home) -> None:
    entries = write(home, decided(1, Outcome.PROMOTE, release(1)), WAITS, moved(Action.REJECT, release(1), version(2)))
    rejected = judged(entries, "run-2")
    assert rejected.state is State.REFUSED
    assert "rejected it in entry 3: because" in rejected.reason


def test_one_that_waits_counts_before_one_that_serves(home: Home) -> None:
    entries = write(home, decided(1, Outcome.PROMOTE, release(1)), WAITS, decided(3, Outcome.REFUSE, release(1), champion=1))
    promoted, waiting, refused = (judged(entries, f"run-{number}") for number in (1, 2, 3))
    assert overall([refused, promoted, waiting]) is State.WAITING
    assert overall([refused, promoted]) is State.PROMOTED
    assert overall([refused]) is State.REFUSED


def test_exit_codes_are_those_that_ci_is_promised() -> None:
    assert {state.value: state.exit_code for state in State} == {
        "unchanged": 0,
        "promoted": 10,
        "waiting": 20,
        "refused": 30,
        "failed": 1,
    }


def test_no_id_of_an_image_leaves_in_a_message() -> None:
    checked = Checked(check="labels", refuses=True, sentence="no chance explains it", measures={"p": 1e-9}, images=("PATIENT_7",))
    intake = Intake(before="a" * 64, after="b" * 64, new=3, relabelled=0, gone=0, kept=9, findings=(checked,))
    result = Result(
        State.REFUSED, "the new data was not trained on: labels", "lesion-classifier/1", "a" * 64, "b" * 64, intake=intake
    )
    message = result.message()
    assert "PATIENT_7" not in message.body
    assert json.loads(message.body)["details"]["intake"]["checks"][0]["sentence"] == "no chance explains it"
    assert message.summary.splitlines()[:2] == ["DermaCare retrained", "refused: the new data was not trained on: labels"]
    assert "labels: no chance explains it" in message.summary
