"""What is garbage: not what waits to be registered, nor what a run has taken up since the list was shown."""

from pathlib import Path

import pytest

from components.store import code_digest
from dermacare.gc_command import collect
from pipelines import garbage, runs
from pipelines.home import VARIABLE, Home
from pipelines.runs import RunRecord, RunState


def record(
    home: Home, number: int, key: str, *, offline: bool = False, state: RunState = RunState.DONE, code: str = ""
) -> RunRecord:
    """A run of one step, whose work is there; `code` empty: that of now."""
    (home.root / "steps" / "evaluate" / key / "out").mkdir(parents=True, exist_ok=True)
    step = {"name": "evaluate", "key": key, "params": {}, "inputs": {}, "code": code or code_digest("evaluate"), "salt": ""}
    run = RunRecord(f"20261124-00000{number}-aaaa", "dermacare run", "", {}, [step], offline=offline, state=state)
    runs.save(home, run)
    return run


def found(home: Home) -> set[str]:
    return {item.key for item in garbage.find(home)}


def test_work_that_waits_to_be_registered_is_kept_until_it_is(tmp_path: Path) -> None:
    home = Home(tmp_path)
    waits = record(home, 1, "a" * 32, offline=True)
    record(home, 2, "b" * 32)
    assert found(home) == set()
    record(home, 3, waits.steps["evaluate"].key)
    record(home, 4, "b" * 32)
    assert found(home) == {waits.id, waits.steps["evaluate"].key, "20261124-000002-aaaa", "20261124-000003-aaaa"}


def test_what_a_run_takes_up_while_the_list_is_shown_is_not_deleted(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv(VARIABLE, str(tmp_path))
    monkeypatch.delenv("MLFLOW_TRACKING_URI", raising=False)
    home = Home(tmp_path)
    for number, key in enumerate("abc", 1):
        record(home, number, key * 32)

    def answer(_: str) -> bool:
        record(home, 4, "a" * 32)
        return True

    monkeypatch.setattr("typer.confirm", answer)
    collect(yes=False)
    left = {path.name for path in (home.root / "steps" / "evaluate").iterdir()}
    assert left == {"a" * 32, "c" * 32}, "c was not in the list that was shown"
    assert {run.id[-6] for run in runs.all_runs(home)} == {"3", "4"}


def test_unfinished_work_is_kept_while_a_run_can_go_on_from_it_and_none_of_another_code_can(tmp_path: Path) -> None:
    home = Home(tmp_path)
    record(home, 1, "a" * 32, state=RunState.KILLED)
    old = record(home, 2, "b" * 32, state=RunState.FAILED, code="of before")
    record(home, 3, "c" * 32)
    assert found(home) == {"b" * 32, old.id}
