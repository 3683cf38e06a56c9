"""The folder `mlflow/`: what it must not hold, what its script refuses to start without, whether its locks agree."""

import os
import re
import shutil
import subprocess
from pathlib import Path

import pytest

from tests.mlflow_server import free_port
from tests.tracking_server.server import ROOT

FOLDER = ROOT / "mlflow"
SETTINGS = {
    "PGHOST": "127.0.0.1",
    "PGUSER": "mlflow",
    "PGDATABASE": "mlflow",
    "MLFLOW_ARTIFACTS_DESTINATION": "s3://bucket/runs",
    "MLFLOW_AUTH_ADMIN_USERNAME": "admin",
    "DERMACARE_PROMOTERS": "pia",
}


def serve(settings: dict[str, str]) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [str(FOLDER / "serve")], env={"PATH": os.environ["PATH"], **settings}, capture_output=True, text=True, timeout=30
    )


@pytest.mark.parametrize("missing", SETTINGS)
def test_it_does_not_start_without_a_setting_and_names_it(missing: str) -> None:
    done = serve({name: value for name, value in SETTINGS.items() if name != missing})
    assert done.returncode != 0
    assert f"{missing}: is not set: " in done.stderr


@pytest.mark.parametrize("name", ['pia" 1; "~.*', "pia;", "~.*", "$remote_user"])
def test_a_promoter_whose_name_would_be_a_pattern_is_refused(name: str) -> None:
    done = serve(SETTINGS | {"DERMACARE_PROMOTERS": name})
    assert done.returncode == 2
    assert "is no user name" in done.stderr


def test_a_folder_of_that_name_shadows_no_package() -> None:
    assert not list(FOLDER.rglob("*.py"))


def test_nginx_can_read_its_configuration(tmp_path: Path) -> None:
    if shutil.which("nginx") is None:
        pytest.skip("nginx is not installed: `apt-get install nginx-light` (.ci/run does)")
    for name in ("nginx.conf", "routes.conf"):
        shutil.copy(FOLDER / name, tmp_path)
    (tmp_path / "promoters.map").write_text('"~^pia$" 1;\n')
    (tmp_path / "upstream.conf").write_text("upstream mlflow { server 127.0.0.1:9; }\n")
    (tmp_path / "listen.conf").write_text(f"listen 127.0.0.1:{free_port()};\n")
    command = ["nginx", "-t", "-p", str(tmp_path), "-c", str(tmp_path / "nginx.conf")]
    done = subprocess.run(command, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr


def test_the_servers_lock_has_the_versions_of_the_projects() -> None:
    def versions(file: Path) -> set[tuple[str, str]]:
        return set(re.findall(r"^([a-z0-9._-]+)==(\S+)", file.read_text(encoding="utf-8"), re.MULTILINE))

    ours, servers = versions(ROOT / "requirements.lock"), versions(FOLDER / "requirements.lock")
    both = {name for name, _ in ours} & {name for name, _ in servers}
    assert "mlflow" in both
    assert {pair for pair in servers if pair[0] in both} <= ours
