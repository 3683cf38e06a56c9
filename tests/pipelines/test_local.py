"""The process that carries out a run, in its first moments."""

from pathlib import Path

from pipelines import local, runs
from pipelines.home import Home
from pipelines.runs import RunRecord, RunState


def test_a_run_that_has_just_started_is_owned_by_its_process_and_not_taken_for_dead(tmp_path: Path) -> None:
    home = Home(tmp_path)
    process = local.start(home, RunRecord(runs.new_id(), "dermacare run", "", {}, []))
    try:
        assert runs.bury_the_dead(home) == []
        (record,) = runs.all_runs(home)
        assert (record.state, record.pid) == (RunState.RUNNING, process.pid)
    finally:
        process.kill()
        process.wait()
    assert [run.id for run in runs.bury_the_dead(home)] == [record.id]
    assert runs.load(home, record.id).state is RunState.KILLED
