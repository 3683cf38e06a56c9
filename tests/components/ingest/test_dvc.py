"""DVC repositories as sources: real repositories, with a local remote and one on a real S3 server."""

import json
import os
import shutil
import subprocess
import sysconfig
from pathlib import Path

import pytest

from components.errors import SourceError
from components.ingest.fingerprint import ingest_fingerprint
from tests.components.ingest.conftest import Run, params_of
from tests.components.ingest.remote import zip_of
from tests.isic_folder import IsicFolder
from tests.seaweedfs import S3Server


class Repository:
    """A git repository in which DVC tracks `data/pictures` and git `data/tables`; tag `v1` after `commit("v1")`."""

    def __init__(self, root: Path) -> None:
        self.root = root
        self.folder = IsicFolder(root / "data/pictures")
        self._run("git", "init", "-q")
        self._run("dvc", "init", "-q")
        self._run("dvc", "remote", "add", "-q", "-d", "store", str(root.parent / "remote"))

    def commit(self, tag: str) -> str:
        """Track all that lies there, push it, and tag it; returns the commit."""
        (self.root / "data/tables").mkdir(exist_ok=True)
        for table in self.folder.root.glob("*.csv"):
            shutil.move(table, self.root / "data/tables" / table.name)
        self._run("dvc", "add", "-q", "data/pictures")
        self._run("dvc", "push", "-q")
        self._run("git", "add", "-A")
        self._run("git", "commit", "-qm", tag)
        self._run("git", "tag", tag)
        return self._run("git", "rev-parse", "HEAD").strip()

    def use_remote(self, url: str, endpoint: str) -> None:
        """Push to a bucket from now on."""
        self._run("dvc", "remote", "modify", "store", "url", url)
        self._run("dvc", "remote", "modify", "store", "endpointurl", endpoint)

    def _run(self, *command: str) -> str:
        program = command[0] if command[0] == "git" else str(Path(sysconfig.get_path("scripts")) / command[0])
        who = {"GIT_AUTHOR_NAME": "T", "GIT_AUTHOR_EMAIL": "t@x", "GIT_COMMITTER_NAME": "T", "GIT_COMMITTER_EMAIL": "t@x"}
        done = subprocess.run(
            [program, *command[1:]],
            cwd=self.root,
            env={**os.environ, **who, "DVC_NO_ANALYTICS": "1"},
            capture_output=True,
            text=True,
        )
        assert done.returncode == 0, done.stderr
        return done.stdout


@pytest.fixture
def repository(tmp_path: Path) -> Repository:
    repository = Repository(tmp_path / "skin")
    repository.folder.fill(1)
    return repository


def test_a_revision_is_read_as_it_was_from_a_remote_that_alone_has_it(repository: Repository, run: Run, tmp_path: Path) -> None:
    first = repository.commit("v1")
    repository.folder.image("ISIC_LATER")
    repository.folder.row("ISIC_LATER", "NV")
    repository.folder.tables()
    repository.commit("v2")
    shutil.rmtree(repository.root / ".dvc/cache")
    old = run(f"dvc:{repository.root}@v1:data", out="old")
    new = run(f"dvc:{repository.root}@HEAD:data", out="new", earlier=[old.out])
    assert set(new.dataset.manifest["image_id"]) - set(old.dataset.manifest["image_id"]) == {"ISIC_LATER"}
    assert set(old.dataset.manifest["source"]) == {"dvc:skin:data"}
    assert json.loads((old.out / "sources.json").read_text())[0]["revision"] == first
    assert old.shards.items() <= new.shards.items()  # what both revisions hold is not fetched twice
    local = run(repository.root / "data", out="local")
    columns = ["image_id", "task", "label", "sha256", "mask_sha256", "lesion_id"]
    assert new.dataset.manifest[columns].equals(local.dataset.manifest[columns])
    assert not (repository.root / ".dvc/cache").exists()  # the disk holds one copy


