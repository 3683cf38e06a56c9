"""New data comes in: sound and poisoned batches, kills, two at once; the commands as they are typed."""

import csv
import json
import shutil
import signal
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from components.ingest.phantom.drawing import draw_phantoms
from components.lesions import CODES
from components.notify import COMMAND
from components.params import PhantomParams
from pipelines.home import Home
from pipelines.runs import RunState, all_runs
from tests.e2e.conftest import TINY, Event, Project

pytestmark = pytest.mark.slow

# Enough lesions of each class that labels are judged at all.
_OLD, _ALL = 24, 36


class Retraining(Project):
    """A home, a folder of images, and `dermacare retrain` over it, which tells what it told in a file."""

    def __init__(self, root: Path) -> None:
        settings = {key: value for key, value in TINY.items() if not key.startswith("ingest.")}
        self.told = root / "told"
        command = f"sh -c 'cat >> {self.told}; echo -- >> {self.told}'"
        super().__init__(Home(root / "home"), settings | {"validate.audit_fail_on": "never"}, {COMMAND: command})
        self.pool, self.data = root / "pool", root / "data"
        params = PhantomParams(lesions_per_class=_ALL, images_per_lesion=2, size=(72, 96), seed=2030)
        draw_phantoms(self.pool, params, lambda done, total: None)
        shutil.rmtree(self.pool / "hair", ignore_errors=True)

    def command(self, *more: str) -> list[str]:
        """`dermacare retrain --if-changed` on the tiny settings."""
        sets = [part for key, value in self.settings.items() for part in ("--set", f"{key}={value}")]
        where = ["--profile", "demo", "--data", str(self.data)]
        return [sys.executable, "-m", "dermacare.cli", "retrain", "--if-changed", *where, *sets, *more]

    def deliver(self, lesions: int, relabelled: Callable[[int, str], str] = lambda lesion, code: code) -> None:
        """Put the images of the first lesions of each class into the folder; of those after `_OLD`, labels may be changed."""
        shutil.rmtree(self.data, ignore_errors=True)
        shutil.copytree(self.pool, self.data)
        tables = {path: list(csv.reader(path.open(encoding="utf-8"))) for path in self.data.rglob("*.csv")}
        for path, (head, *rows) in tables.items():
            kept = [row for row in rows if _lesion(row[0]) < lesions * len(CODES)]
            if "MEL" in head:
                for row in kept:
                    if _lesion(row[0]) >= _OLD * len(CODES):
                        code = relabelled(_lesion(row[0]), head[row.index("1.0")])
                        row[1:] = ["1.0" if name == code else "0.0" for name in head[1:]]
            with path.open("w", encoding="utf-8", newline="") as handle:
                csv.writer(handle, lineterminator="\n").writerows([head, *kept])
        for path in self.data.rglob("PHANTOM_*"):
            if _lesion(path.stem) >= lesions * len(CODES):
                path.unlink()

    def retrain(self, *more: str) -> tuple[int, dict[str, Any], str]:
        """Exit code, what `--json` printed, and what people read."""
        done = self.run("--json", *more)
        return done.returncode, json.loads(done.stdout), done.stderr

    def ledger(self) -> list[dict[str, Any]]:
        """The entries of the ledger."""
        return list(json.loads(self.dermacare("history", "--json").stdout))

    def messages(self) -> list[str]:
        """What was told, each message once for each time."""
        return self.told.read_text().split("--\n")[:-1] if self.told.exists() else []


def _lesion(image: str) -> int:
    """The number of the lesion that a drawn image shows: ids leave room for four images of each."""
    return (int(image.split("_")[1]) - 1) // 4


@pytest.fixture
def retraining(tmp_path: Path) -> Retraining:
    return Retraining(tmp_path)


