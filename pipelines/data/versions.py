"""Versions of the data: over git's history, and each one opened as a dataset without checking it out."""

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import IO, Any

import yaml

from components.dataset import Dataset
from components.errors import DatasetError, VersionError
from components.lesions import Split, Task
from pipelines.data.project import DATA, LOCK, Project, dvc_errors

WORKSPACE = "workspace"


@dataclass(frozen=True)
class Version:
    """A version of the data, open for reading.

    Attributes:
        name: what the user called it: a revision, a folder.
        dataset: manifest and encoded images.
    """

    name: str
    dataset: Dataset


@dataclass(frozen=True)
class Entry:
    """A commit that changed the data.

    Attributes:
        commit: its digest, abbreviated as git does.
        date: YYYY-MM-DD.
        author, subject: the commit's.
        version: data version, 64 hexadecimal digits; empty where it cannot be read.
        images: task → number of images.
        splits: images of each split, any task; empty where there is none.
        gone: why it cannot be read; empty where it can.
    """

    commit: str
    date: str
    author: str
    subject: str
    version: str
    images: dict[Task, int]
    splits: dict[Split, int]
    gone: str


def open_version(name: str | None) -> Version:
    """Open a version by what the user calls it.

    Args:
        name: a folder that holds a dataset, or a git revision of this project; None: data/validate as it lies there.

    Raises:
        VersionError: it is neither, or the version holds no data, or its data is not there any more.
        DatasetError: the dataset is damaged.
    """
    if name is None:
        folder = Project.here().root / DATA
        if not (folder / "manifest.parquet").is_file():
            raise VersionError(f"{folder}: is not there; `dermacare data pull` fetches it, `dvc repro` makes it")
        return Version(str(DATA), Dataset(folder))
    if (Path(name) / "manifest.parquet").is_file():
        return Version(name, Dataset(Path(name)))
    project = Project.here()
    commit = _commit(project, name)
    folder_id = folder_of(project, commit)
    if folder_id is None:
        raise VersionError(f"{name}: {LOCK} of that commit names no {DATA}; `dermacare data log` lists the commits that do")
    return Version(name, _open(project, name, commit, folder_id))


def _commit(project: Project, name: str) -> str:
    try:
        return project.git("rev-parse", "--verify", "--quiet", "--end-of-options", f"{name}^{{commit}}").strip()
    except VersionError as error:
        raise VersionError(
            f"{name}: is neither a folder with a dataset nor a commit; `dermacare data log` lists the versions"
        ) from error


def folder_of(project: Project, commit: str) -> str | None:
    """DVC's MD5 of data/validate at a commit (`….dir`), or None where dvc.lock of it names none.

    Raises:
        VersionError: that dvc.lock is no YAML.
    """
    if not project.git("ls-tree", "--name-only", commit, "--", LOCK):
        return None
    return folder_in(project.git("show", f"{commit}:{LOCK}"), f"{LOCK} of {commit[:8]}", "mend that commit")


def folder_in(text: str, name: str, remedy: str) -> str | None:
    """DVC's MD5 of data/validate in the text of a dvc.lock, or None where it names none.

    Raises:
        VersionError: it is not what DVC writes; the text says `name` and `remedy`.
    """
    try:
        lock: Any = yaml.safe_load(text)
        outs = [out for stage in lock["stages"].values() for out in stage.get("outs", [])]
        return next((str(out["md5"]) for out in outs if out["path"] == str(DATA)), None)
    except (yaml.YAMLError, KeyError, TypeError, AttributeError) as error:
        raise VersionError(f"{name}: is not what DVC writes ({type(error).__name__}); {remedy}") from error


def _open(project: Project, name: str, commit: str, folder_id: str) -> Dataset:
    why_gone = project.why_gone(folder_id)
    if why_gone:
        raise VersionError(f"{name}: {why_gone}, so it can be read no more")
    try:
        with dvc_errors(f"reading {DATA} of {name}"):
            from dvc.api import DVCFileSystem

            # Remotes and cache are those of today: a commit may be older than the remote to which its data was sent.
            config = {section: dict(project.repo.config[section]) for section in ("core", "remote", "cache")}
            files = DVCFileSystem(str(project.root), rev=commit, config=config)

            def opener(path: Path) -> IO[bytes]:
                handle: IO[bytes] = files.open(path.as_posix(), "rb")
                return handle

            return Dataset(DATA, opener)
    except (VersionError, DatasetError) as error:
        raise VersionError(
            f"{name}: its data is neither in DVC's cache nor in the remote ({error.__cause__ or error}); whoever has it: dvc push"
        ) from error


def history(project: Project) -> Iterator[Entry]:
    """The commits that changed data/validate, newest first.

    Raises:
        VersionError: git cannot tell.
    """
    known: dict[str, tuple[str, dict[Task, int], dict[Split, int], str]] = {}
    listed = project.git("log", "--format=%H%x00%h%x00%as%x00%an%x00%s", "--", LOCK).splitlines()
    commits = [line.split("\0") for line in listed]
    folders = [folder_of(project, commit) for commit, *_ in commits]
    for (commit, short, date, author, subject), folder, before in zip(commits, folders, [*folders[1:], None], strict=True):
        if folder is None or folder == before:
            continue
        if folder not in known:
            known[folder] = _summary(project, short, commit, folder)
        yield Entry(short, date, author, subject, *known[folder])


def _summary(project: Project, short: str, commit: str, folder: str) -> tuple[str, dict[Task, int], dict[Split, int], str]:
    gone = project.why_gone(folder)
    try:
        dataset = _open(project, short, commit, folder)
    except VersionError:
        return "", {}, {}, gone or "neither in DVC's cache nor in the remote"
    images = {task: len(dataset.rows(task)) for task in dataset.tasks()}
    places = dataset.manifest.drop_duplicates("image_id")["split"]
    splits = {split: int((places == split.value).sum()) for split in Split if (places == split.value).any()}
    return dataset.version, images, splits, gone
