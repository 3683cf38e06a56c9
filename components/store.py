"""The step store: a step's key, its work folder and its output.

    $DERMACARE_HOME/steps/<step>/<key>/work      what a killed attempt left, and goes on from
    $DERMACARE_HOME/steps/<step>/<key>/out       the whole output; it appears by one rename
    $DERMACARE_HOME/steps/<step>/<key>/record.json   when, how long, by which run
    $DERMACARE_HOME/steps/<step>/<key>/lock      held while a process works here

A key is the digest of all that decides an output: the step's parameters, the keys of its inputs, the code it runs, the lock
of its dependencies. The same key is the same work, whoever asks: Kubeflow, DVC or a shell. Where there is a remote store
(`components/remote_store.py`), as on a cluster, whose pods come and go, a key's output and work are looked for there too, and sent.
"""

import ast
import json
import shutil
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import suppress
from dataclasses import dataclass
from enum import StrEnum
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple

from components.errors import StoreError
from components.files import copy_file, link_file, locked, sha256_bytes, sha256_file, write_text
from components.params import Section
from components.project import project_file

if TYPE_CHECKING:
    from components.remote_store import RemoteStore

_PACKAGE = Path(__file__).resolve().parent


class Outcome(StrEnum):
    """How a step came by its output."""

    DONE = "done"
    REUSED = "reused"
    RESUMED = "resumed"


@cache
def code_digest(step: str) -> str:
    """Digest of the sources that a step runs: its package, all of ours that it imports, their templates, and the lock of its
    dependencies."""
    package = _PACKAGE / step
    waiting = sorted(package.rglob("*.py"))
    seen: set[Path] = set()
    while waiting:
        file = waiting.pop()
        if file not in seen:
            seen.add(file)
            waiting += _imported_files(file)
    seen |= {template for folder in {file.parent for file in seen} for template in folder.glob("templates/*")}
    parts = [(file.relative_to(_PACKAGE).as_posix(), sha256_file(file)) for file in sorted(seen)]
    lock = project_file("requirements.lock")
    return sha256_bytes(json.dumps([parts, sha256_file(lock)]).encode())[:20]


@cache
def _imported_files(file: Path) -> list[Path]:
    names: list[str] = []
    for node in _statements(ast.parse(file.read_text(encoding="utf-8"))):
        if isinstance(node, ast.ImportFrom) and node.module and node.level == 0:
            names += [node.module, *(f"{node.module}.{alias.name}" for alias in node.names)]
        elif isinstance(node, ast.Import):
            names += [alias.name for alias in node.names]
    found: list[Path] = []
    for name in names:
        if name.split(".")[0] == _PACKAGE.name:
            base = _PACKAGE.parent.joinpath(*name.split("."))
            found += [path for path in (base.with_suffix(".py"), base / "__init__.py") if path.is_file()]
    return found


def _statements(node: ast.AST) -> Iterator[ast.AST]:
    """The statements below a node, at any depth; expressions, of which there are far more, hold none."""
    for field in ("body", "handlers", "orelse", "finalbody", "cases"):
        below = getattr(node, field, ())
        for child in below if isinstance(below, list) else ():
            yield child
            yield from _statements(child)


def step_key(step: str, params: Section, inputs: Mapping[str, str], *, code: str, salt: str = "") -> str:
    """Key of a step's work: 20 hexadecimal digits.

    Args:
        step: the step's name.
        params: its own section.
        inputs: name of each input → key of the step that made it.
        code: `code_digest(step)`.
        salt: what else decides the output: the digest of the source files for ingest, the run for register.
    """
    parts = [step, params.model_dump(mode="json"), dict(sorted(inputs.items())), code, salt]
    return sha256_bytes(json.dumps(parts, sort_keys=True).encode())[:20]


class Origin(NamedTuple):
    """What made an output; `step.json` beside it.

    Attributes:
        step: the step, with the model's name for training.
        key: of its work.
        code: digest of the code that ran.
        made_from: each step (and model) of which an output went into this one, or into what went into it → key of its work.
    """

    step: str
    key: str
    code: str
    made_from: Mapping[str, str] = {}

    @property
    def steps(self) -> dict[str, str]:
        """Each step of which an output is in this one, itself among them → key of its work."""
        return {**self.made_from, self.step: self.key}


