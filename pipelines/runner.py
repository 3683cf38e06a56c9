"""Where the steps of a run are carried out."""

from enum import StrEnum


class Runner(StrEnum):
    """Where the steps run."""

    SUBPROCESS = "subprocess"
    DOCKER = "docker"
    CLUSTER = "cluster"


def check_runner(runner: Runner) -> None:
    """Raise MachineError where a runner cannot work."""
    if runner is Runner.DOCKER:
        from pipelines.containers import check_images

        check_images()
