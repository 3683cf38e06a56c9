"""What serves, and the diagnoses that it knows."""

from fastapi import APIRouter
from fastapi.responses import Response

from components.lesions import Diagnosis
from dermacare.api import examples
from dermacare.api.problems import ApiError, Kind, answers
from dermacare.api.schemas import LesionType, ServingModels

router = APIRouter(tags=["models"])

_PROBLEMS = answers(Kind.NO_KEY, Kind.WRONG_HOST, Kind.FAULT)


@router.get(
    "/models",
    summary="What serves",
    response_description="the release: its models with their cards, figures, data and decisions",
    responses={200: {"content": {"application/json": {"example": examples.SERVING}}}, **_PROBLEMS, **answers(Kind.NOT_READY)},
)
async def read_models() -> ServingModels:
    """The models that the ledger lets serve, and all that the registry knows about them."""
    raise ApiError(Kind.NOT_READY, "no model serves yet; run the pipeline, or promote a version with `dermacare promote`")


@router.get(
    "/classes",
    summary="The eight diagnoses",
    response_description="the diagnoses of ISIC 2019, in its order",
    responses={200: {"content": {"application/json": {"example": examples.LESION_TYPES}}}, **_PROBLEMS},
)
async def read_classes() -> list[LesionType]:
    """What each diagnosis is, and what the serving model takes it for; without a model `confused_with` is empty."""
    return []


@router.get(
    "/classes/{code}/example",
    summary="A drawn example of a diagnosis",
    response_class=Response,
    response_description="a drawing, never a patient",
    responses={
        200: {"content": {"image/jpeg": {"schema": {"type": "string", "format": "binary"}}}},
        **_PROBLEMS,
        **answers(Kind.INVALID),
    },
)
async def read_example(code: Diagnosis) -> Response:
    """A drawn picture (a phantom) as the demo trains on: it shows the colours and shapes of a diagnosis, not how skin looks."""
    return Response(b"", media_type="image/jpeg")
