"""`dermacare ui`, the command itself: MLflow's pages answer, and what runs commands does not; or it says where a server's are."""

import re
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import httpx
import pytest

from tests.environment import user_environment
from tests.mlflow_server import free_port, kill, wait


@pytest.fixture
def ui(mlflow_uri: str, tmp_path: Path) -> Iterator[httpx.Client]:
    port = free_port()
    command = [sys.executable, "-m", "dermacare.cli", "ui", "--port", str(port)]
    with (tmp_path / "ui.log").open("wb") as log:
        process = subprocess.Popen(
            command, stdout=log, stderr=log, env=user_environment(tmp_path / "home"), start_new_session=True, cwd=tmp_path
        )
    try:
        wait(f"http://127.0.0.1:{port}/health")
        with httpx.Client(base_url=f"http://127.0.0.1:{port}") as client:
            yield client
    finally:
        kill(process)


def test_the_pages_and_runs_are_there_and_nobody_runs_commands_by_the_assistant_or_calls_other_services(ui: httpx.Client) -> None:
    assert "<title>MLflow</title>" in ui.get("/").text
    found = ui.post("/ajax-api/2.0/mlflow/experiments/search", json={"max_results": 5})
    assert [one["name"] for one in found.json()["experiments"]] == ["Default"]
    code = (
        "from mlflow.server.assistant.api import assistant_router as found\nfor one in found.routes: print(*one.methods, one.path)"
    )
    offered = subprocess.run([sys.executable, "-c", code], check=True, capture_output=True, text=True).stdout.splitlines()
    assert len(offered) > 5
    for method, path in (line.split() for line in offered):
        answer = ui.request(method, re.sub(r"{\w+}", "x", path))
        assert answer.status_code in (404, 405), (method, path)
    assert ui.get("/ajax-api/3.0/mlflow/gateway/endpoints/list").status_code != 200


def test_where_a_server_has_the_runs_its_address_is_told_without_the_password(tmp_path: Path) -> None:
    environment = user_environment(tmp_path / "home", MLFLOW_TRACKING_URI="https://eva:secret@mlflow.example.org")
    command = [sys.executable, "-m", "dermacare.cli", "ui"]
    done = subprocess.run(command, env=environment, capture_output=True, text=True, cwd=tmp_path, timeout=60)
    assert done.returncode == 0, done.stderr
    assert done.stdout.startswith("MLflow: https://mlflow.example.org (")
    assert "secret" not in done.stdout + done.stderr