def test_the_commit_decides_the_key_whatever_it_is_called(repository: Repository) -> None:
    commit = repository.commit("v1")
    names = [f"dvc:{repository.root}@{revision}:data" for revision in ("v1", "HEAD", commit[:10])]
    assert len({ingest_fingerprint(params_of(name)) for name in names}) == 1
    assert len({params_of(name).identity().model_dump_json() for name in names}) == 1
    repository.folder.image("ISIC_LATER")
    repository.commit("v2")
    assert ingest_fingerprint(params_of(f"dvc:{repository.root}@v2:data")) != ingest_fingerprint(params_of(names[0]))


def test_an_address_that_git_understands_is_cloned_and_zips_in_it_are_read(repository: Repository, run: Run) -> None:
    data = zip_of(repository.folder.root / "images")
    shutil.rmtree(repository.folder.root / "images")
    repository.folder.raw("images.zip", data)
    repository.commit("v1")
    done = run(f"dvc:file://{repository.root}@v1:data")
    assert len(done.ids("classification")) == len(done.ids("segmentation")) == 8


def test_a_remote_on_s3_is_read(repository: Repository, run: Run, s3_server: S3Server, monkeypatch: pytest.MonkeyPatch) -> None:
    for name, value in s3_server.environment.items():
        monkeypatch.setenv(name, value)
    repository.use_remote(f"s3://{s3_server.bucket('dvc-remote')}/skin", s3_server.endpoint)
    repository.commit("v1")
    shutil.rmtree(repository.root / ".dvc/cache")
    assert len(run(f"dvc:{repository.root}@v1:data").ids("classification")) == 8


def test_bytes_that_are_not_those_that_dvc_tracks_are_set_aside(repository: Repository, run: Run, tmp_path: Path) -> None:
    repository.commit("v1")
    shutil.rmtree(repository.root / ".dvc/cache")
    victim = (repository.folder.root / "images/ISIC_MEL_0.jpg").read_bytes()
    stored = next(path for path in (tmp_path / "remote").rglob("*") if path.is_file() and path.read_bytes() == victim)
    stored.chmod(0o644)
    stored.write_bytes(victim[:-9] + b"!" + victim[-8:])
    done = run(f"dvc:{repository.root}@v1:data")
    assert [row["image"] for row in done.quarantine] == ["ISIC_MEL_0"]
    assert "its bytes are not those that DVC tracks" in done.quarantine[0]["reason"]


@pytest.mark.parametrize(
    ("spelling", "sentence"),
    [
        ("dvc:{root}@nope:data", r"dvc:skin:data: DVC cannot give it \(unknown Git revision 'nope'\)"),
        ("dvc:{root}@v1:nothing", r"dvc:skin:nothing: there is no folder 'nothing' at commit [0-9a-f]{12}; look at PATH"),
        ("dvc:/no/such/place@v1:data", r"dvc:place:data: DVC cannot give it"),
        ("dvc:https://me:secret@127.0.0.1:1/x.git@v1:data", r"dvc:x:data: DVC cannot give it"),
    ],
)
def test_what_is_not_there_is_named_and_no_secret_is(spelling: str, sentence: str, repository: Repository) -> None:
    repository.commit("v1")
    with pytest.raises(SourceError, match=sentence) as raised:
        ingest_fingerprint(params_of(spelling.format(root=repository.root)))
    assert "secret" not in str(raised.value)


def test_a_file_that_no_remote_has_is_named(repository: Repository, run: Run, tmp_path: Path) -> None:
    repository.commit("v1")
    shutil.rmtree(repository.root / ".dvc/cache")
    victim = (repository.folder.root / "images/ISIC_MEL_0.jpg").read_bytes()
    for path in (tmp_path / "remote").rglob("*"):
        if path.is_file() and path.read_bytes() == victim:
            path.unlink()
    with pytest.raises(SourceError, match=r"dvc:skin:data/pictures/images/ISIC_MEL_0\.jpg: DVC cannot give it"):
        run(f"dvc:{repository.root}@v1:data")
