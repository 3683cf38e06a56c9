"""MLflow's server as `dermacare ui` starts it: without the assistant.

Its tools run commands as whoever started the server, for anybody who reaches the port; and a port on loopback is open to every user
of the machine. The team's server refuses more: mlflow/routes.conf.
"""

from mlflow.server.assistant.api import assistant_router

assistant_router.routes.clear()

from mlflow.server.fastapi_app import app  # noqa: E402  (it takes the routes in as they are now)

__all__ = ["app"]
