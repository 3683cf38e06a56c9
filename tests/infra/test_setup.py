"""`make setup` and `make setup-gpu`, with stand-ins for Python and uv: what is installed, in which order, and when."""

import os
import shutil
import subprocess
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
LOCK, GPU_LOCK = "requirements.lock", "infra/images/train-gpu.lock"


@pytest.fixture
def clone(tmp_path: Path) -> Path:
    """The Makefile, what its rules read, and programs that write down how they are called."""
    shutil.copy(ROOT / "Makefile", tmp_path)
    for name in (LOCK, GPU_LOCK, "requirements-uv.lock", "mlflow/requirements.lock", "pyproject.toml"):
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / name).touch()
    for name in ("python", "uv"):
        program = tmp_path / ".venv" / "bin" / name
        program.parent.mkdir(parents=True, exist_ok=True)
        program.write_text(f'#!/bin/sh\necho "{name} $*" >> calls\n')
        program.chmod(0o755)
    return tmp_path


def calls(clone: Path, target: str) -> list[str]:
    """How uv is called for a target of make."""
    (clone / "calls").write_text("")
    command = ["make", target, f"PYTHON={clone}/.venv/bin/python"]
    subprocess.run(command, cwd=clone, env={"PATH": os.environ["PATH"]}, check=True, capture_output=True)
    return [line for line in (clone / "calls").read_text().splitlines() if line.startswith("uv pip ")]


def change(clone: Path, name: str, *, since: str) -> None:
    """Make a file newer than another; the clock of a file system may stand still for longer than that takes."""
    moment = (clone / since).stat().st_mtime_ns + 1
    os.utime(clone / name, ns=(moment, moment))


def test_the_processor_s_tensorflow_stays_where_nobody_asked_for_the_gpu_s(clone: Path) -> None:
    assert not [call for call in calls(clone, "setup") if "tensorflow" in call]
    assert calls(clone, "setup") == []


def test_the_gpu_s_tensorflow_is_put_in_whole_and_again_after_each_installation_of_the_lock(clone: Path) -> None:
    *_, uninstall, install = calls(clone, "setup-gpu")
    assert uninstall.startswith("uv pip uninstall ")
    assert uninstall.endswith(" tensorflow-cpu")
    assert "--reinstall-package tensorflow " in install
    assert install.endswith(f"-r {GPU_LOCK}")
    assert calls(clone, "setup-gpu") == calls(clone, "setup") == []
    change(clone, LOCK, since=".venv/.installed")  # as `git pull` does
    again = calls(clone, "setup")
    assert any(call.endswith(f"-r {LOCK}") for call in again[:-2])
    assert again[-2:] == [uninstall, install]
    change(clone, GPU_LOCK, since=".venv/.gpu")
    assert calls(clone, "setup") == [uninstall, install]
