"""The environment in which a test starts a command, as a user's shell has it."""

import os
from pathlib import Path

from pipelines.home import VARIABLE


def user_environment(home: Path, **more: str) -> dict[str, str]:
    """This process's environment with a home folder, without the server that MLflow names in it when a test uses MLflow itself."""
    own = {key: value for key, value in os.environ.items() if key != "MLFLOW_TRACKING_URI"}
    return {**own, VARIABLE: str(home), **more}
