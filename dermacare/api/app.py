"""The app: routes, problems, and what every answer must have."""

from typing import Any

from fastapi import FastAPI

from dermacare.api import problems
from dermacare.api.routes import health, models, predictions

PREFIX = "/api/v1"
_DESCRIPTION = (
    "Where the lesion is, what it may be, how sure the models are, and which models said so. Decision support, not a diagnosis. "
    "Errors are problem documents (RFC 9457)."
)


def create_app() -> FastAPI:
    """The app without a server around it."""
    app = FastAPI(
        title="DermaCare",
        version="1",
        summary="Dermoscopic images in, answers with their doubts out.",
        description=_DESCRIPTION,
        license_info={"name": "Apache-2.0", "identifier": "Apache-2.0"},
        openapi_url=f"{PREFIX}/openapi.json",
        docs_url=None,  # its pages would load scripts from elsewhere
        redoc_url=None,
        generate_unique_id_function=lambda route: route.name,
    )
    problems.add_handlers(app)
    app.include_router(predictions.router, prefix=PREFIX)
    app.include_router(models.router, prefix=PREFIX)
    app.include_router(health.router)
    _document_keys(app)
    return app


def _document_keys(app: FastAPI) -> None:
    """Tell OpenAPI of API keys, which a server on loopback asks nobody for."""
    document = app.openapi()
    schemes = document["components"].setdefault("securitySchemes", {})
    schemes["key"] = {"type": "http", "scheme": "bearer", "description": "asked for beyond loopback alone"}
    operations: list[dict[str, Any]] = [
        operation for path, methods in document["paths"].items() if path.startswith(PREFIX) for operation in methods.values()
    ]
    for operation in operations:
        operation["security"] = [{}, {"key": []}]
