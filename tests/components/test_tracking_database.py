"""MLflow's database is there whole, whenever the process that makes it is killed."""

import signal
import sqlite3
import subprocess
import sys
import time
from pathlib import Path

from components.tracking_database import make_database

_MAKE = """
import sys
from pathlib import Path
from components.tracking_database import make_database
make_database(Path(sys.argv[1]), Path(sys.argv[2]))
"""


def _start(path: Path) -> subprocess.Popen[bytes]:
    return subprocess.Popen([sys.executable, "-c", _MAKE, str(path), str(path.parent / "artifacts")])


def _whole(path: Path) -> bool:
    with sqlite3.connect(path) as connection:
        tables = {name for (name,) in connection.execute("select name from sqlite_master")}
        return connection.execute("select count(*) from experiments").fetchone() == (1,) and "registered_models" in tables


def test_a_kill_while_it_is_made_leaves_none_and_the_next_attempt_makes_it(tmp_path: Path) -> None:
    path, part = tmp_path / "mlflow.db", tmp_path / ".mlflow.db.part"
    killed = _start(path)
    while not part.exists() or part.stat().st_size < 200_000:  # in the midst of the migrations
        assert killed.poll() is None, "the database was made before it could be killed"
        time.sleep(0.002)
    killed.send_signal(signal.SIGKILL)
    killed.wait()
    assert not path.exists()
    make_database(path, tmp_path / "artifacts")
    assert _whole(path)
    assert not list(tmp_path.glob(".mlflow.db.part*"))


def test_two_processes_at_once_make_one_database(tmp_path: Path) -> None:
    path = tmp_path / "mlflow.db"
    processes = [_start(path) for _ in range(2)]
    assert [process.wait() for process in processes] == [0, 0]
    assert _whole(path)
