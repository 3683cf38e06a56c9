"""Whether the server lives and is ready, and what it counted."""

from fastapi import APIRouter
from fastapi.responses import PlainTextResponse, Response

from dermacare.api.problems import Kind, answers
from dermacare.api.schemas import Health
from dermacare.api.state import ServiceOf

router = APIRouter(tags=["operation"])

_PROBLEMS = answers(Kind.WRONG_HOST, Kind.FAULT)


@router.get(
    "/healthz",
    summary="Whether the process answers",
    response_description="it does",
    responses={200: {"content": {"application/json": {"example": {"status": "ok", "reason": None}}}}, **_PROBLEMS},
)
async def read_health() -> Health:
    """Looks at nothing: an orchestrator restarts what does not answer here."""
    return Health(status="ok", reason=None)


@router.get(
    "/readyz",
    summary="Whether it can predict",
    response_model=Health,
    response_description="a release is loaded, and its answers can be logged",
    responses={
        200: {"content": {"application/json": {"example": {"status": "ok", "reason": None}}}},
        503: {
            "model": Health,
            "description": "no release is loaded, or answers cannot be logged",
            "content": {"application/json": {"example": {"status": "not ready", "reason": "no model serves yet"}}},
        },
        **_PROBLEMS,
    },
)
async def read_readiness(service: ServiceOf) -> Response:
    """An orchestrator sends requests to what is ready alone."""
    reason = await service.not_ready()
    said = Health(status="ok" if reason is None else "not ready", reason=reason)
    return Response(said.model_dump_json(), 200 if reason is None else 503, media_type="application/json")


@router.get(
    "/metrics",
    summary="What Prometheus reads",
    response_class=PlainTextResponse,
    response_description="counts and times, without any personal data",
    responses={
        200: {"content": {"text/plain": {"example": "dermacare_release_current 1.0\n"}}},
        **_PROBLEMS,
        **answers(Kind.NO_KEY),
    },
)
async def read_metrics(service: ServiceOf) -> PlainTextResponse:
    """In Prometheus's text format."""
    return PlainTextResponse(service.metrics.render())