def test_a_sound_batch_is_taken_and_a_poisoned_one_refused_while_production_stays(retraining: Retraining, tmp_path: Path) -> None:
    retraining.deliver(_OLD)
    code, first, said = retraining.retrain()
    assert (code, first["state"]) == (10, "promoted"), said
    assert first["data"]["before"] is None
    assert {one["version"] for one in first["models"]} == {"lesion-segmenter/1", "lesion-classifier/1"}
    assert len(retraining.messages()) == 1

    code, same, said = retraining.retrain()
    assert (code, same["state"], said.count("\n")) == (0, "unchanged", 1), said
    assert len(all_runs(retraining.home)) == 1

    def flipped(lesion: int, code: str) -> str:
        return CODES[(CODES.index(code) + 3) % len(CODES)] if lesion % 3 == 0 else code

    retraining.deliver(_ALL, flipped)
    report = tmp_path / "report.md"
    code, refused, said = retraining.retrain("--markdown", str(report))
    assert (code, refused["state"]) == (30, "refused"), said
    (labels,) = [one for one in refused["intake"]["checks"] if one["check"] == "labels"]
    assert labels["refuses"]
    assert "labels are as implausible as the worst 5%" in labels["sentence"]
    assert refused["data"]["changes"]["added"] == refused["intake"]["new"] > 0
    assert refused["serving"] == first["serving"]
    assert "## Retraining: refused" in report.read_text()
    assert len(all_runs(retraining.home)) == 1, "nothing was trained"
    assert len(retraining.ledger()) == 1
    assert retraining.retrain()[0] == 30
    assert len(retraining.messages()) == 2, "told once"
    assert retraining.messages()[1].startswith("DermaCare retrained\nrefused: the new data was not trained on: labels\n")

    retraining.deliver(_ALL)
    code, sound, said = retraining.retrain("--markdown", str(report))
    assert not [one for one in sound["intake"]["checks"] if one["refuses"]], said
    assert code == {"promoted": 10, "waiting": 20, "refused": 30}[sound["state"]]
    assert len(retraining.ledger()) == 2
    assert {gate["gate"] for gate in sound["models"][0]["gates"]} >= {"comparison", "data"}
    assert "## A: lesion-classifier/1" in report.read_text()
    assert len(retraining.messages()) == 3
    if sound["state"] == "waiting":
        version = next(one for one in sound["models"] if one["state"] == "waiting")["version"]
        assert f"dermacare approve {version}" in sound["approve"][0]
        for one in sound["models"]:
            if one["state"] == "waiting":
                assert retraining.dermacare("approve", one["version"], "--reason", "seen").returncode == 0


def test_killed_anywhere_the_same_command_finishes_and_tells_it_once(retraining: Retraining) -> None:
    retraining.deliver(_OLD)
    # Which of the two trainings comes first is the runner's choice, and differs between two runs.
    for step, state in [("train_", "started"), ("train_", "finished"), ("register", "finished")]:

        def reached(event: Event, step: str = step, state: str = state) -> bool:
            return event["kind"] == "state" and event["step"].startswith(step) and event["state"] == state

        assert retraining.run_until(reached, signal.SIGKILL)
    code, result, said = retraining.retrain()
    assert code == 10, said
    entries = retraining.ledger()
    assert entries[0]["action"] == "decide"
    assert result["serving"] == "lesion-classifier/1 + lesion-segmenter/1"
    assert sorted(retraining.mlflow("select name, version from model_versions")) == [
        ("lesion-classifier", 1),
        ("lesion-segmenter", 1),
    ]
    assert len(retraining.messages()) == 1
    assert all(run.state in (RunState.DONE, RunState.KILLED) for run in all_runs(retraining.home))
    assert retraining.retrain()[0] == 0
    assert len(retraining.messages()) == 1


def test_a_run_whose_command_was_killed_is_waited_for_and_two_at_once_are_one(retraining: Retraining) -> None:
    retraining.deliver(_OLD)
    command, environment = retraining.command(), retraining.environment()
    first = subprocess.Popen(command, env=environment, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    while not all_runs(retraining.home):
        assert first.poll() is None
    leaves = subprocess.run(command, env=environment, capture_output=True, text=True, check=False)
    assert leaves.returncode == 1
    assert f"process {first.pid} on" in leaves.stderr
    first.kill()
    first.wait()
    code, result, said = retraining.retrain("--wait")
    assert code == 10, said
    assert "does this work already; waiting for its end" in said or len(all_runs(retraining.home)) == 1
    assert len(all_runs(retraining.home)) == 1
    assert len(retraining.ledger()) == 1
    assert result["run"] == all_runs(retraining.home)[0].id
