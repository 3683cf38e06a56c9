"""One PostgreSQL, and one tracking server for the tests that leave it alive."""

from collections.abc import Iterator

import pytest

from tests.postgresql import PostgreSQL, postgresql
from tests.seaweedfs import S3Server
from tests.tracking_server.server import TrackingServer, tracking_server


@pytest.fixture(scope="session")
def database() -> Iterator[PostgreSQL]:
    """A real PostgreSQL, for tests that do not stop it."""
    with postgresql() as server:
        yield server


@pytest.fixture(scope="session")
def shared_server(tmp_path_factory: pytest.TempPathFactory, database: PostgreSQL, s3_server: S3Server) -> Iterator[TrackingServer]:
    """A tracking server with users, for tests that do not stop it."""
    with tracking_server(tmp_path_factory.mktemp("tracking"), database, s3_server, "tracking") as server:
        yield server
