"""The whole pipeline in pods that share nothing but S3, MLflow and the ledger (simulated: subprocesses, no cluster)."""

import json
import shutil
import subprocess
import sys
from http.server import BaseHTTPRequestHandler, HTTPServer
from pathlib import Path
from threading import Thread
from typing import Any

import pytest

from components.dataset import Dataset
from tests.environment import user_environment
from tests.seaweedfs import S3Server

pytestmark = [pytest.mark.slow, pytest.mark.timeout(1800)]


class Pods:
    """Pods whose disks go with them: each call has a home of its own."""

    def __init__(self, server: S3Server, folder: Path) -> None:
        self.folder = folder
        self.variables = {
            **server.environment,
            "AWS_ENDPOINT_URL_S3": server.endpoint,
            "DERMACARE_STORE": f"s3://{server.bucket('pods')}/{folder.name}",
            "MLFLOW_TRACKING_URI": f"sqlite:///{folder}/mlflow.db",
            "DERMACARE_LEDGER": f"sqlite:///{folder}/ledger.db",
        }

    def __call__(self, name: str, *more: str, **variables: str) -> subprocess.CompletedProcess[str]:
        environment = user_environment(self.folder / name / "home", **self.variables, **variables)
        (self.folder / name).mkdir()
        command = [sys.executable, "-m", "tests.e2e.pods", str(self.folder / name), *more]
        project = Path(__file__).parents[2]
        return subprocess.run(command, env=environment, cwd=project, capture_output=True, text=True, check=False)

    def dataset(self, name: str) -> Dataset:
        (out,) = (self.folder / name / "home" / "steps" / "preprocess").glob("*/out")
        return Dataset(out)


def test_pods_hand_everything_on_and_what_is_done_outlives_their_disks(s3_server: S3Server, tmp_path: Path) -> None:
    pods = Pods(s3_server, tmp_path)
    first = pods("first")
    assert first.returncode == 0, first.stdout[-3000:] + first.stderr[-3000:]
    made = json.loads(first.stdout.splitlines()[-1])["made"]
    assert set(made.values()) == {"done"}
    assert {"ingest", "validate", "preprocess_shards", "preprocess", "register"} <= made.keys()
    assert len(list((tmp_path / "first/home/steps/preprocess_shards").glob("*/out"))) == 3
    version = pods.dataset("first").version
    shutil.rmtree(tmp_path / "first")

    second = pods("second")
    assert second.returncode == 0, second.stdout[-3000:] + second.stderr[-3000:]
    # Only what a step does here leaves a record here: all else came from the store.
    assert set(json.loads(second.stdout.splitlines()[-1])["made"]) == {"register"}
    assert pods.dataset("second").version == version
    shutil.rmtree(tmp_path / "second")

    nightly = pods("nightly", "nightly")
    assert nightly.returncode == 0, nightly.stdout[-3000:] + nightly.stderr[-3000:]
    assert set(json.loads(nightly.stdout.splitlines()[-1])["made"]) == {"register"}
    (page,) = (tmp_path / "nightly/home/steps/register").glob("*/out/REPORT.html")
    # What it knows of the data it knows from what it was made of, since its plan was drawn without.
    assert "The audit: " in page.read_text()
    assert "The data card" in page.read_text()


def test_a_failure_is_told_to_the_webhook(s3_server: S3Server, tmp_path: Path) -> None:
    told: list[dict[str, Any]] = []

    class Hook(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            told.append(json.loads(self.rfile.read(int(self.headers["Content-Length"]))))
            self.send_response(204)
            self.end_headers()

        def log_message(self, format: str, *args: object) -> None:  # noqa: A002
            """Nothing."""

    server = HTTPServer(("127.0.0.1", 0), Hook)
    Thread(target=server.serve_forever, daemon=True).start()
    try:
        failed = Pods(s3_server, tmp_path)("failed", "failing", DERMACARE_WEBHOOK=f"http://127.0.0.1:{server.server_address[1]}/x")
    finally:
        server.shutdown()
        server.server_close()
    assert failed.returncode != 0
    assert "withdrawn.csv: is not the list with which the run was planned" in failed.stdout + failed.stderr
    (message,) = told
    assert message["event"] == "failed"
