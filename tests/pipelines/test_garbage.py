"""What a run without MLflow leaves is no garbage before it is registered."""

from pathlib import Path

from pipelines import garbage, runs
from pipelines.home import Home
from pipelines.runs import RunRecord, RunState


def record(home: Home, number: int, key: str, *, offline: bool = False) -> RunRecord:
    """A finished run of one step, whose work is there."""
    (home.root / "steps" / "evaluate" / key / "out").mkdir(parents=True, exist_ok=True)
    step = {"name": "evaluate", "key": key, "params": {}, "inputs": {}, "code": "", "salt": ""}
    run = RunRecord(f"20261124-00000{number}-aaaa", "dermacare run", "", {}, [step], offline=offline, state=RunState.DONE)
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
