"""kill -9 inside training, then the same command again."""

import json
import subprocess
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pytest

TASKS = ("segmentation", "classification")


def kill(folder: Path, *plans: str) -> dict[str, Any]:
    command = [sys.executable, "-m", "tests.components.training.killing", str(folder), *plans]
    project = Path(__file__).parents[3]
    done = subprocess.run(command, cwd=project, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr[-2000:]
    results: dict[str, Any] = json.loads(done.stdout.splitlines()[-1])
    return results


@pytest.fixture(scope="module")
def results(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Any]:
    # 0.25 and 0.6 fall into the classifier's two phases.
    return kill(tmp_path_factory.mktemp("killed"), "segmentation:0.6", "classification:0.25,0.6")


def assert_nothing_shows(result: dict[str, Any]) -> None:
    assert result["code"] == 0
    assert result["killed"]
    for moment, killed in result["killed"].items():
        assert killed["codes"] == [-9, 0], moment
        assert killed["digests"] == result["whole"]["digests"], moment
        assert killed["curves"] == result["whole"]["curves"], moment


@pytest.mark.parametrize("task", TASKS)
def test_a_killed_training_comes_to_the_same_bundle_as_an_uninterrupted_one(results: dict[str, Any], task: str) -> None:
    assert_nothing_shows(results[task])


@pytest.mark.parametrize("task", TASKS)
def test_a_finished_training_leaves_the_bundle_its_curves_and_nothing_else(results: dict[str, Any], task: str) -> None:
    figures = ["figures/curves.png", "figures/worst.png"]
    refusal = ["refusal.npz"] if task.startswith("classification") else []
    wanted = ["MODEL_CARD.md", "bundle.json", *figures, "model.onnx", *refusal, "weights.weights.h5"]
    assert sorted(results[task]["whole"]["digests"]) == wanted


def test_no_epoch_stands_twice_in_the_metrics_of_a_killed_training(results: dict[str, Any]) -> None:
    for killed in results["classification"]["killed"].values():
        assert [epoch for epoch, _ in killed["curves"]] == [None, 0, 1, 2, 3]


@pytest.mark.slow
@pytest.mark.parametrize("task", TASKS)
def test_it_does_not_matter_at_which_moment_it_is_killed(tmp_path: Path, task: str) -> None:
    shares = np.random.default_rng(2019).random(11).round(3)
    assert_nothing_shows(kill(tmp_path, f"{task}:{','.join(map(str, shares))}")[task])


@pytest.mark.slow
@pytest.mark.parametrize("task", TASKS)
def test_nor_in_which_member_of_several(tmp_path: Path, task: str) -> None:
    shares = np.random.default_rng(2020).random(5).round(3)
    result = kill(tmp_path, f"{task}+folds:{','.join(map(str, shares))},0.98")[f"{task}+folds"]
    assert_nothing_shows(result)
    assert {"out_of_fold.parquet", "weights-00.weights.h5", "weights-01.weights.h5"} < result["whole"]["digests"].keys()
    assert not any(name.startswith("members/") for name in result["whole"]["digests"])
