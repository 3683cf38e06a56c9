"""Which of NVIDIA's GPUs this machine has, and whether the TensorFlow that is installed is made for them; it is not imported."""

import os
import sys
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path

PROCESSOR_BUILD, GPU_BUILD = "tensorflow-cpu", "tensorflow"
"""TensorFlow's two packages: on Linux the former uses no GPU; only one of them may be installed."""

NEEDED = "DERMACARE_GPU"
"""Names the variable that is `needed` where a GPU was asked for: without one nothing is trained."""

_LISTED = Path("/proc/driver/nvidia/gpus")

UNUSED = "`make setup-gpu` installs the TensorFlow that uses it"


def gpus(listed: Path = _LISTED) -> list[str]:
    """Names of the GPUs; none where CUDA_VISIBLE_DEVICES hides them all.

    Args:
        listed: where NVIDIA's driver for Linux lists them.
    """
    if os.environ.get("CUDA_VISIBLE_DEVICES") in ("", "-1"):
        return []
    files = sorted(listed.glob("*/information"))
    lines = (line for file in files for line in file.read_text(encoding="utf-8").splitlines())
    return [line.partition(":")[2].strip() for line in lines if line.startswith("Model:")]


def usable_gpus(listed: Path = _LISTED) -> list[str]:
    """The same, if TensorFlow is installed as the package that uses them."""
    return gpus(listed) if tensorflow_packages() == [GPU_BUILD] else []


def tensorflow_packages() -> list[str]:
    """Those of TensorFlow's packages that are installed: one, where all is well."""
    return [name for name in (PROCESSOR_BUILD, GPU_BUILD) if _is_installed(name)]


def wanted_packages() -> tuple[str, ...]:
    """Those of which one must be installed on this system."""
    return (PROCESSOR_BUILD, GPU_BUILD) if sys.platform == "linux" else (GPU_BUILD,)


def _is_installed(package: str) -> bool:
    try:
        version(package)
    except PackageNotFoundError:
        return False
    return True
