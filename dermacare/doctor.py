"""`dermacare doctor`: what this machine has and lacks."""

import os
import shutil
import sys
from collections.abc import Iterator
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path

import psutil
from rich.table import Table

from components import nvidia
from components.cores import usable_cores
from components.errors import MachineError
from dermacare.console import console, size
from dermacare.extras import require
from pipelines.home import Home

_PACKAGES = ("numpy", "pandas", "opencv-python-headless", "great-expectations", "keras", "onnxruntime", "mlflow", "kfp", "dvc")

Finding = tuple[str, str, str, bool]  # what, found, advice, whether the pipeline needs it


def examine() -> int:
    """Print a table of findings; returns 1 where something that the pipeline needs is missing, else 0."""
    table = Table("what", "found", "what to do")
    missing = 0
    for what, found, advice, needed in _findings():
        mark = "" if not advice else ("[red]✗[/red] " if needed else "[yellow]![/yellow] ")
        missing += bool(advice and needed)
        table.add_row(what, mark + found, advice)
    console.print(table)
    console.print("something that the pipeline needs is missing" if missing else "this machine can run the pipeline")
    return 1 if missing else 0


def _findings() -> Iterator[Finding]:
    fits = (3, 11) <= sys.version_info[:2] <= (3, 13)
    yield "Python", sys.version.split()[0], "" if fits else "install Python 3.11 to 3.13 and run `make run` again", True
    for package in _PACKAGES:
        try:
            yield package, version(package), "", True
        except PackageNotFoundError:
            yield package, "absent", "run `make setup`", True
    yield _tensorflow()
    yield _gpu()
    home = Home.here().root
    place = next(folder for folder in (home, *home.parents) if folder.exists())
    yield "state", str(home), "" if os.access(place, os.W_OK) else f"make {place} writable, or set DERMACARE_HOME", True
    free = shutil.disk_usage(place).free
    yield "free disk", size(free), "" if free > 5 * 2**30 else "the demo needs 5 GiB; free some, or set DERMACARE_HOME", True
    memory = psutil.virtual_memory().total
    yield "memory", size(memory), "" if memory > 6 * 2**30 else "training ResNet152 takes up to 4 GiB; train fewer models", False
    yield "cores", str(usable_cores()), "", False
    yield _containers()
    weights = list((Path(os.environ.get("KERAS_HOME", Path.home() / ".keras")) / "models").glob("resnet*"))
    advice = "" if weights else "Keras fetches them at the first run where a network is; else --set train_classifier.weights=none"
    yield "ImageNet weights", f"{len(weights)} files", advice, False
    real = os.environ.get("DERMACARE_REAL_DATA", "")
    yield (
        "real images",
        real or "not set",
        "" if real else "DERMACARE_REAL_DATA names a folder with isic/ and ham10000/, for tests",
        False,
    )


def _tensorflow() -> Finding:
    installed, wanted = nvidia.tensorflow_packages(), nvidia.wanted_packages()
    found = ", ".join(f"{package} {version(package)}" for package in installed) or "absent"
    if len(installed) > 1:
        return "TensorFlow", found, "these overwrite each other: remove .venv, then `make setup`, or `make setup-gpu`", True
    return "TensorFlow", found, "" if installed and installed[0] in wanted else "run `make setup`", True


def _gpu() -> Finding:
    """NVIDIA's GPUs, and whether the TensorFlow that is installed is made for them."""
    found = nvidia.gpus()
    return "GPU", ", ".join(found) or "none", nvidia.UNUSED if found and not nvidia.usable_gpus() else "", False


def _containers() -> Finding:
    """Whether steps can run in containers here; nothing but `--runner docker` needs it."""
    from pipelines.containers import check_images

    try:
        require("orchestrate")
        check_images()
    except MachineError as error:
        return "containers", "absent", str(error).removeprefix("--runner docker: "), False
    return "containers", "images of this code", "", False
