"""A clone, as a user has it, with DVC."""

import json
import os
import re
import shutil
import signal
import sqlite3
import subprocess
import sys
import time
from dataclasses import dataclass
from pathlib import Path

import pytest

from components.files import sha256_file
from tests.e2e.conftest import TINY
from tests.e2e.test_resume import STEPS
from tests.environment import user_environment

pytestmark = pytest.mark.slow

PROJECT = Path(__file__).parents[2]
UP_TO_DATE = "Data and pipelines are up to date."
BEFORE_REGISTER = STEPS[:-1]


@dataclass(frozen=True)
class Clone:
    """The working tree as a repository of its own, and the home folder of its user."""

    root: Path
    home: Path

    @classmethod
    def make(cls, root: Path, home: Path) -> "Clone":
        """Copy what git has, or would have, and set the tiny parameters."""
        command = ["git", "ls-files", "--cached", "--others", "--exclude-standard", "-z"]
        names = subprocess.run(command, cwd=PROJECT, capture_output=True, text=True, check=True).stdout.split("\0")
        for name in filter(None, names):
            if (PROJECT / name).is_file():
                (root / name).parent.mkdir(parents=True, exist_ok=True)
                shutil.copy(PROJECT / name, root / name)
        clone = cls(root, home)
        clone("git", "init", "--quiet")
        clone.set("--profile", "demo", **TINY)
        clone.commit()
        return clone

    @property
    def environment(self) -> dict[str, str]:
        """This process's, with the environment of the tests activated, the clone's own code and the home."""
        path = f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}"
        return user_environment(self.home, PATH=path, PYTHONPATH=str(self.root), COLUMNS="160")

    def __call__(self, *command: str, fails: bool = False) -> str:
        """What a command prints."""
        done = subprocess.run(command, cwd=self.root, env=self.environment, capture_output=True, text=True, check=False)
        assert (done.returncode != 0) is fails, done.stdout + done.stderr
        return done.stdout + done.stderr if fails else done.stdout

    def set(self, *options: str, **values: str) -> None:
        """Change params.yaml."""
        sets = [part for key, value in values.items() for part in ("--set", f"{key}={value}")]
        (self.root / "params.yaml").write_text(self("dermacare", "params", *options, *sets, "--yaml"))

    def commit(self) -> None:
        """Commit everything."""
        self("git", "add", "--all")
        self("git", "-c", "user.name=user", "-c", "user.email=user@example.org", "commit", "--quiet", "--message", "state")

    def status(self) -> list[str]:
        """What `git status` lists."""
        return self("git", "status", "--porcelain").splitlines()


def stages_run(printed: str) -> list[str]:
    return re.findall(r"Running stage '(.+)'", printed)


def outcomes(printed: str) -> dict[str, str]:
    """Step → outcome, from what `dermacare step` prints."""
    return dict(re.findall(r"^(\S+): (done|reused|resumed) in ", printed, re.MULTILINE))


@dataclass(frozen=True)
class Story:
    """What a user does, and what was printed."""

    clone: Clone
    after_run: str
    status_after: list[str]
    dirty: set[str]
    again: str
    longer: str
    plan: str


@pytest.fixture(scope="module")
def story(tmp_path_factory: pytest.TempPathFactory) -> Story:
    """`dermacare run`, then DVC on the same home: all of it, again, with more epochs for the U-Net; the plan of a run after it."""
    clone = Clone.make(tmp_path_factory.mktemp("clone"), tmp_path_factory.mktemp("home"))
    clone("dermacare", "run")
    after_run, status_after = clone("dvc", "repro"), clone.status()
    with sqlite3.connect(clone.home / "mlflow.db") as connection:
        dirty = {value for (value,) in connection.execute("select value from tags where key = 'dermacare.dirty'")}
    again = clone("dvc", "repro")
    clone.commit()
    clone.set(**{"train_unet.epochs": "4"})
    longer = clone("dvc", "repro")
    return Story(clone, after_run, status_after, dirty, again, longer, clone("dermacare", "run", "--plan"))


