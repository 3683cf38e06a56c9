"""Two virtual processors stand for two GPUs: a step on both is the one that a single device takes."""

import json
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

TASKS = ("segmentation", "classification")


@pytest.fixture(scope="module")
def results(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Any]:
    # In a process of its own: virtual devices must be asked for before TensorFlow has used any.
    command = [sys.executable, "-m", "tests.components.training.two_devices", str(tmp_path_factory.mktemp("devices"))]
    done = subprocess.run(command, cwd=Path(__file__).parents[3], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr[-2000:]
    told: dict[str, Any] = json.loads(done.stdout.splitlines()[-1])
    return told


@pytest.mark.slow
@pytest.mark.parametrize("task", TASKS)
def test_training_on_two_devices_comes_to_the_weights_of_one(results: dict[str, Any], task: str) -> None:
    # Not 0: sums are taken in another order, and Adam makes a step of what rounding leaves of a gradient that is none (that of a
    # bias before batch norm).
    assert 0 < results[task]["apart"] < 3e-3


@pytest.mark.slow
@pytest.mark.parametrize("task", TASKS)
def test_its_figures_are_those_of_one(results: dict[str, Any], task: str) -> None:
    one, two = results[task]["figures"]
    assert two == pytest.approx(one, rel=1e-4, abs=1e-6)


@pytest.mark.slow
@pytest.mark.parametrize("task", TASKS)
def test_it_goes_on_from_a_checkpoint_to_the_same_weights(results: dict[str, Any], task: str) -> None:
    assert results[task]["resumed_apart"] == 0
