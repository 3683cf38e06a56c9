"""The package's extras, and what a command says where one that it needs is not installed."""

from importlib.util import find_spec

from components.errors import MachineError

# Extra → what it brings that the others do not, by the names under which it is imported.
_PACKAGES = {
    "steps": (
        "boto3",
        "cleanlab",
        "faiss",
        "great_expectations",
        "imagehash",
        "isic_challenge_scoring",
        "jinja2",
        "matplotlib",
        "pandas",
        "plotly",
        "pyarrow",
        "scipy",
        "sklearn",
    ),
    "train": ("h5py", "keras", "tensorflow"),
    "serve": ("fastapi", "pebble", "prometheus_client", "python_multipart", "uvicorn"),
    "orchestrate": ("docker", "dvc", "kfp"),
}


def require(*extras: str) -> None:
    """Say so in one sentence, before a command begins, where extras that it needs are not installed.

    Raises:
        MachineError: a package of theirs is absent.
    """
    absent = {extra: [name for name in _PACKAGES[extra] if find_spec(name) is None] for extra in extras}
    if any(absent.values()):
        raise MachineError(
            _sentence([name for names in absent.values() for name in names], [extra for extra, names in absent.items() if names])
        )


def lacking(error: ModuleNotFoundError) -> MachineError | None:
    """The sentence for an import that failed in the middle of a command; None: what is absent belongs to no extra."""
    package = (error.name or "").partition(".")[0]
    extras = [extra for extra, names in _PACKAGES.items() if package in names]
    return MachineError(_sentence([package], extras)) if extras else None


def _sentence(packages: list[str], extras: list[str]) -> str:
    return f"{', '.join(packages)}: not installed; pip install 'dermacare[{','.join(extras)}]'"
