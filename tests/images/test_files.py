"""What the images are built from and the compose file, as far as they can be judged by reading them."""

import re
import stat
from importlib.metadata import version
from pathlib import Path
from typing import Any

import pytest
import yaml

ROOT = Path(__file__).parents[2]
IMAGES = ROOT / "infra" / "images"
LOCKS = sorted(IMAGES.glob("*.lock"))
SERVICES: dict[str, dict[str, Any]] = yaml.safe_load((ROOT / "infra" / "compose.yaml").read_text("utf-8"))["services"]
each_lock = pytest.mark.parametrize("lock", LOCKS, ids=lambda lock: lock.stem)
each_service = pytest.mark.parametrize("name", SERVICES)


def pins(lock: Path) -> dict[str, set[str]]:
    """Package → the versions that a lock names; several, where they depend on Python's."""
    found: dict[str, set[str]] = {}
    for name, pinned in re.findall(r"^([a-z0-9._-]+)==([^ \\;]+)", lock.read_text("utf-8"), re.MULTILINE):
        found.setdefault(name, set()).add(pinned)
    return found


@each_lock
def test_a_lock_of_an_image_has_the_versions_of_the_environment(lock: Path) -> None:
    environment = pins(ROOT / "requirements.lock")
    own = pins(lock)
    assert own
    assert {name: own[name] for name in own if not own[name] <= environment.get(name, own[name])} == {}


def test_the_web_app_installs_neither_tensorflow_nor_the_whole_mlflow() -> None:
    heavy = {"tensorflow", "tensorflow-cpu", "keras", "mlflow", "pandas", "pyarrow", "scikit-learn"}
    assert heavy.isdisjoint(pins(IMAGES / "serve.lock"))


def test_one_tensorflow_is_installed_where_training_runs() -> None:
    found = {name: {"tensorflow", "tensorflow-cpu"} & pins(IMAGES / f"{name}.lock").keys() for name in ("train", "train-gpu")}
    assert found == {"train": {"tensorflow-cpu"}, "train-gpu": {"tensorflow"}}


@pytest.mark.parametrize("file", [*IMAGES.glob("*.Dockerfile")], ids=lambda file: file.stem)
def test_no_base_image_floats(file: Path) -> None:
    names = set(re.findall(r"^FROM (\S+)", file.read_text("utf-8"), re.MULTILINE))
    assert names <= {"debian:12.12-slim", "base", "build", "packages", "$PACKAGES"}


def test_scripts_can_be_run() -> None:
    scripts = [file for file in (*IMAGES.iterdir(), *(ROOT / "infra/compose").iterdir()) if file.read_bytes().startswith(b"#!")]
    assert len(scripts) >= 6
    assert all(file.stat().st_mode & stat.S_IXUSR for file in scripts)


@each_service
def test_a_service_is_bounded_and_cannot_change_itself(name: str) -> None:
    service = SERVICES[name]
    assert service["read_only"]
    assert service["cap_drop"] == ["ALL"]
    assert service["security_opt"] == ["no-new-privileges"]
    assert {"mem_limit", "pids_limit", "restart"} <= service.keys()


@each_service
def test_a_service_is_of_a_fixed_version_and_on_loopback(name: str) -> None:
    service = SERVICES[name]
    _, _, tag = service["image"].rpartition(":")
    assert re.match(r"\d+\.\d+", tag)
    assert "dermacare-" not in service["image"] or tag == version("dermacare")
    assert all(port.startswith("127.0.0.1:") for port in service.get("ports", []))


@each_service
def test_a_service_says_whether_it_is_well(name: str) -> None:
    assert "healthcheck" in SERVICES[name] or SERVICES[name]["restart"] == "on-failure"


@each_service
def test_secrets_are_files(name: str) -> None:
    for variable, value in SERVICES[name].get("environment", {}).items():
        if re.search("PASSWORD|SECRET|API_KEYS", variable):
            assert value.startswith("/run/secrets/"), variable
            assert value.removeprefix("/run/secrets/") in SERVICES[name]["secrets"]
