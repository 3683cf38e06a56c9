"""Container images of the steps, named here alone; `infra/images/` holds what they are built from.

$DERMACARE_IMAGE_REGISTRY is put before their names where it is set: `registry.example.org/team`.
"""

import json
import os
from importlib.metadata import version
from pathlib import Path

import components
from components.files import sha256_bytes, sha256_file
from components.project import project_file

REGISTRY = "DERMACARE_IMAGE_REGISTRY"
CODE_LABEL = "dermacare.code"
"""The label of an image that holds `code()` of its sources."""


def registry(named: str = "") -> str:
    """What stands before the images' names: what parameters name, or else the environment; empty: nothing."""
    return (named or os.environ.get(REGISTRY, "")).rstrip("/")


def image(name: str, named: str = "") -> str:
    """An image of this version of the package, as a runner asks for it; `named`: see `registry`."""
    return "/".join(filter(None, (registry(named), f"{name}:{version('dermacare')}")))


# Each holds the package with the extras that its steps import.
STEPS = image("dermacare-steps")
TRAIN = image("dermacare-train")
TRAIN_GPU = image("dermacare-train-gpu")


def code() -> str:
    """Digest of all code that runs in a step's container and of the lock, by which an image of other sources is told."""
    root = Path(components.__file__).parent.parent
    files = sorted(file for package in ("components", "pipelines") for file in (root / package).rglob("*.py"))
    parts = [(file.relative_to(root).as_posix(), sha256_file(file)) for file in files]
    return sha256_bytes(json.dumps([parts, sha256_file(project_file("requirements.lock"))]).encode())[:20]
