"""What serves, and the diagnoses that it knows."""

from functools import lru_cache

from fastapi import APIRouter
from fastapi.responses import Response

from components.colours import DIAGNOSIS_COLOURS
from components.lesions import LESIONS, Diagnosis
from dermacare.api import examples
from dermacare.api.answers import notice
from dermacare.api.problems import Kind, answers
from dermacare.api.schemas import ConfusedWith, LesionType, ServingModels
from dermacare.api.state import ServiceOf
from pipelines.serving.facts import Confusion

router = APIRouter(tags=["models"])

_PROBLEMS = answers(Kind.NO_KEY, Kind.WRONG_HOST, Kind.FAULT)
_EXAMPLE_SIZE = (384, 512)
_LEAST_SHARE = 0.01


@router.get(
    "/models",
    summary="What serves",
    response_description="the release: its models with their cards, figures, data and decisions",
    responses={200: {"content": {"application/json": {"example": examples.SERVING}}}, **_PROBLEMS, **answers(Kind.NOT_READY)},
)
async def read_models(service: ServiceOf) -> ServingModels:
    """The models that the ledger lets serve, and all that the registry knows about them."""
    release = service.require_serving().release
    return ServingModels(
        entry=release.entry,
        since=release.since,
        classifier=release.classifier,
        segmenter=release.segmenter,
        phantom=release.phantom,
        notice=notice(release),
        stale=service.watcher.stale,
    )


@router.get(
    "/classes",
    summary="The eight diagnoses",
    response_description="the diagnoses of ISIC 2019, in its order",
    responses={200: {"content": {"application/json": {"example": examples.LESION_TYPES}}}, **_PROBLEMS},
)
async def read_classes(service: ServiceOf) -> list[LesionType]:
    """What each diagnosis is, and what the serving model takes it for; without a model `confused_with` is empty."""
    serving = service.watcher.serving
    classifier = serving.release.classifier if serving is not None else None
    confusion = classifier.confusion if classifier is not None else None
    return [
        LesionType(
            code=code,
            name=lesion.name,
            malignant=lesion.malignant,
            description=lesion.description,
            dermoscopy=lesion.dermoscopy,
            colour=DIAGNOSIS_COLOURS[code],
            example=f"/api/v1/classes/{code.value}/example",
            confused_with=[] if confusion is None else _confused(code, confusion),
        )
        for code, lesion in LESIONS.items()
    ]


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
async def read_example(code: Diagnosis, service: ServiceOf) -> Response:
    """A drawn picture (a phantom) as the demo trains on: it shows the colours and shapes of a diagnosis, not how skin looks."""
    picture = await service.run(lambda: _drawn(code))
    return Response(picture, media_type="image/jpeg", headers={"Cache-Control": "public, max-age=86400"})


def _confused(code: Diagnosis, confusion: Confusion) -> list[ConfusedWith]:
    """What test images that show a diagnosis were taken for, the most frequent first."""
    row = confusion.counts[confusion.codes.index(code)]
    total = sum(row)
    shares = [
        ConfusedWith(code=other, share=count / total)
        for other, count in zip(confusion.codes, row, strict=True)
        if other is not code and total and count / total >= _LEAST_SHARE
    ]
    return sorted(shares, key=lambda one: -one.share)


@lru_cache(maxsize=len(Diagnosis))
def _drawn(code: Diagnosis) -> bytes:
    """A phantom of a diagnosis; the same picture every time."""
    import cv2
    import numpy as np

    from components.ingest.phantom.photograph import draw_patch, take_photograph

    seed = list(Diagnosis).index(code)
    patch = draw_patch(code, 0.3, _EXAMPLE_SIZE, np.random.default_rng([2019, seed]))
    photograph = take_photograph(patch, _EXAMPLE_SIZE, np.random.default_rng([2019, seed, 1]))
    return bytes(cv2.imencode(".jpg", cv2.cvtColor(photograph.image, cv2.COLOR_RGB2BGR), [cv2.IMWRITE_JPEG_QUALITY, 88])[1])
