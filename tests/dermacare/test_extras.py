"""A command says which extra of the package it lacks."""

import subprocess
import sys
from pathlib import Path

import pytest

from dermacare.extras import lacking
from tests.environment import user_environment

# A stand-in for a machine on which packages are not installed: Python looks for them and finds nothing.
_ABSENT = """
import sys
from importlib.abc import MetaPathFinder

class Absent(MetaPathFinder):
    def find_spec(self, name, path=None, target=None):
        if name.partition(".")[0] in {names!r}:
            raise ModuleNotFoundError(f"No module named {{name!r}}", name=name)

import importlib.util
found = importlib.util.find_spec
importlib.util.find_spec = lambda name: None if name in {names!r} else found(name)
sys.meta_path.insert(0, Absent())
sys.argv = ["dermacare", *{arguments!r}]
from dermacare.cli import main
main()
"""


@pytest.mark.parametrize(
    ("absent", "arguments", "told"),
    [
        (["tensorflow", "keras"], ["run"], "keras, tensorflow: not installed; pip install 'dermacare[train]'"),
        (["kfp", "pandas"], ["run"], "pandas, kfp: not installed; pip install 'dermacare[steps,orchestrate]'"),
        (["fastapi"], ["serve"], "fastapi: not installed; pip install 'dermacare[serve]'"),
        (["kfp"], ["compile", "--output", "x.yaml"], "kfp: not installed; pip install 'dermacare[orchestrate]'"),
    ],
)
def test_a_command_names_the_extra_that_it_lacks(absent: list[str], arguments: list[str], told: str, tmp_path: Path) -> None:
    code = _ABSENT.format(names=absent, arguments=arguments)
    out = subprocess.run(
        [sys.executable, "-c", code],
        env=user_environment(tmp_path / "home"),
        cwd=tmp_path,
        capture_output=True,
        text=True,
        check=False,
    )
    assert out.returncode == 1
    assert out.stderr.strip() == f"error: {told}"


def test_what_belongs_to_no_extra_is_a_fault_of_ours() -> None:
    assert lacking(ModuleNotFoundError("No module named 'nosuch'", name="nosuch")) is None
