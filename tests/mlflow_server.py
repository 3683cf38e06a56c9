"""MLflow for tests: a database with its schema, copied instead of made, and a server of its own on loopback."""

import os
import shutil
import socket
import subprocess
import sys
import time
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from components.tracking import ENVIRONMENT, Ledger


def make_database(folder: Path) -> Path:
    """Make a database with MLflow's schema and nothing in it (seconds; copying it takes none)."""
    Ledger(f"sqlite:///{folder}/mlflow.db", "none").client.search_experiments()
    return folder / "mlflow.db"


def address(database: Path, folder: Path) -> str:
    """The address of a copy of a database, in a folder of its own."""
    folder.mkdir(parents=True, exist_ok=True)
    shutil.copyfile(database, folder / "mlflow.db")
    return f"sqlite:///{folder}/mlflow.db"


def free_port() -> int:
    """A port of loopback that nothing listens on."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


@contextmanager
def server(folder: Path, port: int) -> Iterator[subprocess.Popen[bytes]]:
    """Run `mlflow server` over a folder's database; it answers when the block begins and is gone when it ends."""
    command = [sys.executable, "-m", "mlflow", "server", "--host", "127.0.0.1", "--port", str(port), "--workers", "1"]
    stores = ["--backend-store-uri", f"sqlite:///{folder}/mlflow.db", "--artifacts-destination", str(folder / "files")]
    with (folder / "server.log").open("ab") as log:
        process = subprocess.Popen(
            [*command, *stores], stdout=log, stderr=log, env={**os.environ, **ENVIRONMENT}, start_new_session=True, cwd=folder
        )
    try:
        wait(f"http://127.0.0.1:{port}/health")
        yield process
    finally:
        kill(process)


def kill(process: subprocess.Popen[bytes]) -> None:
    """End a server and its workers at once, as a power cut would."""
    try:
        os.killpg(process.pid, 9)
    except ProcessLookupError:
        return
    process.wait(30)


def wait(address: str, seconds: float = 60) -> None:
    """Wait until an address answers."""
    end = time.monotonic() + seconds
    while time.monotonic() < end:
        try:
            with urllib.request.urlopen(address, timeout=2):
                return
        except OSError:
            time.sleep(0.2)
    raise TimeoutError(f"{address} does not answer")
