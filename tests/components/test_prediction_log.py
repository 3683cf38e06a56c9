"""The log: whole rows or none, never changed, never pixels."""

import os
import signal
import sqlite3
import subprocess
import sys
import time
from datetime import UTC, datetime
from pathlib import Path

import pytest

from components.errors import StoreError
from components.prediction_log import LoggedModel, LoggedPrediction, PredictionLog

MODEL = LoggedModel(name="lesion-classifier", version=1, digest="d" * 64, data_version="e" * 64, run_id="run")


def row(number: int) -> LoggedPrediction:
    return LoggedPrediction(
        id=f"{number:032x}",
        created=datetime(2026, 11, 25, tzinfo=UTC),
        asked_by=None,
        image_sha256="a" * 64,
        width=4,
        height=3,
        kept=False,
        age=54,
        sex=None,
        site=None,
        refused=False,
        strangeness=None,
        probabilities={"MEL": 0.75, "NV": 0.25},
        prediction_set=["MEL"],
        malignancy=0.75,
        area_share=0.2,
        asymmetry=0.1,
        border_irregularity=0.3,
        warnings=[],
        entry=1,
        head="f" * 64,
        classifier=MODEL,
        segmenter=None,
        phantom=False,
    )


def test_a_row_is_found_as_it_was_appended_by_another_process_too(tmp_path: Path) -> None:
    log = PredictionLog(f"sqlite:///{tmp_path}/home/predictions.db")
    log.append(row(1))
    assert PredictionLog(f"sqlite:///{tmp_path}/home/predictions.db").find(row(1).id) == log.find(row(1).id) == row(1)
    assert log.find("0" * 32) is None
    assert PredictionLog(f"sqlite:///{tmp_path}/elsewhere.db").find(row(1).id) is None
    assert not (tmp_path / "elsewhere.db").exists()


@pytest.mark.parametrize("statement", ["UPDATE predictions SET record = '{}'", "DELETE FROM predictions"])
def test_the_database_itself_refuses_changes(statement: str, tmp_path: Path) -> None:
    log = PredictionLog(f"sqlite:///{tmp_path}/predictions.db")
    log.append(row(1))
    with (
        sqlite3.connect(tmp_path / "predictions.db") as database,
        pytest.raises(sqlite3.IntegrityError, match="append-only"),
    ):
        database.execute(statement)
    with pytest.raises(StoreError, match="cannot be logged"):
        log.append(row(1))


def test_a_log_that_cannot_be_written_is_an_error_with_a_way_out(tmp_path: Path) -> None:
    (tmp_path / "predictions.db").mkdir()
    with pytest.raises(StoreError, match=r"predictions\.db: the answer cannot be logged .* free space or permissions"):
        PredictionLog(f"sqlite:///{tmp_path}/predictions.db").append(row(1))


def test_killed_at_any_moment_every_row_is_whole_and_what_was_confirmed_is_there(tmp_path: Path) -> None:
    program = (
        "import sys, itertools\n"
        "from components.prediction_log import PredictionLog\n"
        "from tests.components.test_prediction_log import row\n"
        "log = PredictionLog(f'sqlite:///{sys.argv[1]}')\n"
        "for number in itertools.count(int(sys.argv[2])):\n"
        "    log.append(row(number)); print(number, flush=True)\n"
    )
    root = Path(__file__).parents[2]
    confirmed: list[int] = []
    for attempt, pause in enumerate((0.05, 0.11, 0.2)):
        command = [sys.executable, "-c", program, str(tmp_path / "predictions.db"), str(attempt * 100_000)]
        environment = {**os.environ, "PYTHONPATH": str(root)}
        with subprocess.Popen(command, stdout=subprocess.PIPE, env=environment, text=True) as process:
            first = process.stdout.readline()
            time.sleep(pause)
            process.send_signal(signal.SIGKILL)
            confirmed += [int(line) for line in [first, *process.stdout.read().splitlines()] if line.strip()]
    log = PredictionLog(f"sqlite:///{tmp_path}/predictions.db")
    assert len(confirmed) > 3
    assert all(log.find(f"{number:032x}") == row(number) for number in confirmed)
    with sqlite3.connect(tmp_path / "predictions.db") as database:
        records = [record for (record,) in database.execute("SELECT record FROM predictions")]
    assert all(LoggedPrediction.model_validate_json(record) for record in records)
    assert len(confirmed) <= len(records) <= len(confirmed) + 3
