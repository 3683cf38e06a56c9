"""The command line as a user types it."""

import subprocess
import sys
from pathlib import Path

import pytest
import yaml

from components.params import load_params
from tests.environment import user_environment

HEAVY = ("tensorflow", "keras", "mlflow", "kfp", "pandas", "cv2", "sklearn", "great_expectations", "matplotlib", "pydantic")


def dermacare(*arguments: str, home: Path, cwd: Path | None = None) -> subprocess.CompletedProcess[str]:
    environment = user_environment(home, COLUMNS="160")
    return subprocess.run(
        [sys.executable, "-m", "dermacare.cli", *arguments], env=environment, cwd=cwd, capture_output=True, text=True, check=False
    )


def test_help_imports_nothing_heavy() -> None:
    code = f"import sys, dermacare.cli; print([name for name in {HEAVY!r} if name in sys.modules])"
    out = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert out.stdout.strip() == "[]"


def test_a_run_is_planned_without_what_its_steps_need() -> None:
    heavy = ("tensorflow", "keras", "mlflow", "kfp", "sklearn", "scipy.stats", "great_expectations", "matplotlib")
    code = f"import sys, dermacare.run_command; print([name for name in {heavy!r} if name in sys.modules])"
    out = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert out.stdout.strip() == "[]"


def test_help_lists_every_command(tmp_path: Path) -> None:
    out = dermacare("--help", home=tmp_path)
    assert out.returncode == 0
    assert all(
        name in out.stdout
        for name in ("run", "compile", "compare", "runs", "gc", "ui", "step", "params", "doctor", "serve", "predict")
    )


@pytest.mark.parametrize(
    ("arguments", "told"),
    [
        (["run", "--set", "train_unet.learning_rat=1"], "did you mean train_unet.learning_rate"),
        (["run", "--profile", "dmeo"], "did you mean demo"),
        (["run", "--set", "train_unet.models=[unet_plane]"], "unet_plane is no registered architecture; there are"),
        (
            ["run", "--set", "train_classifier.overrides={resnet18: {epochs: 1}}"],
            "train_classifier.overrides: resnet18 is no registered architecture; there are",
        ),
        (["run", "--set", "train_unet.models=[unet_plain,unet_plain]"], "names a model twice"),
        (
            ["run", "--profile", "best", "--set", "preprocess.segmentation_size=[200,300]"],
            "preprocess.segmentation_size is 200 x 300, but unet_efficientnet_lite0 needs multiples of 32",
        ),
        (["run", "--set", "train_unet.models=[]", "--set", "train_classifier.models=[]"], "name at least one model"),
        (["step", "preproces", "--out", "x"], "preproces: is no step; there are ingest"),
        (["step", "train_unet/resnet50", "--out", "x"], "name a model that train_unet.models lists"),
        (["step", "preprocess", "--out", "x"], "preprocess needs dataset"),
        (["step", "preprocess", "--input", "raw=x", "--out", "x"], "preprocess takes dataset=FOLDER"),
    ],
)
def test_a_wrong_parameter_ends_with_one_sentence_and_exit_code_2(arguments: list[str], told: str, tmp_path: Path) -> None:
    out = dermacare(*arguments, home=tmp_path)
    assert out.returncode == 2
    assert told in out.stderr
    assert len(out.stderr.strip().splitlines()) == 1
    assert "Traceback" not in out.stderr


def test_debug_shows_the_traceback(tmp_path: Path) -> None:
    out = dermacare("run", "--profile", "nosuch", "--debug", home=tmp_path)
    assert out.returncode != 0
    assert "Traceback" in out.stderr


def test_a_source_that_is_not_there_stops_before_anything_runs(tmp_path: Path) -> None:
    out = dermacare("run", "--profile", "demo", "--data", str(tmp_path / "nowhere"), home=tmp_path / "home")
    assert out.returncode == 1
    assert "nowhere" in out.stderr
    assert not (tmp_path / "home" / "runs").exists()


def test_plan_says_what_would_run_and_runs_nothing(tmp_path: Path) -> None:
    out = dermacare("run", "--profile", "demo", "--plan", home=tmp_path)
    assert out.returncode == 0
    assert out.stdout.count("never run") == 11
    assert not (tmp_path / "steps").exists()


def test_params_prints_a_file_that_params_reads_back(tmp_path: Path) -> None:
    out = dermacare("params", "--profile", "demo", "--yaml", home=tmp_path)
    (tmp_path / "params.yaml").write_text(out.stdout)
    assert load_params(tmp_path / "params.yaml").params == load_params(profile="demo").params
    assert list(yaml.safe_load(out.stdout)) == list(yaml.safe_load(Path("params.yaml").read_text()))


def test_params_explains_every_parameter(tmp_path: Path) -> None:
    out = dermacare("params", "--profile", "demo", home=tmp_path)
    assert "preprocess.clip_limit" in out.stdout
    assert "profile demo" in out.stdout


def test_doctor_knows_this_machine(tmp_path: Path) -> None:
    out = dermacare("doctor", home=tmp_path)
    assert "Python" in out.stdout
    assert "tensorflow" in out.stdout


def test_compile_writes_the_pipeline(tmp_path: Path) -> None:
    out = dermacare("compile", "--profile", "demo", "--output", str(tmp_path / "pipeline.yaml"), home=tmp_path)
    assert out.returncode == 0, out.stderr
    assert next(iter(yaml.safe_load_all((tmp_path / "pipeline.yaml").read_text())))["pipelineInfo"]["name"] == "dermacare-training"


@pytest.mark.parametrize("arguments", [["runs"], ["gc"]])
def test_an_empty_home_says_what_makes_it_useful(arguments: list[str], tmp_path: Path) -> None:
    out = dermacare(*arguments, home=tmp_path)
    assert out.returncode == 0
    assert "no runs" in out.stdout or "nothing to delete" in out.stdout


@pytest.mark.parametrize("arguments", [["runs", "logs"], ["runs", "cancel"], ["runs", "logs", "nosuch"], ["ui"]])
def test_what_is_not_there_is_an_error_that_names_it(arguments: list[str], tmp_path: Path) -> None:
    out = dermacare(*arguments, home=tmp_path)
    assert out.returncode == 1
    assert out.stderr.startswith("error: ")


@pytest.mark.parametrize("runner", ["docker", "cluster"])
def test_a_runner_that_does_not_work_here_says_what_does(runner: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("DOCKER_HOST", f"unix://{tmp_path}/none.sock")
    out = dermacare("run", "--runner", runner, home=tmp_path)
    assert out.returncode == 1
    assert f"--runner {runner}" in out.stderr
