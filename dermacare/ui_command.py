"""`dermacare ui`: MLflow over this home, on loopback; where a server has the runs, its address."""

import os
import socket
import sys

from components.errors import MachineError, RunError
from components.tracking import ENVIRONMENT, without_credentials
from dermacare.console import console
from pipelines.home import Home


def server_address(home: Home) -> str | None:
    """Address of the tracking server that has the runs, without user and password; None: they lie in a database."""
    uri = home.tracking_uri
    return without_credentials(uri) if uri.startswith(("http:", "https:")) else None


def serve_mlflow(port: int) -> None:
    """Replace this process by an MLflow server; where a server has the runs already, say where.

    Raises:
        RunError: there is nothing to show yet.
        MachineError: the port is taken.
    """
    home = Home.here()
    if address := server_address(home):
        console.print(f"MLflow: {address} (MLFLOW_TRACKING_URI; unset it to see the runs of {home.root})", markup=False)
        return
    if not (home.root / "mlflow.db").exists():
        raise RunError(f"{home.root}: holds no runs yet; `dermacare run --profile demo` makes some")
    with socket.socket() as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind(("127.0.0.1", port))
        except OSError as error:
            raise MachineError(f"--port {port}: is taken ({error.strerror}); choose another") from error
    console.print(f"MLflow: http://127.0.0.1:{port} (Ctrl-C ends it)", markup=False)
    command = [sys.executable, "-m", "mlflow", "server", "--app-name", "dermacare"]
    command += ["--host", "127.0.0.1", "--port", str(port), "--workers", "1"]
    command += ["--backend-store-uri", f"sqlite:///{home.root / 'mlflow.db'}", "--artifacts-destination", str(home.artifacts)]
    settings = {**ENVIRONMENT, "MLFLOW_ENABLE_AI_GATEWAY": "false", **os.environ, "PYTHONSAFEPATH": "1"}
    os.execve(sys.executable, command, settings)  # noqa: S606
