"""Predictions: of one image, or of a batch."""

from typing import Annotated

from fastapi import APIRouter, File, Form, UploadFile
from pydantic import Field

from dermacare.api import examples, limits
from dermacare.api.problems import ApiError, Kind, answers
from dermacare.api.schemas import BatchPrediction, Prediction, Sex, Site

router = APIRouter(prefix="/predictions", tags=["predictions"])

_PROBLEMS = answers(
    Kind.MALFORMED,
    Kind.NO_KEY,
    Kind.TOO_SLOW,
    Kind.TOO_LARGE,
    Kind.WRONG_TYPE,
    Kind.WRONG_HOST,
    Kind.INVALID,
    Kind.UNREADABLE,
    Kind.BUSY,
    Kind.FAULT,
    Kind.NOT_READY,
)

Age = Annotated[Annotated[int, Field(ge=0, le=120)] | None, Form(description="age of the patient, years")]
SexField = Annotated[Sex | None, Form(description="sex of the patient")]
SiteField = Annotated[Site | None, Form(description="where on the body the lesion is")]
HeatMap = Annotated[bool, Form(description="whether to show what speaks for the most probable diagnosis")]
Consent = Annotated[
    bool, Form(description="whether the patient agreed that the image is kept on the server; without it no image is ever stored")
]


@router.post(
    "",
    summary="Predict one image",
    response_description="the answer; a refused image has one too, with `refusal` and without diagnoses",
    responses={200: {"content": {"application/json": {"example": examples.PREDICTION}}}, **_PROBLEMS},
    max_body_size=limits.IMAGE_BYTES + limits.FORM_BYTES,
    form_limits={"max_files": 1, "max_fields": 8, "max_part_size": limits.FIELD_BYTES},
)
async def predict(
    image: Annotated[UploadFile, File(description="dermoscopic image, JPEG or PNG, up to 25 MiB and 50 megapixels")],
    age: Age = None,
    sex: SexField = None,
    site: SiteField = None,
    heat_map: HeatMap = False,
    consent: Consent = False,
) -> Prediction:
    """Segment the lesion, measure it and classify it; what was told of the patient is written down with the answer alone."""
    raise ApiError(Kind.NOT_READY, "no model serves yet; run the pipeline, or promote a version with `dermacare promote`")


@router.post(
    "/batch",
    summary="Predict several images",
    response_description="an item for each image, answered or with its problem, in the order in which they were sent",
    responses={200: {"content": {"application/json": {"example": examples.BATCH}}}, **_PROBLEMS},
    max_body_size=limits.BATCH_BYTES + limits.FORM_BYTES,
    form_limits={"max_files": limits.BATCH_IMAGES, "max_fields": 8, "max_part_size": limits.FIELD_BYTES},
)
async def predict_batch(
    images: Annotated[list[UploadFile], File(description="JPEG and PNG files, up to 64; or ZIPs of such, up to 200 MiB unpacked")],
    heat_map: HeatMap = False,
    consent: Consent = False,
) -> BatchPrediction:
    """Predict each image as if it were sent alone; one that cannot be read costs the others nothing."""
    raise ApiError(Kind.NOT_READY, "no model serves yet; run the pipeline, or promote a version with `dermacare promote`")
