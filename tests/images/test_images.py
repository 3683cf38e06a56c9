"""What each image holds, and that it works as it is to be run."""

import json
import re
import shutil
import tomllib
from pathlib import Path

import httpx
import pytest

from pipelines.home import Home
from pipelines.images import CODE_LABEL, code, image
from tests.dermacare.api.conftest import _own_mlflow, fetched_home, kept_home, served
from tests.images.containers import Engine
from tests.mlflow_server import free_port, wait

__all__ = ["_own_mlflow", "fetched_home", "kept_home", "served"]

pytestmark = pytest.mark.images

ROOT = Path(__file__).parents[2]
PYTHON = "/opt/dermacare/bin/python"
OURS = ("steps", "train", "serve")
each = pytest.mark.parametrize("built", [*OURS, "mlflow"], indirect=True)
ours = pytest.mark.parametrize("built", OURS, indirect=True)


@each
def test_it_runs_as_a_fixed_user_who_is_not_root(built: str, engine: Engine) -> None:
    assert engine.client.images.get(built).attrs["Config"]["User"] == "10001"
    assert engine.run(built, ["id", "-u"]).strip() == "10001"


@each
def test_its_labels_say_what_it_is_made_of(built: str, engine: Engine) -> None:
    labels = engine.client.images.get(built).labels
    version = tomllib.loads((ROOT / "pyproject.toml").read_text("utf-8"))["project"]["version"]
    assert labels["org.opencontainers.image.version"] == version
    assert re.fullmatch(r"[0-9a-f]{40}(-dirty)?", labels["org.opencontainers.image.revision"])
    assert re.fullmatch(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\dZ", labels["org.opencontainers.image.created"])
    assert labels["org.opencontainers.image.licenses"] == "Apache-2.0"


@ours
def test_it_holds_this_code(built: str, engine: Engine) -> None:
    assert engine.client.images.get(built).labels[CODE_LABEL] == code()
    assert engine.run(built, [PYTHON, "-c", "from pipelines.images import code; print(code())"]).strip() == code()


@each
def test_its_sbom_names_what_it_holds(built: str, engine: Engine) -> None:
    bom = json.loads(engine.file(built, "/opt/dermacare/sbom.cdx.json"))
    assert (bom["bomFormat"], bom["specVersion"]) == ("CycloneDX", "1.6")
    named = {(part["name"], part["version"]) for part in bom["components"]}
    debian = {part["name"] for part in bom["components"] if part.get("purl", "").startswith("pkg:deb/debian/")}
    listed = "from importlib.metadata import distributions as d; print('\\n'.join(f'{x.name} {x.version}' for x in d()))"
    installed = {tuple(line.split()) for line in engine.run(built, [PYTHON, "-c", listed]).splitlines()}
    assert installed <= named
    assert {"python3", "libc6"} <= debian
    assert installed >= ({("mlflow", "3.17.2")} if "mlflow" in built else {("dermacare", "0.1.0")})


@each
def test_it_has_what_its_lock_names_and_nothing_to_build_or_install_with(built: str, engine: Engine) -> None:
    there = engine.run(built, ["sh", "-c", "for c in gcc cc make pip pip3 uv git curl; do command -v $c || true; done"])
    assert there == ""
    engine.fails(built, [PYTHON, "-m", "pip"])
    engine.fails(built, [PYTHON, "-m", "ensurepip", "--user"])


@ours
def test_only_its_home_and_its_folder_for_temporary_files_can_be_written(built: str, engine: Engine, tmp_path: Path) -> None:
    home = tmp_path / "home"
    home.mkdir(mode=0o777)
    home.chmod(0o777)
    engine.run(built, ["sh", "-c", "touch /var/lib/dermacare/x /tmp/x"], home=home)
    assert (home / "x").stat().st_uid == 10001
    told = engine.fails(built, ["sh", "-c", "touch /opt/dermacare/x || touch /x"], home=home)
    assert "Read-only file system" in told or "Permission denied" in told


@pytest.mark.parametrize("built", ["steps", "train"], indirect=True)
def test_the_steps_can_be_imported(built: str, engine: Engine) -> None:
    train = ", keras, tensorflow" if "train" in built else ""
    steps = "ingest, validate, preprocess, augment_balance, evaluate, register"
    imports = [f"import kfp.dsl.executor_main{train}", *(f"from components.{step} import {step}" for step in steps.split(", "))]
    engine.run(built, [PYTHON, "-c", "; ".join(imports)])


@pytest.mark.parametrize("built", ["serve"], indirect=True)
def test_the_web_app_brings_neither_tensorflow_nor_the_whole_mlflow(built: str, engine: Engine) -> None:
    heavy = ["tensorflow", "keras", "pandas", "pyarrow", "flask", "alembic", "sklearn", "matplotlib", "kfp"]
    found = f"from importlib.util import find_spec; print([name for name in {heavy} if find_spec(name)])"
    assert engine.run(built, [PYTHON, "-c", found]).strip() == "[]"
    told = engine.fails(built, ["dermacare", "run"])
    assert "pip install 'dermacare[steps,orchestrate,train]'" in told


@pytest.mark.parametrize("built", ["serve"], indirect=True)
def test_the_web_app_answers_with_the_models_of_its_home(built: str, engine: Engine, fetched_home: Home, tmp_path: Path) -> None:
    home = tmp_path / "home"
    shutil.copytree(fetched_home.root, home)
    for path in (home, *home.rglob("*")):
        path.chmod(0o777 if path.is_dir() else 0o666)
    port = free_port()
    with engine.running(built, ["serve", "--port", str(port)], home) as container:
        wait(f"http://127.0.0.1:{port}/readyz")
        with httpx.Client(base_url=f"http://127.0.0.1:{port}", timeout=60) as client:
            assert client.get("/").headers["content-type"].startswith("text/html")
            picture = client.get("/api/v1/classes/MEL/example").raise_for_status().content
            answer = client.post("/api/v1/predictions", files={"image": picture})
        container.stop(timeout=20)
        assert answer.status_code == 200, answer.text
        assert "Traceback" not in container.logs().decode()


def test_the_training_image_has_the_name_that_kubeflow_asks_for() -> None:
    assert image("dermacare-train").rpartition("/")[2].startswith("dermacare-train:")
