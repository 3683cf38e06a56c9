"""A real PostgreSQL, for tests of what a team keeps there."""

from collections.abc import Iterator

import pytest

from tests.postgresql import PostgreSQL, postgresql


@pytest.fixture(scope="module")
def server() -> Iterator[PostgreSQL]:
    """A server of the file's own."""
    with postgresql() as server:
        yield server


@pytest.fixture
def url(server: PostgreSQL, request: pytest.FixtureRequest) -> str:
    """Address of a database of the test's own."""
    name = request.node.name.replace("test_", "")[:40]
    server.query("postgres", f"create database {name}")
    return server.address(name)
