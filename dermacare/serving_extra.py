"""The packages that serving needs besides, which a machine that trains may lack."""

from importlib.util import find_spec

from components.errors import MachineError

_PACKAGES = ("fastapi", "uvicorn", "python_multipart", "pebble", "prometheus_client")


def require_serving_extra() -> None:
    """Say so in one sentence where a package is missing.

    Raises:
        MachineError: one is.
    """
    missing = [name for name in _PACKAGES if find_spec(name) is None]
    if missing:
        raise MachineError(f"{', '.join(missing)}: not installed; pip install 'dermacare[serve]'")
