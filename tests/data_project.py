"""A project whose data DVC versions, small: datasets as the steps write them, without running the steps."""

import contextlib
import io
import json
import shutil
import subprocess
import sys
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import pandas as pd
import pytest

from components.dataset import read_manifest, write_manifest
from components.errors import DermaCareError
from components.store import copy_tree
from components.withdrawn import FILE, Withdrawn, write_withdrawn
from pipelines.data.project import Project
from pipelines.home import VARIABLE
from tests.datasets import encoded_dataset, preprocessed_dataset
from tests.environment import user_environment

STEPS = ("ingest", "validate", "preprocess")
_STAGES = "".join(
    f'  {step}:\n    cmd: "true"\n    deps: [{dep}]\n    outs: [data/{step}: {{persist: true}}]\n'
    for step, dep in zip(STEPS, (FILE, "data/ingest", "data/validate"), strict=True)
)


@dataclass(frozen=True)
class DataProject:
    """A git repository with DVC, and its user's home."""

    root: Path
    home: Path

    @classmethod
    def make(cls, root: Path, home: Path, *, per_class: int = 4, commit: bool = True) -> "DataProject":
        """Ingested, validated and preprocessed images, `per_class` lesions of two images each, committed to DVC and git."""
        project = cls(root, home)
        (root / ".dvc").mkdir(parents=True)
        (root / ".dvc/config").write_text("[core]\n    analytics = false\n")
        (root / ".dvc/.gitignore").write_text("/config.local\n/tmp\n/cache\n")
        (root / ".gitignore").write_text("/data/*\n!/data/*.dvc\n")
        (root / "dvc.yaml").write_text(f"stages:\n{_STAGES}")
        write_withdrawn(root / FILE, Withdrawn())
        encoded_dataset(root / "data/validate", per_class=per_class)
        copy_tree(root / "data/validate", root / "data/ingest")
        raw = read_manifest(root / "data/ingest")
        raw[["split", "fold", "group_id"]] = None
        write_manifest(root / "data/ingest", raw)
        preprocessed_dataset(root / "data/preprocess", per_class=per_class)
        for step in STEPS:
            made_by = {"step": step, "key": (step + "0" * 20)[:20], "code": "0"}
            (root / f"data/{step}/step.json").write_text(json.dumps(made_by))
        project.git("init", "--quiet", "--initial-branch=main")
        if commit:
            project.commit("first images")
        return project

    def copy(self, root: Path) -> "DataProject":
        """The same under another folder: project and home."""
        shutil.copytree(self.root, root / "project", symlinks=True)
        return DataProject(root / "project", root / "home")

    def clone(self, root: Path, home: Path) -> "DataProject":
        """A colleague's clone, without data."""
        subprocess.run(["git", "clone", "--quiet", str(self.root), str(root)], check=True)
        return DataProject(root, home)

    @property
    def project(self) -> Project:
        """The project as the program opens it."""
        return Project(self.root)

    def git(self, *arguments: str) -> str:
        """What git prints."""
        identity = ("-c", "user.name=Ada", "-c", "user.email=ada@example.org")
        done = subprocess.run(["git", *identity, *arguments], cwd=self.root, capture_output=True, text=True, check=False)
        assert done.returncode == 0, done.stderr
        return done.stdout

    def dvc(self, *arguments: str) -> str:
        """What DVC prints."""
        done = subprocess.run([sys.executable, "-m", "dvc", *arguments], cwd=self.root, capture_output=True, text=True, check=False)
        assert done.returncode == 0, done.stderr
        return done.stdout

    def commit(self, message: str) -> None:
        """Commit data/ to DVC and everything to git."""
        self.dvc("commit", "--quiet", "--force")
        self.git("add", "--all")
        self.git("commit", "--quiet", "--message", message)

    def change(self, **labels: str) -> None:
        """Give images of data/validate another label, or none: `DROP` takes the image out."""
        folder = self.root / "data/validate"
        manifest = read_manifest(folder)
        for image, label in labels.items():
            manifest.loc[manifest["image_id"] == image, "label"] = label
        _write(folder, manifest[manifest["label"] != "DROP"])

    def __call__(self, *arguments: str, fails: bool = False) -> str:
        """What `dermacare data …` prints, run in this process; where it must fail, its one sentence."""
        from dermacare.cli import app

        printed, sentence = io.StringIO(), ""
        with pytest.MonkeyPatch.context() as patch, contextlib.redirect_stdout(printed):
            patch.chdir(self.root)
            patch.setenv(VARIABLE, str(self.home))
            patch.delenv("MLFLOW_TRACKING_URI", raising=False)
            try:
                app(args=["data", *arguments], standalone_mode=False)
            except DermaCareError as error:
                sentence = str(error)
        assert bool(sentence) is fails, sentence or printed.getvalue()
        assert "\n" not in sentence
        return sentence if fails else printed.getvalue()

    def shell(self, *arguments: str, fails: bool = False, **environment: str) -> str:
        """The same in a process of its own, with more variables in its environment."""
        done = subprocess.run(
            [sys.executable, "-m", "dermacare.cli", "data", *arguments],
            cwd=self.root,
            env=user_environment(self.home, PYTHONPATH=str(Path(__file__).parents[1]), **environment),
            capture_output=True,
            text=True,
            check=False,
        )
        assert (done.returncode != 0) is fails, done.stdout + done.stderr
        if not fails:
            return done.stdout
        sentences = [line for line in done.stderr.splitlines() if line.startswith("error: ")]
        assert len(sentences) == 1, done.stderr
        assert "Traceback" not in done.stderr
        return sentences[0]


def _write(folder: Path, manifest: pd.DataFrame) -> None:
    (folder / "manifest.parquet").unlink()  # DVC's files are read-only
    write_manifest(folder, manifest)


def holding(needles: Sequence[bytes], *roots: Path) -> list[Path]:
    """Every file below these folders in which one of the byte strings lies."""
    files = [path for root in roots for path in sorted(root.rglob("*")) if path.is_file() and not path.is_symlink()]
    return [path for path in files if any(needle in path.read_bytes() for needle in needles)]


def size(root: Path) -> int:
    """Bytes of all files below a folder."""
    return sum(path.stat().st_size for path in root.rglob("*") if path.is_file())