def test_what_a_run_has_computed_is_answered_from_the_store(story: Story) -> None:
    assert outcomes(story.after_run) == dict.fromkeys(BEFORE_REGISTER, "reused") | {"register": "done"}


def test_dvc_changes_no_file_of_the_clone_but_its_lock(story: Story) -> None:
    assert story.status_after == ["?? dvc.lock"]


def test_a_second_repro_has_nothing_to_do(story: Story) -> None:
    assert stages_run(story.again) == []
    assert UP_TO_DATE in story.again


def test_a_changed_unet_runs_again_with_what_follows_it_and_no_preprocessing(story: Story) -> None:
    assert stages_run(story.longer) == ["train_unet@unet_tiny", "evaluate", "register"]
    assert outcomes(story.longer) == {"train_unet/unet_tiny": "done", "evaluate": "done", "register": "done"}


def test_what_dvc_has_computed_a_run_does_not_compute_again(story: Story) -> None:
    assert story.plan.count("reuse") == len(BEFORE_REGISTER)
    assert re.search(r"register\s+│ run", story.plan)


def test_a_run_through_dvc_on_committed_code_is_clean_in_mlflow(story: Story) -> None:
    assert story.dirty == {"false"}


def test_metrics_show_each_model_on_each_split(story: Story) -> None:
    shown = json.loads(story.clone("dvc", "metrics", "show", "--json"))[""]["data"]
    figures = {Path(path).relative_to("data/evaluate/metrics").as_posix(): set(file["data"]) for path, file in shown.items()}
    for split in ("val", "test"):
        assert {"accuracy", "balanced_accuracy", "macro_f1"} <= figures.pop(f"{split}/tiny_cnn.json")
        assert figures.pop(f"{split}/unet_tiny.json") == {"dice", "jaccard"}
    assert not figures


def test_the_metrics_differ_where_the_model_does(story: Story) -> None:
    changed = json.loads(story.clone("dvc", "metrics", "diff", "--json"))
    assert {Path(path).stem for path in changed} == {"unet_tiny"}
    for figures in changed.values():
        assert all(figure["new"] - figure["old"] == pytest.approx(figure["diff"]) for figure in figures.values())


def test_plots_hold_curves_roc_confusion_and_figures_of_both_versions(story: Story) -> None:
    clone = story.clone
    plots = json.loads(clone("dvc", "plots", "diff", "--json"))["data"]
    curves = plots["data/evaluate/plots/curves/unet_tiny.csv"][0]["content"]["data"]["values"]
    assert [(row["rev"], row["epoch"]) for row in curves] == [
        *(("workspace", str(epoch)) for epoch in (1, 2, 3, 4)),
        *(("HEAD", str(epoch)) for epoch in (1, 2, 3)),
    ]
    assert all(float(row["val_loss"]) > 0 for row in curves)
    roc = plots["data/evaluate/plots/roc/tiny_cnn.csv"][0]["content"]["data"]["values"]
    corners = {(row["false_positive_rate"], row["true_positive_rate"]) for row in roc}
    assert {("0", "0"), ("1", "1")} <= {(f"{float(x):g}", f"{float(y):g}") for x, y in corners}
    confusion = plots["data/evaluate/plots/confusion/tiny_cnn.csv"][0]["content"]["data"]["values"]
    images = json.loads((clone.root / "data/evaluate/scores.json").read_text())["models"]["tiny_cnn"]["test"]["images"]
    assert len([row for row in confusion if row["rev"] == "workspace"]) == images
    assert "data/evaluate/figures/unet_tiny/overlays.png" in plots


def test_the_page_of_plots_stands_alone_but_for_the_library_that_draws(story: Story) -> None:
    clone = story.clone
    clone("dvc", "plots", "show")
    page = (clone.root / "dvc_plots" / "index.html").read_text()
    assert "val_balanced_accuracy" in page
    assert "false_positive_rate" in page
    pictures = re.findall(r'<img[^>]+src="([^"]+)"', page)
    assert pictures
    assert all((clone.root / "dvc_plots" / picture).is_file() for picture in pictures)
    assert str(clone.root) not in page
    assert "?? dvc_plots/" not in clone.status()


