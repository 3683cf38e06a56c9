"""The project's data in DVC: what dvc.lock names, sent to a remote and fetched from it.

DVC's own Python interface is called in this process, so that its progress bars show and its errors come as exceptions.
"""

import logging
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any

from components.errors import MachineError, VersionError
from components.withdrawn import FILE as WITHDRAWN
from components.withdrawn import Withdrawn, read_withdrawn

DATA = Path("data/validate")
"""The dataset that stands for a version of the data: checked, with groups and splits, and with the images as they came."""

LOCK = "dvc.lock"
HOME_REMOTE = "home"


@dataclass(frozen=True)
class Sent:
    """What a push or a pull moved: number of files, and between which two places."""

    files: int
    remote: str
    url: str


@dataclass(frozen=True)
class Status:
    """What of the data is not safe yet.

    Attributes:
        unlocked: outputs below data/ that differ from what dvc.lock says:
            path → `modified`, `deleted`, `not in cache`, or a sentence where its data was withdrawn.
        uncommitted: files of the project that name the data and differ from git's last commit.
        unpushed: files that the remote lacks; None where no remote is set.
        lost: whether dvc.lock names files that are neither here nor in the remote.
        remote: the remote's name and address, or empty.
    """

    unlocked: dict[str, str]
    uncommitted: list[str]
    unpushed: int | None
    lost: bool
    remote: str


class Project:
    """A git repository with dvc.yaml.

    Attributes:
        root: its top folder.
    """

    def __init__(self, root: Path) -> None:
        self.root = root

    @classmethod
    def here(cls) -> "Project":
        """The project of the working directory.

        Raises:
            VersionError: there is none.
            MachineError: git is not installed.
        """
        here = Path.cwd()
        root = next((folder for folder in (here, *here.parents) if (folder / "dvc.yaml").is_file()), None)
        if root is None or not (root / ".dvc").is_dir():
            raise VersionError(f"{here}: is no project whose data DVC versions (dvc.yaml, .dvc/); go to your clone of DermaCare")
        project = cls(root)
        project.git("rev-parse", "--git-dir")
        return project

    def git(self, *arguments: str) -> str:
        """What git prints.

        Raises:
            VersionError: git refuses.
            MachineError: git is not installed.
        """
        try:
            done = subprocess.run(["git", "-C", str(self.root), *arguments], capture_output=True, text=True, check=False)
        except FileNotFoundError as error:
            raise MachineError("git is not installed; install it, the data's versions are git's commits") from error
        if done.returncode:
            said = (done.stderr.strip() or "no reason given").splitlines()[-1]
            raise VersionError(f"git {arguments[0]}: {said.removeprefix('fatal: ')}")
        return done.stdout

    @cached_property
    def repo(self) -> Any:
        """DVC's repository object.

        Raises:
            MachineError: DVC is not installed.
            VersionError: DVC cannot read the project.
        """
        try:
            from dvc.repo import Repo
        except ImportError as error:
            raise MachineError("DVC is not installed; pip install 'dermacare[orchestrate]'") from error
        with dvc_errors("reading the project"):
            return Repo(str(self.root))

    def reopen(self) -> None:
        """Have DVC read the project's files anew."""
        self.__dict__.pop("repo", None)

    @property
    def withdrawn(self) -> Withdrawn:
        """What was withdrawn from this project's data; a project without a list has never withdrawn any."""
        file = self.root / WITHDRAWN
        return read_withdrawn(file) if file.is_file() else Withdrawn()

    @property
    def tracked(self) -> list[Any]:
        """The outputs that dvc.lock (or a .dvc file) gives a digest, as DVC's objects."""
        return [out for out in self.repo.index.outs if out.hash_info and out.use_cache]

    @property
    def remotes(self) -> list[str]:
        """Names of all remotes that are configured."""
        return list(self.repo.config["remote"])

    @property
    def default_remote(self) -> str | None:
        """Name of the remote that is used, or None."""
        name = self.repo.config["core"].get("remote")
        return str(name) if name else None

    def url(self, remote: str) -> str:
        """Where a remote lies."""
        return str(self.repo.config["remote"][remote]["url"])

    def ensure_remote(self, home: Path) -> str:
        """The remote that is used; where none is configured, a folder of the home becomes it, in .dvc/config.local alone.

        Raises:
            VersionError: there are remotes, but none is the default.
        """
        if self.default_remote is None:
            if self.remotes:
                raise VersionError(
                    f".dvc/config: has remotes ({', '.join(self.remotes)}), none of them the default; dvc remote default NAME"
                )
            with dvc_errors("setting the remote"), self.repo.config.edit("local") as config:
                config["remote"][HOME_REMOTE] = {"url": str(home / "remote")}
                config["core"]["remote"] = HOME_REMOTE
        name = self.default_remote
        assert name is not None
        return name

    def push(self, remote: str) -> Sent:
        """Send what dvc.lock names and the remote lacks.

        Raises:
            VersionError: nothing is there to send, or it cannot be sent.
        """
        targets = self._targets("push")
        self._refuse_withdrawn()
        with dvc_errors(f"pushing to remote {remote} ({self.url(remote)})") as told:
            files = int(self.repo.push(targets=targets, remote=remote))
        if told.missing:  # DVC warns of it, and calls what it could not send done
            raise VersionError(f"{LOCK}: {_MISSING}")
        return Sent(files, remote, self.url(remote))

    def pull(self) -> Sent:
        """Fetch what dvc.lock names and put it under data/.

        Raises:
            VersionError: no remote is set, something is not there any more, or it cannot be fetched.
        """
        remote = self.default_remote
        if remote is None:
            raise VersionError(
                "no remote is set from which to pull; dvc remote add --default NAME URL, or --local for this clone alone"
            )
        targets = self._targets("pull")
        self._refuse_withdrawn()
        with dvc_errors(f"pulling from remote {remote} ({self.url(remote)})"):
            stats = self.repo.pull(targets=targets, remote=remote)["stats"]
        return Sent(int(stats["fetched"]), remote, self.url(remote))

    def _targets(self, purpose: str) -> list[str]:
        targets = [str(out.fspath) for out in self.tracked]
        if not targets:
            raise VersionError(f"{LOCK}: names no data yet, so there is nothing to {purpose}; `dvc repro` makes it")
        return targets

    def _refuse_withdrawn(self) -> None:
        """Say so, instead of DVC's list of missing files, where a version holds what was withdrawn."""
        for out in self.tracked:
            reason = self.why_gone(str(out.hash_info.value))
            if reason:
                raise VersionError(f"{out}: {reason}; check out a later commit, or make the data again with `dvc repro`")

    def why_gone(self, folder: str) -> str:
        """Why a folder of DVC's (its MD5, `….dir`) can be fetched no more: the withdrawal that took it; empty: none did."""
        row = next((row for row in self.withdrawn.rows if folder in row.folders), None)
        return f"data was withdrawn from this version on {row.when} ({row.kind} {row.id})" if row else ""

    def status(self) -> Status:
        """What is not committed and what is not pushed.

        Raises:
            VersionError: DVC or git cannot tell.
        """
        with dvc_errors("comparing data/ with dvc.lock"):
            stages = self.repo.status()
        locked = {str(out): self.why_gone(str(out.hash_info.value)) for out in self.tracked}
        unlocked: dict[str, str] = {}
        for changes in stages.values():
            for change in changes:
                if isinstance(change, dict):
                    outs = change.get("changed outs", {})
                    unlocked |= {path: locked[path] or state for path, state in outs.items() if path in locked}
        names = [name for name in (LOCK, WITHDRAWN, "params.yaml", "dvc.yaml") if (self.root / name).exists()]
        uncommitted = [line[3:] for line in self.git("status", "--porcelain", "--", *names).splitlines()]
        remote = self.default_remote
        if remote is None:
            return Status(unlocked, uncommitted, None, False, "")
        with dvc_errors(f"asking remote {remote} ({self.url(remote)})") as told:
            missing = self.repo.status(targets=[str(out.fspath) for out in self.tracked], cloud=True) if self.tracked else {}
        new = list(missing.values()).count("new")
        return Status(unlocked, uncommitted, new, told.missing, f"{remote} ({self.url(remote)})")


