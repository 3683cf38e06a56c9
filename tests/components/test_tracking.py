"""The ledger and the live line, on a real MLflow database."""

import json
import os
import subprocess
import sys
import threading
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from components import tracking
from components.errors import TrackingDenied, TrackingError
from components.tracking import Ledger, Point, RunDetails, Tracker, UsedData
from tests.mlflow_server import address, free_port, server

RUN = "20261124-153012-a1b2"


def details(run_id: str = RUN) -> RunDetails:
    return RunDetails(run_id, "demo", "What this is.", {"train_unet.epochs": "2"}, {"dermacare.profile": "demo"})


def points(epochs: int, key: str = "loss") -> list[Point]:
    return [Point(key, 1 / (epoch + 1), 1_000.0 + epoch, epoch) for epoch in range(epochs)]


def event(model: str, epoch: int, **values: float) -> dict[str, Any]:
    return {"time": 1_000.0 + epoch, "step": f"train_classifier/{model}", "kind": "metrics", "epoch": epoch, "values": values}


def start(tracker: Tracker, run_id: str = RUN) -> None:
    tracker.start_run(run_id, profile="demo", params={"train_unet.epochs": "2"}, name="demo", description="What.", tags={})


def wait_for(condition: Callable[[], object], seconds: float = 30.0) -> None:
    end = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < end, "what was waited for did not happen"
        time.sleep(0.05)


def curve(ledger: Ledger, run: str, key: str) -> list[tuple[int, float]]:
    return [(metric.step, metric.value) for metric in ledger.client.get_metric_history(run, key)]


@pytest.fixture
def ledger(mlflow_uri: str) -> Ledger:
    return Ledger(mlflow_uri, "dermacare")


