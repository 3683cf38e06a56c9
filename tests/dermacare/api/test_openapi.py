"""schemathesis over the whole OpenAPI document: whatever it says may be sent is answered, and as it says."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

from tests.dermacare_server import Server

HERE = Path(__file__).parent


@pytest.mark.slow
def test_schemathesis_finds_nothing(server: Server, tmp_path: Path) -> None:
    command = [str(Path(sys.executable).with_name("schemathesis")), "--config-file", str(HERE / "schemathesis.toml"), "run"]
    options = ["--max-examples", "40", "--seed", "3", "--workers", "1"]
    environment = {**os.environ, "SCHEMATHESIS_HOOKS": "tests.dermacare.api.schemathesis_hooks", "PYTHONPATH": str(HERE.parents[2])}
    ended = subprocess.run(
        [*command, f"{server.address}/api/v1/openapi.json", *options],
        env=environment,
        cwd=tmp_path,
        capture_output=True,
        text=True,
    )
    assert ended.returncode == 0, ended.stdout[-4000:]
    assert "8 selected / 8 total" in ended.stdout
