"""Fixtures that every test may use."""

import inspect
import os
import shutil
import sys
import traceback
from collections.abc import Iterator
from pathlib import Path

import pytest
from playwright.sync_api import Browser, sync_playwright

from tests.mlflow_server import address, make_database
from tests.seaweedfs import S3Server, seaweedfs

# Whole runs, servers and kills take minutes: begun first, they leave short tests for the end, when one process waits for the other.
_LONG = ("tests/e2e/", "tests/tracking_server/", "tests/components/register/", "tests/components/training/")


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Put the folders of the long tests first; the order within them, and of the others, stays."""
    items.sort(key=lambda item: not item.nodeid.startswith(_LONG))


@pytest.fixture(scope="session", autouse=True)
def _signing_key(tmp_path_factory: pytest.TempPathFactory) -> None:
    """Tests sign with a key of their own, not with that of whoever runs them; the commands that they start find it, too."""
    os.environ["DERMACARE_SIGNING_KEY"] = str(tmp_path_factory.mktemp("key") / "signing.key")


@pytest.fixture(scope="session", autouse=True)
def _names_of_callers() -> Iterator[None]:
    """kfp asks `inspect.stack` for its caller's name at every turn. That looks for the source of each frame among all modules: in a
    process with as many of both as this one has, drawing a pipeline takes a dozen seconds instead of half of one."""

    def stack(context: int = 0) -> list[inspect.FrameInfo]:
        frames = [frame for frame, _ in traceback.walk_stack(sys._getframe(1))]
        return [inspect.FrameInfo(one, one.f_code.co_filename, one.f_lineno, one.f_code.co_name, None, None) for one in frames]

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(inspect, "stack", stack)
        yield


@pytest.fixture(scope="session")
def real_data() -> Path:
    """Folder with the real data sets (`isic/`, `ham10000/`), from $DERMACARE_REAL_DATA."""
    place = os.environ.get("DERMACARE_REAL_DATA")
    if not place:
        pytest.skip("DERMACARE_REAL_DATA is not set: no real images to test with")
    return Path(place).resolve()


@pytest.fixture(scope="session")
def s3_server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[S3Server]:
    """A real S3 server, one for each process of tests; a test makes buckets of its own."""
    with seaweedfs(tmp_path_factory.mktemp("seaweedfs")) as server:
        yield server


@pytest.fixture(scope="session")
def mlflow_database(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """An MLflow database with nothing in it, to be copied."""
    return make_database(tmp_path_factory.mktemp("mlflow"))


@pytest.fixture
def mlflow_uri(mlflow_database: Path, tmp_path: Path) -> str:
    """Address of a test's own MLflow database, `home/mlflow.db` of its folder."""
    return address(mlflow_database, tmp_path / "home")


@pytest.fixture(scope="session")
def browser() -> Iterator[Browser]:
    """Chromium itself, one for all tests of a process: Playwright runs once in each."""
    chromium = shutil.which("chromium")
    if chromium is None:
        pytest.skip("there is no chromium on this machine: no browser to open pages in")
    with sync_playwright() as playwright:
        # As root there is no sandbox; what is opened is ours alone.
        opened = playwright.chromium.launch(executable_path=chromium, args=["--no-sandbox"])
        yield opened
        opened.close()