class TestLedger:
    def test_a_run_is_found_before_one_is_made(self, ledger, mlflow_uri):
        first = ledger.ensure_pipeline_run(details())
        assert Ledger(mlflow_uri, "dermacare").ensure_pipeline_run(details()) == first
        child = ledger.ensure_model_run(first, RUN, "resnet50")
        assert Ledger(mlflow_uri, "dermacare").ensure_model_run(first, RUN, "resnet50") == child
        assert len(ledger.search("")) == 2

    def test_a_model_run_hangs_below_its_pipeline_run(self, ledger):
        parent = ledger.ensure_pipeline_run(details())
        child = ledger.ensure_model_run(parent, RUN, "resnet50", started=1_000.0)
        tags = ledger.client.get_run(child).data.tags
        assert (tags["dermacare.run_id"], tags["dermacare.model"], tags["mlflow.parentRunId"]) == (RUN, "resnet50", parent)
        assert ledger.client.get_run(child).info.start_time == 1_000_000

    def test_two_that_make_one_run_at_once_end_with_one(self, ledger, mlflow_uri):
        other = Ledger(mlflow_uri, "dermacare")
        made = ledger.client.create_run

        def slow(*given: Any, **named: Any) -> Any:
            other.ensure_pipeline_run(details())  # while this one is between looking and making
            return made(*given, **named)

        ledger.client.create_run = slow  # type: ignore[method-assign]
        assert ledger.ensure_pipeline_run(details()) == other.ensure_pipeline_run(details())
        assert len(ledger.search("")) == 1

    def test_a_curve_that_is_written_again_is_not_doubled(self, ledger, mlflow_uri):
        run = ledger.ensure_pipeline_run(details())
        ledger.log_points(run, points(2))
        later = [Point(p.key, p.value, p.time + 60, p.step) for p in points(3)]
        Ledger(mlflow_uri, "dermacare").log_points(run, later)
        assert curve(ledger, run, "loss") == [(0, 1.0), (1, 0.5), (2, 1 / 3)]

    def test_points_keep_the_time_of_their_event(self, ledger):
        run = ledger.ensure_pipeline_run(details())
        ledger.log_points(run, points(1))
        assert ledger.client.get_metric_history(run, "loss")[0].timestamp == 1_000_000

    def test_an_epoch_that_came_twice_is_one_point(self, ledger):
        run = ledger.ensure_pipeline_run(details())
        ledger.log_points(run, [*points(2), Point("loss", 0.4, 2_000.0, 1)])
        assert curve(ledger, run, "loss") == [(0, 1.0), (1, 0.4)]

    def test_final_figures_are_written_once(self, ledger):
        run = ledger.ensure_pipeline_run(details())
        for _ in range(2):
            ledger.log_figures(run, {"test/macro_f1": 0.5})
        assert curve(ledger, run, "test/macro_f1") == [(0, 0.5)]

    def test_of_two_runs_made_at_once_the_second_is_ended_and_deleted(self, ledger, monkeypatch):
        first = ledger.ensure_pipeline_run(details())
        look, missed = ledger._first, [None]
        monkeypatch.setattr(ledger, "_first", lambda query: missed.pop() if missed else look(query))
        assert ledger.ensure_pipeline_run(details()) == first
        found = ledger.client.search_runs([ledger.experiment_id], run_view_type=3)  # deleted ones too
        assert {(run.info.lifecycle_stage, run.info.status) for run in found} == {("active", "RUNNING"), ("deleted", "KILLED")}

    def test_the_data_is_named_once_with_its_version(self, ledger):
        run = ledger.ensure_pipeline_run(details())
        for _ in range(2):
            ledger.log_dataset(run, UsedData("phantom", "ab" * 32, {"images": {}}))
        (used,) = ledger.client.get_run(run).inputs.dataset_inputs
        assert used.dataset.name == "phantom"
        assert used.dataset.digest == ("ab" * 32)[:36]
        assert "ab" * 32 in used.dataset.profile

    def test_files_lie_beside_the_database(self, ledger, tmp_path):
        run = ledger.ensure_pipeline_run(details())
        (tmp_path / "notes").mkdir()
        (tmp_path / "notes" / "a.txt").write_text("a")
        ledger.log_folder(run, tmp_path / "notes", "notes")
        assert list((tmp_path / "home" / "mlartifacts" / "dermacare").rglob("a.txt"))

    def test_a_deleted_experiment_is_named(self, ledger, mlflow_uri):
        ledger.client.delete_experiment(ledger.experiment_id)
        with pytest.raises(TrackingError, match="experiment dermacare was deleted; restore it in MLflow"):
            Ledger(mlflow_uri, "dermacare").ensure_pipeline_run(details())

    def test_mlflow_is_told_to_send_nothing_and_to_unpickle_nothing(self, ledger):
        assert ledger.client
        from mlflow.environment_variables import (
            MLFLOW_ALLOW_PICKLE_DESERIALIZATION,
            MLFLOW_DISABLE_TELEMETRY,
            MLFLOW_SERVER_ENABLE_JOB_EXECUTION,
        )

        assert MLFLOW_DISABLE_TELEMETRY.get()
        assert not MLFLOW_ALLOW_PICKLE_DESERIALIZATION.get()
        assert not MLFLOW_SERVER_ENABLE_JOB_EXECUTION.get()


class TestServerCheck:
    def test_a_home_has_no_server_to_ask(self, tmp_path):
        Ledger(f"sqlite:///{tmp_path}/mlflow.db", "dermacare").check()
        assert list(tmp_path.iterdir()) == []

    def test_a_server_that_is_away_is_named_without_the_password(self):
        port = free_port()
        with pytest.raises(TrackingError) as caught:
            Ledger(f"http://eva:secret@127.0.0.1:{port}", "dermacare").check()
        assert str(caught.value) == f"http://127.0.0.1:{port}: no MLflow answers there; start it, or correct MLFLOW_TRACKING_URI"

    def test_mlflows_own_words_lose_the_password_too(self):
        ledger = Ledger(f"http://eva:secret@127.0.0.1:{free_port()}", "dermacare")
        with pytest.raises(TrackingError) as caught, ledger.answering("asking"):
            ledger.search("")
        assert "secret" not in str(caught.value)
        assert "Connection refused" in str(caught.value)
        assert "see that the server answers" in str(caught.value)

    @pytest.mark.parametrize("code", ["PERMISSION_DENIED", "UNAUTHENTICATED"])
    def test_a_server_that_does_not_let_the_user_is_told_apart(self, ledger, code):
        from mlflow.exceptions import RestException

        with pytest.raises(TrackingDenied, match="MLFLOW_TRACKING_USERNAME"), ledger.answering("asking"):
            raise RestException({"error_code": code, "message": "no"})


