"""`dermacare serve` for tests: the real command in a process of its own, on loopback."""

import os
import re
import signal
import subprocess
import sys
import time
import urllib.error
import urllib.request
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from tests.environment import user_environment

_ADDRESS = re.compile(r"http://127\.0\.0\.1:\d+")
_READY_SECONDS = 120.0


@dataclass(frozen=True)
class Served:
    """A server that answers.

    Attributes:
        address: `http://127.0.0.1:PORT`.
        process: what answers there.
        log: all that it printed.
    """

    address: str
    process: subprocess.Popen[bytes]
    log: Path

    @property
    def port(self) -> int:
        """Where it listens."""
        return int(self.address.rpartition(":")[2])


@contextmanager
def served(
    home: Path, log: Path, *, port: int = 0, ready: bool = True, variables: Mapping[str, str] | None = None
) -> Iterator[Served]:
    """Run `dermacare serve` on a home; it answers when the block begins, and is gone when it ends.

    Args:
        home: $DERMACARE_HOME.
        log: file for what it prints.
        port: where it listens; 0: where nothing else does.
        ready: whether to wait until it can predict, not only until it answers.
        variables: of its environment, besides.
    """
    command = [sys.executable, "-m", "dermacare.cli", "serve", "--port", str(port)]
    with log.open("ab") as output:
        process = subprocess.Popen(
            command,
            env={**user_environment(home), "PYTHONUNBUFFERED": "1", **(variables or {})},
            stdout=output,
            stderr=output,
            start_new_session=True,
        )
    try:
        yield _started(process, log, "readyz" if ready else "healthz")
    finally:
        process.send_signal(signal.SIGINT)
        try:
            process.wait(30)
        except subprocess.TimeoutExpired:
            os.killpg(process.pid, signal.SIGKILL)
            process.wait()


def _started(process: subprocess.Popen[bytes], log: Path, path: str) -> Served:
    end = time.monotonic() + _READY_SECONDS
    while time.monotonic() < end and process.poll() is None:
        found = _ADDRESS.search(log.read_text())
        if found and _answers(f"{found[0]}/{path}"):
            return Served(found[0], process, log)
        time.sleep(0.1)
    raise AssertionError(f"dermacare serve does not answer: {log.read_text()}")


def _answers(address: str) -> bool:
    try:
        with urllib.request.urlopen(address, timeout=5) as answer:
            return bool(answer.status == 200)
    except (urllib.error.URLError, TimeoutError):
        return False
