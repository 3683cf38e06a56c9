"""Containers as they are to be run: nobody's root, a read-only root file system, no capability, one folder to write in."""

from dataclasses import dataclass
from pathlib import Path
from typing import Any

import docker
from docker.errors import ContainerError


@dataclass(frozen=True)
class Engine:
    """Docker's API."""

    client: docker.DockerClient

    def run(self, image: str, command: list[str], *, home: Path | None = None, **options: Any) -> str:
        """Run a command of an image to its end; returns what it printed.

        Raises:
            ContainerError: it ended with an error.
        """
        program, *arguments = command
        printed = self.client.containers.run(
            image, arguments, entrypoint=[program], stderr=True, remove=True, **hardened(home), **options
        )
        return str(printed.decode())

    def fails(self, image: str, command: list[str], **options: Any) -> str:
        """Run a command that must end with an error; returns what it printed."""
        try:
            printed = self.run(image, command, **options)
        except ContainerError as error:
            return str((error.stderr or b"").decode())
        raise AssertionError(f"{command} ended well: {printed}")


def hardened(home: Path | None) -> dict[str, Any]:
    """Options of a container; `home` is what may be written."""
    volumes = {str(home): {"bind": "/var/lib/dermacare", "mode": "rw"}} if home else {}
    return {
        "read_only": True,
        "tmpfs": {"/tmp": "mode=1777"},
        "cap_drop": ["ALL"],
        "security_opt": ["no-new-privileges"],
        "network_mode": "host",
        "volumes": volumes,
    }
