"""Containers as they are to be run: nobody's root, a read-only root file system, no capability, one folder to write in."""

import io
import tarfile
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import docker
from docker.models.containers import Container


@dataclass(frozen=True)
class Engine:
    """Docker's API."""

    client: docker.DockerClient

    def run(self, image: str, command: list[str], *, home: Path | None = None) -> str:
        """Run a program of an image, which must end well; returns what it printed."""
        code, printed = self._end(image, command, home)
        assert code == 0, f"{command}: {printed}"
        return printed

    def fails(self, image: str, command: list[str], *, home: Path | None = None) -> str:
        """Run a program that must end with an error; returns what it printed."""
        code, printed = self._end(image, command, home)
        assert code != 0, f"{command} ended well: {printed}"
        return printed

    def file(self, image: str, path: str) -> bytes:
        """A file of an image."""
        with self._container(self.client.containers.create(image, ["true"])) as container:
            archive = b"".join(container.get_archive(path)[0])
        with tarfile.open(fileobj=io.BytesIO(archive)) as opened:
            found = opened.extractfile(opened.getmembers()[0])
            assert found is not None
            return found.read()

    @contextmanager
    def running(self, image: str, arguments: list[str], home: Path) -> Iterator[Container]:
        """A container that runs while the block does, with arguments of its own for the image's entry point."""
        with self._container(self.client.containers.run(image, arguments, detach=True, **hardened(home))) as container:
            yield container

    def _end(self, image: str, command: list[str], home: Path | None) -> tuple[int, str]:
        program, *arguments = command
        options = hardened(home)
        with self._container(
            self.client.containers.run(image, arguments, entrypoint=[program], detach=True, **options)
        ) as container:
            code = container.wait()["StatusCode"]
            return code, container.logs().decode()

    @staticmethod
    @contextmanager
    def _container(container: Container) -> Iterator[Container]:
        try:
            yield container
        finally:
            container.remove(force=True)


def hardened(home: Path | None) -> dict[str, Any]:
    """Options of a container; `home` is what may be written."""
    return {
        "read_only": True,
        "tmpfs": {"/tmp": "mode=1777"},
        "cap_drop": ["ALL"],
        "security_opt": ["no-new-privileges"],
        "network_mode": "host",
        "volumes": {str(home): {"bind": "/var/lib/dermacare", "mode": "rw"}} if home else {},
    }