# Whose exceptions say that DVC, or the server behind a remote, refuses.
_THEIRS = frozenset({"dvc", "dvc_data", "dvc_objects", "botocore", "aiobotocore", "aiohttp", "s3fs"})
_MISSING = "names files that are neither in DVC's cache nor in the remote; whoever made them pushes them, or `dvc repro` makes them"


@contextmanager
def dvc_errors(purpose: str) -> Iterator["Told"]:
    """Turn DVC's errors, and what it logs of their causes, into one sentence; what it logs is not printed.

    Raises:
        VersionError: DVC or a remote refuses.
    """
    told = Told()
    loggers = [logging.getLogger(name) for name in ("dvc", "dvc_data", "dvc_objects")]
    before = [(logger, logger.handlers, logger.propagate) for logger in loggers]
    for logger in loggers:
        logger.handlers, logger.propagate = [told], False
    try:
        yield told
    except Exception as error:
        if not isinstance(error, OSError) and type(error).__module__.split(".")[0] not in _THEIRS:
            raise
        raise VersionError(f"{purpose} failed: {told.cause or _first_line(error)}") from error
    finally:
        for logger, handlers, propagate in before:
            logger.handlers, logger.propagate = handlers, propagate


class Told(logging.Handler):
    """Keeps what DVC logs of causes: its exceptions only count the files that failed.

    Attributes:
        missing: files were asked for that lie nowhere.
    """

    def __init__(self) -> None:
        super().__init__(logging.WARNING)
        self.missing = False
        self._first = ""

    def emit(self, record: logging.LogRecord) -> None:
        """Take a line of DVC's log."""
        if "neither locally nor on remote" in record.getMessage():
            self.missing = True
        elif record.levelno >= logging.ERROR and not self._first:
            error = record.exc_info[1] if record.exc_info else None
            self._first = f"{record.getMessage()}: {_first_line(error)}" if error else record.getMessage()

    @property
    def cause(self) -> str:
        """Why it failed, as far as the log tells; else empty."""
        return self._first or (f"{LOCK} {_MISSING}" if self.missing else "")


def _first_line(error: BaseException) -> str:
    return (str(error).strip() or type(error).__name__).splitlines()[0][:300]
