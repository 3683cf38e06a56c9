"""One retraining at a time: the second waits, or leaves and says who is at work.

$DERMACARE_HOME/retrain/lock          held while a process retrains; its death frees it
$DERMACARE_HOME/retrain/holder.json   who that is; touched twice a minute, for hosts that do not see each other's locks
"""

import json
import os
import socket
import sys
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import asdict, dataclass
from pathlib import Path

from components.errors import RunError, StoreError
from components.files import locked, write_text
from components.tracking import LEASE_SECONDS
from pipelines.home import Home

_BEAT = 30.0
_PAUSE = 1.0


@dataclass(frozen=True)
class Holder:
    """Who retrains: host, process, since when (seconds since 1970), and what was typed."""

    host: str
    pid: int
    since: float
    command: str

    @property
    def label(self) -> str:
        """As people are told."""
        return f"process {self.pid} on {self.host}, since {time.strftime('%H:%M:%S', time.localtime(self.since))}"


@contextmanager
def turn(home: Home, *, wait: bool, tell: Callable[[str], None]) -> Iterator[None]:
    """Hold the home's turn to retrain until the block ends.

    Args:
        home: whose turn.
        wait: wait for whoever has it.
        tell: is told once for whom.

    Raises:
        RunError: somebody else has it, and `wait` is False.
    """
    folder = home.root / "retrain"
    waited = False
    while True:
        try:
            with locked(folder / "lock", wait=False):
                holder = _elsewhere(folder)
                if holder is None:
                    with _held(folder):
                        yield
                    return
        except StoreError as error:
            if not isinstance(error.__cause__, BlockingIOError):
                raise
            holder = _read(folder)
        who = holder.label if holder else "another process"
        if not wait:
            raise RunError(f"{home.root}: {who} retrains here already; run it again later, or wait for it with --wait")
        if not waited:
            tell(f"waiting for {who}, which retrains here already")
            waited = True
        time.sleep(_PAUSE)


@contextmanager
def _held(folder: Path) -> Iterator[None]:
    path = folder / "holder.json"
    holder = Holder(socket.gethostname(), os.getpid(), time.time(), " ".join(sys.argv[1:]))
    write_text(path, json.dumps(asdict(holder)) + "\n")
    ending = threading.Event()

    def beat() -> None:
        while not ending.wait(_BEAT):
            path.touch()

    thread = threading.Thread(target=beat, daemon=True)
    thread.start()
    try:
        yield
    finally:
        ending.set()
        thread.join()
        path.unlink(missing_ok=True)


def _elsewhere(folder: Path) -> Holder | None:
    """Who retrains on another host, whose lock this one cannot see: a note that was touched lately."""
    holder = _read(folder)
    if holder is None or holder.host == socket.gethostname():
        return None
    return holder if time.time() - (folder / "holder.json").stat().st_mtime < LEASE_SECONDS else None


def _read(folder: Path) -> Holder | None:
    try:
        return Holder(**json.loads((folder / "holder.json").read_text(encoding="utf-8")))
    except FileNotFoundError:
        return None
