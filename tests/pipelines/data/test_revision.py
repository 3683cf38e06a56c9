"""Where DVC has a run's data: by what it was read from, and by the project's own dvc.lock."""

from pathlib import Path

import pytest
import yaml

from components.dataset import Dataset, read_manifest
from components.ingest import ingest
from components.params import load_params
from components.reporter import Reporter
from components.store import Store
from pipelines.data.revision import dvc_revision
from tests.data_project import DataProject
from tests.isic_folder import IsicFolder


def test_the_project_s_data_is_called_what_its_lock_calls_it(project: DataProject, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(project.root)
    store, version = Store(project.home), Dataset(project.root / "data/validate").version
    project.dvc("commit", "--quiet", "--force")
    lock = yaml.safe_load((project.root / "dvc.lock").read_text())
    (out,) = lock["stages"]["validate"]["outs"]
    assert dvc_revision(store, None, version) == f"data/validate {out['md5']}"
    assert dvc_revision(store, None, "e" * 64) == ""
    first = read_manifest(project.root / "data/validate")["image_id"].iloc[0]
    project.change(**{first: "DROP"})
    assert dvc_revision(store, None, version) == ""


def test_a_source_that_dvc_versions_is_told_with_the_commit_that_was_read(
    project: DataProject, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    (tmp_path / "outside").mkdir()
    monkeypatch.chdir(tmp_path / "outside")
    IsicFolder(project.root / "pictures").fill(1)
    project.git("add", "--all")
    project.git("commit", "--quiet", "--message", "pictures")
    commit = project.git("rev-parse", "HEAD").strip()
    source = f"dvc:{project.root}@HEAD:pictures"
    store = Store(tmp_path / "home")
    params = load_params(data=[source]).params.ingest
    store.execute("ingest", "i" * 20, lambda work: ingest(work, params, Reporter(work, "ingest")))
    assert dvc_revision(store, "i" * 20, "e" * 64) == f"dvc:project:pictures@{commit}"
