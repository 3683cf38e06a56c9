"""Where the steps of a run are carried out."""

from enum import StrEnum

from components.errors import MachineError


class Runner(StrEnum):
    """Where the steps run."""

    SUBPROCESS = "subprocess"
    DOCKER = "docker"
    CLUSTER = "cluster"


def check_runner(runner: Runner) -> None:
    """Raise MachineError where a runner cannot work."""
    if runner is Runner.DOCKER:
        raise MachineError("--runner docker: this version has no container images for the steps; use --runner subprocess")
