"""The project's own data files: params.yaml, profiles, lock. In a clone they lie at its root, in a wheel in the package."""

from pathlib import Path

_PACKAGE = Path(__file__).resolve().parent
_ROOT = _PACKAGE / "_project" if (_PACKAGE / "_project").is_dir() else _PACKAGE.parent


def project_file(name: str) -> Path:
    """Path of a file of the project, by its path from the project's root."""
    return _ROOT / name


def project_files(folder: str, pattern: str) -> list[Path]:
    """Files of a folder of the project that match a glob pattern, sorted."""
    return sorted((_ROOT / folder).glob(pattern))
