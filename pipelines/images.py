"""Container images of the steps, named here alone; `infra/images/` holds what they are built from.

$DERMACARE_IMAGE_REGISTRY is put before their names where it is set: `registry.example.org/team`.
"""

import os
from importlib.metadata import version

REGISTRY = "DERMACARE_IMAGE_REGISTRY"


def image(name: str, registry: str = "") -> str:
    """An image of this version of the package, as a runner asks for it; `registry`: instead of the one of the environment."""
    return "/".join(filter(None, ((registry or os.environ.get(REGISTRY, "")).rstrip("/"), f"{name}:{version('dermacare')}")))


# Each holds the package with the extras that its steps import.
STEPS = image("dermacare-steps")
TRAIN = image("dermacare-train")
TRAIN_GPU = image("dermacare-train-gpu")
