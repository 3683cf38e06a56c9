"""SeaweedFS for tests: a real S3 server on loopback, with one user and one bucket that anybody may read."""

import contextlib
import ctypes
import json
import signal
import subprocess
import sys
import sysconfig
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from tests.mlflow_server import free_port, kill

PUBLIC_BUCKET = "isic-challenge-data"
"""Objects of this bucket can be read without credentials; it cannot be listed without, as a public bucket need not be."""

_KEY, _SECRET = "tester", "tester-secret"
_REGION = "us-east-1"
_PR_SET_PDEATHSIG = 1


@dataclass(frozen=True)
class S3Server:
    """A running S3 server.

    Attributes:
        endpoint: its address, `http://127.0.0.1:<port>`.
        port: of the S3 interface.
        log: what the server prints.
    """

    endpoint: str
    port: int
    log: Path

    @property
    def environment(self) -> dict[str, str]:
        """The variables by which AWS's libraries (boto3, s3fs, DVC) find credentials."""
        return {"AWS_ACCESS_KEY_ID": _KEY, "AWS_SECRET_ACCESS_KEY": _SECRET, "AWS_DEFAULT_REGION": _REGION}

    def client(self, *, retries: int = 4) -> Any:
        """A boto3 client that may do everything."""
        import boto3
        from botocore.config import Config

        return boto3.client(
            "s3",
            endpoint_url=self.endpoint,
            aws_access_key_id=_KEY,
            aws_secret_access_key=_SECRET,
            region_name=_REGION,
            config=Config(retries={"total_max_attempts": 1 + retries}),
        )

    def bucket(self, name: str) -> str:
        """Make a bucket, where it is not there yet; returns its name."""
        _make_bucket(self.client(), name)
        return name


@contextlib.contextmanager
def seaweedfs(folder: Path) -> Iterator[S3Server]:
    """Run SeaweedFS over an empty folder, or over one that it has run over, at the ports that it had there.

    It answers when the block begins and is gone when the block or this process ends.
    """
    ports = _ports(folder / "ports.json")
    config = folder / "s3.json"
    config.write_text(json.dumps(_identities()), encoding="utf-8")
    data = folder / "data"
    data.mkdir(exist_ok=True)
    options = [
        *("-ip=127.0.0.1", "-ip.bind=127.0.0.1", f"-dir={data}", "-s3", f"-s3.config={config}"),
        *("-s3.port.iceberg=0", "-s3.port.lance=0"),  # else two servers at once want the same ports
        *(f"-{name.partition('.')[0]}.port{name[len(name.partition('.')[0]) :]}={port}" for name, port in ports.items()),
        *("-volume.max=1000", "-master.volumeSizeLimitMB=256", "-master.volumePreallocate=false", "-master.telemetry=false"),
    ]
    log = folder / "weed.log"
    with log.open("ab") as output:
        process = subprocess.Popen(
            [str(Path(sysconfig.get_path("scripts")) / "weed"), f"-logdir={folder}", "server", *options],
            stdout=output,
            stderr=output,
            start_new_session=True,
            cwd=folder,
            preexec_fn=_end_with_parent,
        )
    try:
        server = S3Server(f"http://127.0.0.1:{ports['s3']}", ports["s3"], log)
        _wait(server, process)
        yield server
    finally:
        kill(process)


def _ports(kept: Path) -> dict[str, int]:
    if not kept.exists():
        ports = {name: free_port() for name in ("s3", "master", "volume", "filer")}
        ports |= {f"{name}.grpc": free_port() for name in tuple(ports)}
        kept.write_text(json.dumps(ports), encoding="utf-8")
    return dict(json.loads(kept.read_text(encoding="utf-8")))


def _make_bucket(client: Any, name: str) -> None:
    if name not in {bucket["Name"] for bucket in client.list_buckets()["Buckets"]}:
        client.create_bucket(Bucket=name)


def _identities() -> dict[str, object]:
    user = {
        "name": "tester",
        "credentials": [{"accessKey": _KEY, "secretKey": _SECRET}],
        "actions": ["Admin", "Read", "List", "Tagging", "Write"],
    }
    return {"identities": [user, {"name": "anonymous", "actions": [f"Read:{PUBLIC_BUCKET}"]}]}


def _end_with_parent() -> None:
    if sys.platform == "linux":
        ctypes.CDLL(None).prctl(_PR_SET_PDEATHSIG, signal.SIGKILL)


def _wait(server: S3Server, process: subprocess.Popen[bytes]) -> None:
    from botocore.exceptions import BotoCoreError, ClientError

    deadline = time.monotonic() + 60
    while time.monotonic() < deadline and process.poll() is None:
        # The interface answers before the store behind it does; then it must take an object.
        with contextlib.suppress(BotoCoreError, ClientError):
            client = server.client(retries=0)
            _make_bucket(client, PUBLIC_BUCKET)
            client.put_object(Bucket=PUBLIC_BUCKET, Key="ready", Body=b"ready")
            return
        time.sleep(0.1)
    raise TimeoutError(f"SeaweedFS does not answer: {server.log.read_text(encoding='utf-8', errors='replace')[-2000:]}")
