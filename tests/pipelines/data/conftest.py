"""Fixtures of the tests of versions."""

from pathlib import Path

import pytest

from tests.data_project import DataProject


@pytest.fixture(scope="session")
def committed(tmp_path_factory: pytest.TempPathFactory) -> DataProject:
    """A project with one committed version, to be copied."""
    root = tmp_path_factory.mktemp("committed")
    return DataProject.make(root / "project", root / "home")


@pytest.fixture
def project(committed: DataProject, tmp_path: Path) -> DataProject:
    """A test's own project with one committed version: 8 classes, 4 lesions each, 2 images a lesion."""
    return committed.copy(tmp_path)


@pytest.fixture(autouse=True)
def _home_s_own_database(monkeypatch: pytest.MonkeyPatch) -> None:
    """MLflow writes the server that a test used into the environment of this process, where the next test's home would find it."""
    monkeypatch.delenv("MLFLOW_TRACKING_URI", raising=False)