class TestDeadRuns:
    """Who is dead: an owner of this host whose process is gone; elsewhere, one without a heartbeat for ten minutes."""

    @pytest.fixture
    def run(self, ledger: Ledger) -> str:
        parent = ledger.ensure_pipeline_run(details())
        ledger.ensure_model_run(parent, RUN, "resnet50")
        return parent

    def statuses(self, ledger: Ledger) -> list[str]:
        return [run.info.status for run in ledger.search("")]

    def test_a_run_of_a_living_process_is_left_alone(self, ledger, run):
        ledger.set_tags(run, {"dermacare.heartbeat": "0"})  # however long it was silent
        assert ledger.mark_dead_runs_killed() == []
        assert self.statuses(ledger) == ["RUNNING", "RUNNING"]

    def test_a_run_of_a_dead_process_is_killed_with_its_children(self, ledger, run):
        gone = subprocess.run(
            [sys.executable, "-c", "from components.tracking import _owner; import json; print(json.dumps(_owner()))"],
            capture_output=True,
            check=True,
            text=True,
        )
        ledger.set_tags(run, json.loads(gone.stdout))
        assert ledger.mark_dead_runs_killed() == [RUN]
        assert self.statuses(ledger) == ["KILLED", "KILLED"]

    def test_a_process_that_has_the_id_of_a_dead_one_does_not_stand_for_it(self, ledger, run):
        space = tracking._pid_space()
        ledger.set_tags(run, {"dermacare.pid": str(os.getpid()), "dermacare.process": f"{space} 12.00"})
        assert ledger.mark_dead_runs_killed() == [RUN]

    def test_a_run_of_another_host_is_killed_when_its_lease_has_run_out(self, ledger, run):
        ledger.set_tags(run, {"dermacare.host": "elsewhere", "dermacare.heartbeat": f"{time.time() - 590:.0f}"})
        assert ledger.mark_dead_runs_killed() == []
        ledger.set_tags(run, {"dermacare.heartbeat": f"{time.time() - 610:.0f}"})
        assert ledger.mark_dead_runs_killed() == [RUN]

    def test_a_container_of_the_same_host_name_is_another_host(self, ledger, run):
        ledger.set_tags(run, {"dermacare.pid": "999999999", "dermacare.process": "otherboot-1 12.00"})
        assert ledger.mark_dead_runs_killed() == []

    def test_a_run_that_no_owner_of_ours_wrote_is_left_alone(self, ledger):
        ledger.client.create_run(ledger.experiment_id)
        assert ledger.mark_dead_runs_killed() == []
        assert self.statuses(ledger) == ["RUNNING"]

    def test_a_kill_while_marking_leaves_the_parent_to_be_marked(self, ledger, run, monkeypatch):
        ledger.set_tags(run, {"dermacare.process": f"{tracking._pid_space()} 12.00"})
        ended = ledger.end

        def mortal(which: str, *rest: Any) -> None:
            if which == run:
                raise KeyboardInterrupt
            ended(which, *rest)

        monkeypatch.setattr(ledger, "end", mortal)
        with pytest.raises(KeyboardInterrupt):
            ledger.mark_dead_runs_killed()
        monkeypatch.undo()
        assert ledger.mark_dead_runs_killed() == [RUN]
        assert self.statuses(ledger) == ["KILLED", "KILLED"]


