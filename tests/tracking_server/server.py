"""The tracking server as a team runs it: `mlflow/serve` over PostgreSQL and S3, with the users that the documentation makes."""

import os
import re
import shutil
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path

import pytest

from tests.environment import user_environment
from tests.mlflow_server import free_port, kill, wait
from tests.postgresql import PostgreSQL
from tests.seaweedfs import S3Server

ROOT = Path(__file__).parents[2]
ADMIN = "root-of-tracking"
PASSWORDS = {ADMIN: "admin-password-1", "eva": "engineer-password-1", "pia": "promoter-password-1", "rob": "reviewer-password-1"}
"""User → password: an engineer, a promoter and a reviewer beside the admin."""


@dataclass
class TrackingServer:
    """A tracking server of its own: database, bucket and port stay when it is killed and started again."""

    folder: Path
    database: PostgreSQL
    s3: S3Server
    name: str
    promoters: str = "pia"
    port: int = field(default_factory=free_port)
    upstream: int = field(default_factory=free_port)
    _process: subprocess.Popen[bytes] | None = None

    @property
    def uri(self) -> str:
        """Its address."""
        return f"http://127.0.0.1:{self.port}"

    @property
    def log(self) -> Path:
        """What nginx and MLflow print."""
        return self.folder / "server.log"

    def start(self) -> None:
        """Start it; it answers when this returns."""
        with self.log.open("ab") as log:
            self._process = subprocess.Popen(
                [str(ROOT / "mlflow" / "serve")],
                stdout=log,
                stderr=log,
                env=self._environment(),
                start_new_session=True,
                cwd=self.folder,
            )
        try:
            wait(f"{self.uri}/health", 120)
        except TimeoutError as error:
            self.kill()
            raise TimeoutError(self.log.read_text(encoding="utf-8", errors="replace")[-3000:]) from error

    def end(self) -> subprocess.Popen[bytes]:
        """Tell it to end, as Kubernetes and systemd do; the process, to be waited for."""
        assert self._process is not None
        self._process.terminate()
        return self._process

    def kill(self) -> None:
        """End all of it at once, as a power cut would."""
        if self._process is not None:
            kill(self._process)
            self._process = None

    def credentials(self, user: str) -> dict[str, str]:
        """The variables by which MLflow's clients find the server and say who they are."""
        return {
            "MLFLOW_TRACKING_URI": self.uri,
            "MLFLOW_TRACKING_USERNAME": user,
            "MLFLOW_TRACKING_PASSWORD": PASSWORDS[user],
        }

    def python(self, user: str, code: str) -> subprocess.CompletedProcess[str]:
        """Run Python as a user, who has nothing but a name, a password and the address."""
        quiet = {"MLFLOW_SUPPRESS_PRINTING_URL_TO_STDOUT": "true"}
        environment = user_environment(self.folder / "home", **quiet, **self.credentials(user))
        return subprocess.run([sys.executable, "-c", code], env=environment, capture_output=True, text=True, cwd=self.folder)

    def make_users(self, ending: str = "") -> None:
        """Make roles and users, by the very lines that docs/tracking-server.md shows; `ending`: of the names, for more of them."""
        text = (ROOT / "docs" / "tracking-server.md").read_text(encoding="utf-8")
        code = next(block for block in re.findall(r"```python\n(.*?)```", text, re.DOTALL) if "create_role" in block)
        for user, password in PASSWORDS.items():
            code = code.replace(f'"password-of-{user}"', f'"{password}"').replace(f'"{user}"', f'"{user}{ending}"')
        done = self.python(ADMIN, code.replace("https://mlflow.example.org", self.uri))
        assert done.returncode == 0, done.stderr

    def _environment(self) -> dict[str, str]:
        path = f"{Path(sys.executable).parent}:{os.environ['PATH']}"
        own = {key: value for key, value in os.environ.items() if not key.startswith(("MLFLOW_", "PG", "AWS_"))}
        return {
            **own,
            **self.database.environment,
            **self.s3.environment,
            "PATH": path,
            "PGDATABASE": self.name,
            "MLFLOW_S3_ENDPOINT_URL": self.s3.endpoint,
            "MLFLOW_ARTIFACTS_DESTINATION": f"s3://{self.name}/runs",
            "MLFLOW_AUTH_ADMIN_USERNAME": ADMIN,
            "MLFLOW_AUTH_ADMIN_PASSWORD": PASSWORDS[ADMIN],
            "DERMACARE_PROMOTERS": self.promoters,
            "DERMACARE_LISTEN": f"127.0.0.1:{self.port}",
            "DERMACARE_UPSTREAM_PORT": str(self.upstream),
            "DERMACARE_WORKERS": "1",
        }


@contextmanager
def tracking_server(folder: Path, database: PostgreSQL, s3: S3Server, name: str) -> Iterator[TrackingServer]:
    """Run a tracking server with an empty database and bucket of that name, and with users; gone when the block ends."""
    if shutil.which("nginx") is None:
        pytest.skip("nginx is not installed: `apt-get install nginx-light` (.ci/run does)")
    database.query("postgres", f'create database "{name}"')
    server = TrackingServer(folder, database, s3, s3.bucket(name))
    server.start()
    try:
        server.make_users()
        yield server
    finally:
        server.kill()
