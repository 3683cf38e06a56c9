"""The app: routes, problems, pages, and what every answer must have."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from fastapi import FastAPI, Request
from fastapi.responses import Response
from starlette.types import ASGIApp

from dermacare.api import document, problems
from dermacare.api.gate import Gate
from dermacare.api.gone import ClientGone
from dermacare.api.pages import pages
from dermacare.api.routes import health, models, predictions
from dermacare.api.service import Service
from dermacare.api.settings import Settings

PREFIX = "/api/v1"
_DESCRIPTION = (
    "Where the lesion is, what it may be, how sure the models are, and which models said so. Decision support, not a diagnosis. "
    "Errors are problem documents (RFC 9457)."
)


def create_app() -> FastAPI:
    """The routes, without a server around them and without models behind them."""
    app = FastAPI(
        title="DermaCare",
        version="1",
        summary="Dermoscopic images in, answers with their doubts out.",
        description=_DESCRIPTION,
        license_info={"name": "Apache-2.0", "identifier": "Apache-2.0"},
        openapi_url=f"{PREFIX}/openapi.json",
        docs_url=None,  # its pages would load scripts from elsewhere
        redoc_url=None,
        redirect_slashes=False,
        lifespan=_lifespan,
        generate_unique_id_function=lambda route: route.name,
    )
    problems.add_handlers(app)
    app.add_exception_handler(ClientGone, _nobody)
    app.include_router(predictions.router, prefix=PREFIX)
    app.include_router(models.router, prefix=PREFIX)
    app.include_router(health.router)
    app.router.default = pages()
    document.complete(app)
    return app


def serve_app(settings: Settings) -> ASGIApp:
    """The app of a server, its gate around it; what it holds starts and ends with its lifespan."""
    app = create_app()
    service = Service(settings)
    app.state.service = service
    return Gate(app, settings, service.metrics)


@asynccontextmanager
async def _lifespan(app: FastAPI) -> AsyncIterator[None]:
    service: Service = app.state.service
    service.start()
    try:
        yield
    finally:
        service.stop()


def _nobody(request: Request, error: Exception) -> Response:
    """What is sent to a client that left: nobody reads it, and the log has its status."""
    return Response(status_code=499)
