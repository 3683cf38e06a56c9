"""`dermacare serve` for tests: a process of its own on a free port of loopback, over a test's home."""

import os
import re
import signal
import subprocess
import sys
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import httpx

_READY_SECONDS = 60


@dataclass(frozen=True)
class Server:
    """A server that runs: its address, its process, and the file of what it prints."""

    address: str
    process: subprocess.Popen[bytes]
    log: Path

    @property
    def port(self) -> int:
        """Where it listens."""
        return int(self.address.rpartition(":")[2])

    def client(self, **options: object) -> httpx.Client:
        """A client of it; options as of httpx."""
        return httpx.Client(base_url=self.address, timeout=60, **options)

    def wait_until(self, path: str, status: int = 200) -> httpx.Response:
        """Ask until it answers so."""
        end = time.monotonic() + _READY_SECONDS
        last: object = None
        while time.monotonic() < end:
            try:
                last = httpx.get(self.address + path, timeout=5)
                if last.status_code == status:
                    return last
            except httpx.TransportError as error:
                last = error
            time.sleep(0.1)
        raise TimeoutError(f"{path}: {last}; {self.log.read_text()}")


@contextmanager
def serving(home: Path, *options: str, ready: bool = True, environment: Mapping[str, str] | None = None) -> Iterator[Server]:
    """Serve a home; with `ready` a release is loaded when the block begins. The process is gone when it ends."""
    log = home.parent / f"serve-{time.monotonic_ns()}.log"
    command = [sys.executable, "-m", "dermacare.cli", "serve", "--port", "0", *options]
    unwanted = {"MLFLOW_TRACKING_URI", "DERMACARE_LEDGER", "DERMACARE_PREDICTIONS", "DERMACARE_API_KEYS"}
    inherited = {key: value for key, value in os.environ.items() if key not in unwanted}
    variables = {**inherited, "DERMACARE_HOME": str(home), "PYTHONUNBUFFERED": "1", **(environment or {})}
    with log.open("wb") as printed:
        process = subprocess.Popen(command, stdout=printed, stderr=printed, env=variables, start_new_session=True)
    try:
        server = Server(_address(process, log), process, log)
        server.wait_until("/readyz" if ready else "/healthz")
        yield server
    finally:
        end(process)


def end(process: subprocess.Popen[bytes]) -> None:
    """Ctrl-C; where that does not help within seconds, as a power cut would."""
    process.send_signal(signal.SIGINT)
    try:
        process.wait(20)
    except subprocess.TimeoutExpired:
        os.killpg(process.pid, signal.SIGKILL)
        process.wait(20)
        raise


def _address(process: subprocess.Popen[bytes], log: Path) -> str:
    """What it prints first."""
    deadline = time.monotonic() + _READY_SECONDS
    while time.monotonic() < deadline and process.poll() is None:
        match = re.search(r"DermaCare: (http://\S+)", log.read_text())
        if match:
            return match[1]
        time.sleep(0.05)
    raise TimeoutError(f"dermacare serve did not start: {log.read_text()}")