def test_changed_code_of_one_step_runs_that_step_and_the_store_answers_for_the_others(story: Story) -> None:
    clone = story.clone
    with (clone.root / "components" / "validate" / "report.py").open("a") as handle:
        handle.write("\n# changed\n")
    assert outcomes(clone("dvc", "repro", "validate")) == {"ingest": "reused", "validate": "done"}


def test_a_step_that_fails_fails_the_stage_in_one_sentence(story: Story) -> None:
    clone = story.clone
    params = (clone.root / "params.yaml").read_text()
    clone.set(**{"ingest.sources": f"[{clone.root / 'nowhere'}]"})
    try:
        printed = clone("dvc", "repro", "validate", fails=True)
    finally:
        (clone.root / "params.yaml").write_text(params)
    assert printed.count("nowhere") >= 1
    assert len(re.findall(r"^error: ", printed, re.MULTILINE)) == 1
    assert "Traceback" not in printed


def store_files(home: Path) -> dict[Path, tuple[str, int]]:
    """Every file of the store's outputs → digest and permissions."""
    files = [path for path in home.glob("steps/*/*/out/**/*") if not path.is_dir()]
    return {path: (sha256_file(path), path.lstat().st_mode) for path in files}


def assert_apart(clone: Clone) -> None:
    """The store's files are files, writable, and none of them is one of DVC's under another name."""
    store, dvc = (
        [path.lstat() for folder in folders for path in folder.rglob("*") if not path.is_dir()]
        for folders in (sorted(clone.home.glob("steps/*/*/out")), [clone.root / "data", clone.root / ".dvc" / "cache"])
    )
    assert {oct(file.st_mode) for file in store} == {"0o100644"}
    assert not {file.st_ino for file in store} & {file.st_ino for file in dvc}


@pytest.mark.parametrize("kind", ["copy", "hardlink", "symlink"])
def test_dvc_reaches_no_file_of_the_store_however_it_links(kind: str, story: Story, tmp_path: Path) -> None:
    clone = Clone(tmp_path / "clone", tmp_path / "home")
    story.clone("git", "clone", "--quiet", ".", str(clone.root))
    shutil.copytree(story.clone.home / "steps" / "ingest", clone.home / "steps" / "ingest")
    clone("dvc", "config", "--local", "cache.type", kind)
    before = store_files(clone.home)
    assert outcomes(clone("dvc", "repro", "validate")) == {"ingest": "reused", "validate": "done"}
    assert store_files(clone.home).items() >= before.items()
    assert_apart(clone)
    # Validate gives shards of its input a second name. The input is now DVC's alone, as after `dvc pull` on another machine.
    shutil.rmtree(clone.home / "steps")
    clone("dvc", "repro", "--force", "--single-item", "validate")
    after = store_files(clone.home)
    assert_apart(clone)
    clone("dvc", "unprotect", "data/validate")
    (clone.root / "data" / "validate" / "manifest.parquet").write_bytes(b"edited in place")
    assert store_files(clone.home) == after


def test_a_killed_repro_goes_on_inside_training(story: Story) -> None:
    clone = story.clone
    clone.set(**{"train_unet.epochs": "20"})
    stage = ["dvc", "repro", "--single-item", "train_unet@unet_tiny"]
    process = subprocess.Popen(
        stage, cwd=clone.root, env=clone.environment, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL, start_new_session=True
    )
    while process.poll() is None:
        if any(record.read_text().count("\n") > 3 for record in clone.home.glob("steps/train_unet/*/work/metrics.jsonl")):
            os.killpg(process.pid, signal.SIGKILL)
            break
        time.sleep(0.05)
    assert process.wait() == -signal.SIGKILL
    assert outcomes(clone(*stage)) == {"train_unet/unet_tiny": "resumed"}
