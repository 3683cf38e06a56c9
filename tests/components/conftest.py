"""Fixtures of more than one step's tests."""

from pathlib import Path

import pytest

from tests.mlflow_server import address, make_database


@pytest.fixture(scope="session")
def mlflow_database(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """An MLflow database with nothing in it, to be copied."""
    return make_database(tmp_path_factory.mktemp("mlflow"))


@pytest.fixture
def mlflow_uri(mlflow_database: Path, tmp_path: Path) -> str:
    """Address of a test's own MLflow database, `home/mlflow.db` of its folder."""
    return address(mlflow_database, tmp_path / "home")
