"""One retraining at a time, with real processes that are really killed."""

import json
import os
import signal
import subprocess
import sys
import time
from contextlib import AbstractContextManager
from pathlib import Path

import pytest

from components.errors import RunError
from pipelines.home import Home
from pipelines.retraining.turn import turn

# Holds the turn until it is killed.
_HOLD = """
import sys, time
from contextlib import AbstractContextManager
from pathlib import Path
from pipelines.home import Home
from pipelines.retraining.turn import turn
with turn(Home(Path(sys.argv[1])), wait=False, tell=print):
    print("held", flush=True)
    time.sleep(float(sys.argv[2]))
"""


def hold(home: Path, seconds: float) -> "subprocess.Popen[str]":
    process = subprocess.Popen([sys.executable, "-c", _HOLD, str(home), str(seconds)], stdout=subprocess.PIPE, text=True)
    assert process.stdout is not None
    assert process.stdout.readline() == "held\n"
    return process


def test_the_second_leaves_and_says_who_is_at_work_and_a_dead_one_is_no_obstacle(tmp_path: Path) -> None:
    process = hold(tmp_path, 600)
    with pytest.raises(RunError, match=rf"process {process.pid} on .* retrains here already; .*--wait"), _turn(tmp_path):
        pass
    process.kill()
    process.wait()
    with _turn(tmp_path):
        assert json.loads((tmp_path / "retrain" / "holder.json").read_text())["pid"] == os.getpid()
    assert not (tmp_path / "retrain" / "holder.json").exists()


def test_the_second_waits_where_it_is_told_to(tmp_path: Path) -> None:
    process = hold(tmp_path, 2)
    told: list[str] = []
    with turn(Home(tmp_path), wait=True, tell=told.append):
        assert process.wait() == 0
    assert len(told) == 1
    assert told[0].startswith(f"waiting for process {process.pid} on ")


def test_another_host_is_believed_while_it_renews_its_note(tmp_path: Path) -> None:
    note = tmp_path / "retrain" / "holder.json"
    note.parent.mkdir()
    note.write_text(json.dumps({"host": "elsewhere", "pid": 7, "since": time.time(), "command": "retrain"}))
    with pytest.raises(RunError, match="process 7 on elsewhere"), _turn(tmp_path):
        pass
    os.utime(note, (0, 0))
    with _turn(tmp_path):
        pass


def test_a_stopped_holder_still_holds(tmp_path: Path) -> None:
    process = hold(tmp_path, 600)
    process.send_signal(signal.SIGSTOP)
    try:
        with pytest.raises(RunError), _turn(tmp_path):
            pass
    finally:
        process.kill()
        process.wait()


def _turn(home: Path) -> AbstractContextManager[None]:
    return turn(Home(home), wait=False, tell=lambda line: None)
