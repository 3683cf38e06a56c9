"""PostgreSQL for tests: a real server on loopback, with a password, that can be killed and started again."""

import contextlib
import os
import shutil
import subprocess
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.mlflow_server import free_port

_USER, _PASSWORD = "mlflow", "tester-password"
# What the server may lose in a power cut, a killed process does not: the tests kill processes.
_OPTIONS = ("fsync=off", "listen_addresses=127.0.0.1", "unix_socket_directories=", "max_connections=60")


class PostgreSQL:
    """A PostgreSQL server over a folder of its own.

    Args:
        programs: folder of `initdb` and `postgres`.
        folder: where it may write; belongs to the user under whom it runs.
    """

    def __init__(self, programs: Path, folder: Path) -> None:
        self._programs = programs
        self._folder = folder
        self._process: subprocess.Popen[bytes] | None = None
        self.port = free_port()
        password = folder / "password"
        password.write_text(_PASSWORD, encoding="ascii")
        if os.geteuid() == 0:  # PostgreSQL refuses root
            shutil.chown(folder, "nobody", "nogroup")
            shutil.chown(password, "nobody", "nogroup")
        options = ["-U", _USER, f"--pwfile={password}", "--auth=scram-sha-256", "--no-sync", "--encoding=UTF8"]
        subprocess.run(self._command("initdb", "-D", str(folder / "data"), *options), check=True, capture_output=True, cwd=folder)

    @property
    def environment(self) -> dict[str, str]:
        """The variables by which libpq finds the server."""
        return {"PGHOST": "127.0.0.1", "PGPORT": str(self.port), "PGUSER": _USER, "PGPASSWORD": _PASSWORD}

    def address(self, database: str) -> str:
        """A database's address for SQLAlchemy."""
        return f"postgresql+psycopg://{_USER}:{_PASSWORD}@127.0.0.1:{self.port}/{database}"

    def start(self) -> None:
        """Start it; it answers when this returns."""
        options = [part for option in _OPTIONS for part in ("-c", option)]
        with (self._folder / "log").open("ab") as log:
            command = self._command("postgres", "-D", str(self._folder / "data"), "-p", str(self.port), *options)
            self._process = subprocess.Popen(command, stdout=log, stderr=log, cwd=self._folder)
        for _ in range(300):
            with contextlib.suppress(OSError):
                self.query("postgres", "select 1")
                return
            time.sleep(0.1)
        raise TimeoutError(f"PostgreSQL does not answer: {(self._folder / 'log').read_text(errors='replace')[-2000:]}")

    def kill(self) -> None:
        """End it at once: connections break, and the next start recovers."""
        if self._process is not None:
            # The postmaster's death ends its children; SIGQUIT is PostgreSQL's own way to die without a clean end.
            self._process.send_signal(3)
            self._process.wait(30)
            self._process = None

    def query(self, database: str, query: str) -> list[tuple[object, ...]]:
        """Ask the database, without MLflow."""
        import psycopg

        try:
            where = {"host": "127.0.0.1", "port": self.port, "user": _USER, "password": _PASSWORD, "dbname": database}
            with psycopg.connect(**where, autocommit=True, connect_timeout=5) as connection:  # type: ignore[arg-type]
                cursor = connection.execute(query)  # type: ignore[call-overload]
                return list(cursor.fetchall()) if cursor.description else []
        except psycopg.OperationalError as error:
            raise ConnectionError(str(error)) from error

    def _command(self, program: str, *arguments: str) -> list[str]:
        user = ["setpriv", "--reuid=nobody", "--regid=nogroup", "--clear-groups"] if os.geteuid() == 0 else ["setpriv"]
        return [*user, "--pdeathsig=KILL", "--", str(self._programs / program), *arguments]


@contextlib.contextmanager
def postgresql() -> Iterator[PostgreSQL]:
    """Run PostgreSQL; it is gone when the block ends. Skips the test where it is not installed."""
    found = sorted(Path("/usr/lib/postgresql").glob("*/bin/postgres"), key=lambda path: float(path.parts[4]))
    if not found:
        pytest.skip("PostgreSQL is not installed: `apt-get install postgresql` (.ci/run does)")
    # Not below pytest's folders, which other users may not enter.
    with tempfile.TemporaryDirectory(prefix="dermacare-postgresql-") as folder:
        server = PostgreSQL(found[-1].parent, Path(folder))
        server.start()
        try:
            yield server
        finally:
            server.kill()