class TestTracker:
    @pytest.fixture(autouse=True)
    def _quick(self, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setattr(tracking, "_WRITE_SECONDS", 0.05)
        monkeypatch.setattr(tracking, "_SAMPLE_SECONDS", 0.2)
        monkeypatch.setattr(tracking, "_RETRY_SECONDS", 0.3)

    def test_a_run_is_live_while_it_goes_on_and_ended_after(self, ledger, mlflow_uri):
        tracker = Tracker(ledger)
        start(tracker)
        tracker.handle(event("resnet50", 0, loss=1.0, val_loss=1.5))
        watcher = Ledger(mlflow_uri, "dermacare")
        wait_for(lambda: watcher.model_run(RUN, "resnet50"))
        assert watcher.pipeline_run(RUN).info.status == "RUNNING"
        tracker.handle(event("resnet50", 1, loss=0.5))
        tracker.end_run("FINISHED")
        child = watcher.model_run(RUN, "resnet50")
        assert curve(watcher, child.info.run_id, "loss") == [(0, 1.0), (1, 0.5)]
        assert {run.info.status for run in watcher.search("")} == {"FINISHED"}

    def test_a_model_run_ends_when_its_step_does(self, ledger, mlflow_uri):
        tracker = Tracker(ledger)
        start(tracker)
        tracker.handle(event("resnet50", 0, loss=1.0))
        tracker.handle({"time": 1_500.0, "step": "train_classifier/resnet50", "kind": "state", "state": "finished"})
        watcher = Ledger(mlflow_uri, "dermacare")
        wait_for(lambda: (run := watcher.model_run(RUN, "resnet50")) and run.info.status == "FINISHED")
        assert watcher.model_run(RUN, "resnet50").info.end_time == 1_500_000
        tracker.end_run("FAILED")
        assert watcher.pipeline_run(RUN).info.status == "FAILED"

    def test_what_is_no_curve_of_a_model_is_passed_over(self, ledger):
        tracker = Tracker(ledger)
        start(tracker)
        common = {"time": 1.0, "step": "train_classifier/resnet50"}
        tracker.handle({**common, "kind": "progress", "done": 1, "total": 2, "what": ""})
        tracker.handle({**common, "kind": "message", "text": "hello"})
        tracker.handle({**common, "kind": "metrics", "epoch": None, "values": {"loss": 1.0}})
        tracker.handle({**common, "kind": "state", "state": "finished"})
        tracker.handle({"time": 1.0, "step": "ingest", "kind": "metrics", "epoch": 0, "values": {"rows": 1.0}})
        tracker.end_run("FINISHED")
        assert len(ledger.search("")) == 1

    def test_the_machine_is_measured_and_the_heartbeat_renewed(self, ledger, mlflow_uri, monkeypatch):
        monkeypatch.setattr(tracking, "_BEAT_SECONDS", 0.1)
        tracker = Tracker(ledger)
        start(tracker)
        watcher = Ledger(mlflow_uri, "dermacare")
        wait_for(lambda: (run := watcher.pipeline_run(RUN)) and "system/cpu_utilization_percentage" in run.data.metrics)
        run = watcher.pipeline_run(RUN)
        assert run.data.metrics["system/system_memory_usage_megabytes"] > 100
        watcher.set_tags(run.info.run_id, {"dermacare.heartbeat": "0"})
        wait_for(lambda: float(watcher.pipeline_run(RUN).data.tags["dermacare.heartbeat"]) > 0)
        tracker.end_run("FINISHED")

    def test_a_run_of_a_dead_owner_is_killed_when_the_next_one_starts(self, ledger, mlflow_uri):
        old = ledger.ensure_pipeline_run(details("20261123-000000-dead"))
        ledger.set_tags(old, {"dermacare.process": f"{tracking._pid_space()} 12.00"})
        tracker = Tracker(Ledger(mlflow_uri, "dermacare"))
        start(tracker)
        tracker.end_run("FINISHED")
        assert ledger.client.get_run(old).info.status == "KILLED"

    def test_a_server_that_is_away_costs_one_line_and_no_time(self):
        said: list[str] = []
        tracker = Tracker(Ledger(f"http://127.0.0.1:{free_port()}", "dermacare"), said.append)
        begun = time.monotonic()
        start(tracker)
        for epoch in range(100):
            tracker.handle(event("resnet50", epoch, loss=1.0))
        assert time.monotonic() - begun < 0.5
        wait_for(lambda: said)
        time.sleep(1)
        tracker.end_run("FINISHED", patience=0.1)
        assert len(said) == 2
        assert "the run goes on without it" in said[0]
        assert "that the run ended FINISHED does not stand there" in said[1]

    def test_what_waited_is_written_when_mlflow_answers_again(self, ledger, monkeypatch):
        said: list[str] = []
        away = threading.Event()
        away.set()
        ensure = ledger.ensure_pipeline_run

        def unreliable(given: RunDetails) -> str:
            if away.is_set():
                raise ConnectionError("connection refused")
            return ensure(given)

        monkeypatch.setattr(ledger, "ensure_pipeline_run", unreliable)
        tracker = Tracker(ledger, said.append)
        start(tracker)
        tracker.handle(event("resnet50", 0, loss=1.0))
        wait_for(lambda: said)
        away.clear()
        wait_for(lambda: len(said) == 2)
        assert said[1].endswith("can be written to again")
        tracker.end_run("FINISHED")
        assert curve(ledger, ledger.model_run(RUN, "resnet50").info.run_id, "loss") == [(0, 1.0)]

    @pytest.mark.slow
    def test_a_server_that_is_killed_in_the_middle_doubles_nothing(self, mlflow_database, tmp_path):
        address(mlflow_database, tmp_path)
        port = free_port()
        said: list[str] = []
        tracker = Tracker(Ledger(f"http://127.0.0.1:{port}", "dermacare"), said.append)
        watcher = Ledger(f"http://127.0.0.1:{port}", "dermacare")
        with server(tmp_path, port):
            start(tracker)
            tracker.handle(event("resnet50", 0, loss=1.0))
            wait_for(lambda: watcher.model_run(RUN, "resnet50"))
        for epoch in (1, 2):
            tracker.handle(event("resnet50", epoch, loss=1 / (epoch + 1)))
        wait_for(lambda: said)
        with server(tmp_path, port):
            wait_for(lambda: len(said) == 2)
            tracker.handle(event("resnet50", 3, loss=0.25))
            tracker.end_run("FINISHED")
            assert len(watcher.search("")) == 2
            run = watcher.model_run(RUN, "resnet50")
            assert curve(watcher, run.info.run_id, "loss") == [(0, 1.0), (1, 0.5), (2, 1 / 3), (3, 0.25)]
            assert run.info.status == "FINISHED"


def test_a_server_that_is_away_writes_nothing_on_the_terminal_but_what_is_told():
    code = (
        "from components.tracking import Ledger, Tracker\n"
        f"tracker = Tracker(Ledger('http://127.0.0.1:{free_port()}', 'dermacare'), lambda text: print('told'))\n"
        "tracker.start_run('run', profile='', params={}, name='', description='', tags={})\n"
        "tracker.end_run('FINISHED')\n"
    )
    done = subprocess.run(
        [sys.executable, "-c", code], cwd=Path(tracking.__file__).parents[1], capture_output=True, text=True, check=True
    )
    assert set(done.stdout.splitlines()) == {"told"}
    assert done.stderr == ""


def test_mlflow_is_not_imported_before_it_is_needed():
    code = "import sys, components.tracking; sys.exit('mlflow' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", code], cwd=Path(tracking.__file__).parents[1]).returncode == 0