def made_by(out: Path) -> Origin:
    """What made an output folder, wherever the folder was copied to.

    Raises:
        StoreError: the folder is no step's output.
    """
    try:
        origin = json.loads((out / "step.json").read_text(encoding="utf-8"))
        # Outputs of version 0.1.0 do not say which code made them, so nothing is taken over from them; nor what they are made from.
        return Origin(origin["step"], origin["key"], origin.get("code", ""), origin.get("made_from", {}))
    except (OSError, ValueError, KeyError) as error:
        raise StoreError(f"{out}/step.json: cannot be read; {out} is not the whole output of a step, make it again") from error


def note_origin(out: Path, origin: Origin) -> None:
    """Write down what made an output folder."""
    write_text(out / "step.json", json.dumps(origin._asdict()) + "\n")


@dataclass(frozen=True)
class Finished:
    """A step's output and how it came about."""

    out: Path
    outcome: Outcome
    seconds: float


class Store:
    """The step store below a home folder.

    Args:
        home: the folder.
        remote: where outputs and work are looked for besides, and sent to; None: nowhere.
    """

    def __init__(self, home: Path, remote: "RemoteStore | None" = None) -> None:
        self.root = home / "steps"
        self._remote = remote

    def place(self, step: str, key: str) -> Path:
        """Folder of a step's work of this key; a model's name after a slash does not count: the key knows it."""
        return self.root / step.partition("/")[0] / key

    def out(self, step: str, key: str) -> Path:
        """Where the output lies, or will lie."""
        return self.place(step, key) / "out"

    def has(self, step: str, key: str) -> bool:
        """Whether the output is there (then it is whole)."""
        return self.out(step, key).is_dir()

    def begun(self, step: str, key: str) -> bool:
        """Whether an earlier attempt left something to go on from."""
        work = self.place(step, key) / "work"
        return work.is_dir() and any(work.iterdir())

    def execute(
        self,
        step: str,
        key: str,
        function: Callable[[Path], None],
        *,
        code: str = "",
        made_from: Mapping[str, str] | None = None,
        run: str = "",
    ) -> Finished:
        """Give the output of this key: the one that is there, or the one that `function(work)` makes.

        Args:
            step: the step's name, with the model's for training: `train_classifier/resnet50`.
            key: see `step_key`.
            function: does the step's work in the folder that it is given; it goes on from what lies there.
            code: digest of the code that runs, by which later work knows what it may take over (`earlier`).
            made_from: see `Origin`; None: nothing is told of it.
            run: id of the run that asks, for the record.

        Raises:
            StoreError: the store cannot be written.
        """
        place = self.place(step, key)
        with locked(place / "lock"):
            if self.has(step, key) or self._fetched(step, key):
                return Finished(self.out(step, key), Outcome.REUSED, 0.0)
            outcome = Outcome.RESUMED if self.begun(step, key) else Outcome.DONE
            work = place / "work"
            work.mkdir(exist_ok=True)
            _remove_parts(work)

            def do() -> dict[str, Any]:
                start = time.monotonic()
                function(work)
                seconds = time.monotonic() - start
                note_origin(work, Origin(step, key, code, made_from or {}))
                record = {"seconds": round(seconds, 2), "finished": time.time(), "run": run, "outcome": outcome}
                write_text(place / "record.json", json.dumps(record, indent=1) + "\n")
                return record

            record = do() if self._remote is None else self._do_and_send(step, key, do)
            if not self.has(step, key):
                work.rename(self.out(step, key))
        return Finished(self.out(step, key), outcome, record["seconds"])

    def _fetched(self, step: str, key: str) -> bool:
        """Bring what the remote store has of a key: its output (True), else what a killed attempt left."""
        if self._remote is None:
            return False
        if self._remote.take_out(step, key, self.out(step, key)):
            return True
        if not self.begun(step, key):
            self._remote.take_work(step, key, self.place(step, key) / "work")
        return False

    def _do_and_send(self, step: str, key: str, do: Callable[[], dict[str, Any]]) -> dict[str, Any]:
        """Do a step's work and send it as it goes on, and its output; where another was first, its output takes the place."""
        assert self._remote is not None
        work = self.place(step, key) / "work"
        with self._remote.keeping(step, key, work) as keeper:
            record = do()
        if not keeper.finish(record) and self._remote.take_out(step, key, self.out(step, key)):
            shutil.rmtree(work)
        return record

    def earlier(self, step: str, code: str) -> list[Path]:
        """Whole outputs that the same step made by the same code, newest first: what is named by its content there, a step may
        take over by a link instead of making it again."""
        outs = [out for out in self.root.glob(f"{step.partition('/')[0]}/*/out") if made_by(out).code == code]
        return sorted(outs, key=lambda out: out.stat().st_mtime, reverse=True)

    def outs(self, step: str) -> list[Path]:
        """Whole outputs of a step, newest first."""
        outs = [self.out(step, key) for name, key in self.entries() if name == step and self.has(name, key)]
        return sorted(outs, key=lambda out: out.stat().st_mtime, reverse=True)

    def bring(self, step: str, key: str) -> Path:
        """The output, fetched where only the remote store has it; it may not be there at all."""
        if self._remote is not None and not self.has(step, key):
            self._remote.take_out(step, key, self.out(step, key))
        return self.out(step, key)

    def told(self, step: str, key: str) -> Path:
        """The output, or what the remote store has of it besides shards: reports, tables, figures; it may not be there at all."""
        if self._remote is None or self.has(step, key):
            return self.out(step, key)
        told = self.place(step, key) / "told"
        if not told.is_dir():
            self._remote.take_out(step, key, told, but="shards")
        return told

    def record(self, step: str, key: str) -> dict[str, object]:
        """When, how long and by which run a step's output was made; empty where there is none."""
        file = self.place(step, key) / "record.json"
        if not file.is_file():
            return {} if self._remote is None else self._remote.record(step, key)
        record: dict[str, object] = json.loads(file.read_text(encoding="utf-8"))
        return record

    def entries(self) -> Iterator[tuple[str, str]]:
        """All (step, key) that lie in the store."""
        for place in sorted(self.root.glob("*/*")):
            if place.is_dir():
                yield place.parent.name, place.name

    def size(self, step: str, key: str) -> int:
        """Bytes below a step's folder of this key; a file with several names counts its share."""
        files = (path.lstat() for path in self.place(step, key).rglob("*") if path.is_file())
        return sum(stat.st_size // stat.st_nlink for stat in files)

    def delete(self, step: str, key: str) -> None:
        """Remove a step's folder of this key.

        Raises:
            StoreError: a process is at work in it.
        """
        place = self.place(step, key)
        with locked(place / "lock", wait=False):
            # The output goes first and by one rename, so that no half of it is ever taken for whole.
            if self.has(step, key):
                if (place / "deleted").exists():  # a deletion was killed, and the step ran again since
                    shutil.rmtree(place / "deleted")
                (place / "out").rename(place / "deleted")
            for path in place.iterdir():
                if path.name != "lock":
                    shutil.rmtree(path) if path.is_dir() and not path.is_symlink() else path.unlink()
            (place / "lock").unlink()
            with suppress(OSError):  # another process makes its lock there already
                place.rmdir()


def _remove_parts(work: Path) -> None:
    """Remove files that a killed attempt was still writing."""
    for part in work.rglob(".*.part"):
        part.unlink()


def copy_tree(source: Path, target: Path) -> None:
    """Put the files of a folder under another, as copies; whatever lies under `target` is replaced.

    For folders that DVC keeps, out of the store and into it: DVC makes a file that it caches read-only, and may put a link to its
    cache in the file's place (`cache.type`). A hard link would do that to the store's file, or take DVC's link into the store.
    """
    _replace_tree(source, target, copy_file)


def link_tree(source: Path, target: Path) -> None:
    """Put the files of a folder under another, as hard links where the file system allows, else as copies.

    Whatever lies under `target` is replaced. The store's files never change, so a link is as good as a copy where nobody changes
    files in place: in Kubeflow's folders and in MLflow's. DVC's are not such: see `copy_tree`.
    """
    _replace_tree(source, target, link_file)


def _replace_tree(source: Path, target: Path, copy: Callable[[str, str], None]) -> None:
    if target.exists():
        shutil.rmtree(target)
    target.parent.mkdir(parents=True, exist_ok=True)
    shutil.copytree(source, target, copy_function=copy)
