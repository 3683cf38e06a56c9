"""A server over a home in which a release serves; one for all tests that change nothing of it."""

import shutil
from collections.abc import Iterator
from pathlib import Path

import httpx
import pytest

from pipelines.home import Home
from pipelines.serving.cache import ServingCache
from pipelines.serving.fetch import fetch_release
from tests.dermacare_server import Server, serving
from tests.pipelines.serving.conftest import _own_mlflow, home, kept_home, served

__all__ = ["_own_mlflow", "home", "kept_home", "served"]


@pytest.fixture(scope="session")
def fetched_home(kept_home: Home, tmp_path_factory: pytest.TempPathFactory) -> Home:
    """A home whose release is fetched and remembered, so that a server starts at once."""
    root = tmp_path_factory.mktemp("fetched") / "home"
    shutil.copytree(kept_home.root, root)
    home = Home(root)
    ServingCache(home.serving).remember(fetch_release(home))
    return home


@pytest.fixture
def ready_home(fetched_home: Home, tmp_path: Path) -> Home:
    """A copy of it, to be changed."""
    shutil.copytree(fetched_home.root, tmp_path / "ready")
    return Home(tmp_path / "ready")


@pytest.fixture(scope="session")
def server(fetched_home: Home) -> Iterator[Server]:
    """Not to be changed or overloaded."""
    with serving(fetched_home.root) as running:
        yield running


@pytest.fixture(scope="session")
def client(server: Server) -> Iterator[httpx.Client]:
    with server.client() as one:
        yield one
