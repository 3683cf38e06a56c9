"""Container images of the steps, named here alone."""

from importlib.metadata import version

_TAG = version("dermacare")

# Each holds the package with the extras that its steps import.
DATA = f"dermacare-data:{_TAG}"
TRAIN = f"dermacare-train:{_TAG}"
TRACK = f"dermacare-track:{_TAG}"
