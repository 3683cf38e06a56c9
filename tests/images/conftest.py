"""The images that `make images` built, through Docker's API or podman's."""

from collections.abc import Iterator

import docker
import pytest
from docker.errors import DockerException, ImageNotFound

from pipelines.images import image
from tests.images.containers import Engine


@pytest.fixture(scope="session")
def engine() -> Iterator[Engine]:
    """Docker, or podman's service, at $DOCKER_HOST."""
    try:
        client = docker.from_env()
        client.ping()
    except DockerException as error:
        pytest.skip(f"no Docker answers: start it, or `podman system service` and name its socket in DOCKER_HOST ({error})")
    yield Engine(client)
    client.close()


@pytest.fixture
def built(request: pytest.FixtureRequest, engine: Engine) -> str:
    """The full name of the image that a test is parametrised with."""
    name = image(f"dermacare-{request.param}")
    try:
        engine.client.images.get(name)
    except ImageNotFound:
        pytest.skip(f"{name} is not built: make images")
    return name
