"""Predictions: of one image, or of a batch."""

from typing import Annotated

from fastapi import APIRouter, Depends, File, Form, Header, Request, UploadFile
from fastapi.responses import Response
from pydantic import BeforeValidator, Field

from dermacare.api import examples, limits, uploads
from dermacare.api.gate import asked_by
from dermacare.api.gone import while_there
from dermacare.api.problems import ApiError, Kind, answers
from dermacare.api.schemas import BatchItem, BatchPrediction, Patient, Prediction, Sex, Site
from dermacare.api.service import Question, Service
from dermacare.api.state import ServiceOf

_PROBLEMS = answers(
    Kind.MALFORMED,
    Kind.NO_KEY,
    Kind.WRONG_ORIGIN,
    Kind.TOO_SLOW,
    Kind.TOO_LARGE,
    Kind.WRONG_TYPE,
    Kind.WRONG_HOST,
    Kind.INVALID,
    Kind.UNREADABLE,
    Kind.BUSY,
    Kind.FAULT,
    Kind.NOT_READY,
    Kind.NOT_LOGGED,
)

# Faults of one image of a batch; and of the server, for which a batch is turned away as long as none of it was answered. Later its
# answers are in the log, and their images kept: whoever asked must get them.
_OF_ONE = frozenset({Kind.UNREADABLE, Kind.WRONG_TYPE, Kind.TOO_LARGE})
_OF_SERVER = frozenset({Kind.BUSY, Kind.NOT_LOGGED})

Age = Annotated[Annotated[int, Field(ge=0, le=120)] | None, Form(description="age of the patient, years")]
SexField = Annotated[Sex | None, Form(description="sex of the patient")]
SiteField = Annotated[Site | None, Form(description="where on the body the lesion is")]


def _flag(value: object) -> object:
    """Spelled out: what is read as consent must be meant as consent."""
    if isinstance(value, bool) or value in ("true", "false"):
        return value
    raise ValueError("Input should be true or false")


Flag = Annotated[bool, BeforeValidator(_flag)]
HeatMap = Annotated[Flag, Form(description="whether to show what speaks for the most probable diagnosis")]
Consent = Annotated[
    Flag, Form(description="whether the patient agreed that the image is kept on the server; without it no image is ever stored")
]


Key = Annotated[
    str | None,
    Header(
        alias="Idempotency-Key",
        pattern="^[0-9a-f]{32}$",
        description="32 hexadecimal digits, drawn anew for each question and sent with it again where no answer came: as long as "
        "the answer is the same, it has one id and one row in the log",
    ),
]


_SINGLE = frozenset({"image", "age", "sex", "site", "heat_map", "consent"})


async def _once(request: Request) -> None:
    """Refuse a field that is there twice: which of the two is meant cannot be told."""
    for name in (form := await request.form()):
        if name in _SINGLE and len(form.getlist(name)) > 1:
            raise ApiError(Kind.INVALID, f"{name}: is there twice; send it once", field=name)


def _patient(age: Age = None, sex: SexField = None, site: SiteField = None) -> Patient:
    return Patient(age=age, sex=sex, site=site)


router = APIRouter(prefix="/predictions", tags=["predictions"], dependencies=[Depends(_once)])


@router.post(
    "",
    summary="Predict one image",
    response_model=Prediction,
    response_description="the answer; a refused image has one too, with `refusal` and without diagnoses",
    responses={200: {"content": {"application/json": {"example": examples.PREDICTION}}}, **_PROBLEMS},
)
async def predict(
    request: Request,
    service: ServiceOf,
    patient: Annotated[Patient, Depends(_patient)],
    image: Annotated[
        UploadFile,
        File(
            description="dermoscopic image, JPEG or PNG, up to 25 MiB and 50 megapixels",
            json_schema_extra={"maxLength": limits.IMAGE_BYTES},
        ),
    ],
    heat_map: HeatMap = False,
    consent: Consent = False,
    key: Key = None,
) -> Response:
    """Segment the lesion, measure it and classify it; what was told of the patient is written down with the answer alone."""
    service.require_serving()
    data = await uploads.read_image_file(image)
    question = Question("image", "image", patient, heat_map, consent, asked_by(request), key)
    said = await while_there(request, service.predict(data, question))
    return _json(said)


@router.post(
    "/batch",
    summary="Predict several images",
    response_model=BatchPrediction,
    response_description="an item for each image, answered or with its problem, in the order in which they were sent",
    responses={200: {"content": {"application/json": {"example": examples.BATCH}}}, **_PROBLEMS},
)
async def predict_batch(
    request: Request,
    service: ServiceOf,
    images: Annotated[
        list[UploadFile],
        File(
            description="JPEG and PNG files, up to 64; or ZIPs of such, up to 200 MiB unpacked",
            min_length=1,
            max_length=limits.BATCH_IMAGES,
        ),
    ],
    heat_map: HeatMap = False,
    consent: Consent = False,
) -> Response:
    """Predict each image as if it were sent alone; one that cannot be read, or answered once another was, costs no other."""
    service.require_serving()
    sent = await uploads.read_files(images)
    batch = await while_there(request, _answer_each(service, sent, heat_map, consent, asked_by(request)))
    return _json(batch)


async def _answer_each(
    service: Service, sent: list[tuple[str, bytes]], heat_map: bool, consent: bool, user: str | None
) -> BatchPrediction:
    nobody = Patient(age=None, sex=None, site=None)
    items: list[BatchItem] = []
    for image in uploads.each_image(sent):
        question = Question(image.name, "images", nobody, heat_map, consent, user)
        answered = any(item.prediction is not None for item in items)
        items.append(await _answer_one(service, image, question, _OF_ONE | _OF_SERVER if answered else _OF_ONE))
    return BatchPrediction(items=items)


async def _answer_one(service: Service, image: uploads.Sent, question: Question, own: frozenset[Kind]) -> BatchItem:
    """Answer an image of a batch; `own`: kinds of problems that are its own, others are the batch's."""
    try:
        if image.problem is not None or image.data is None:
            raise image.problem or ApiError(Kind.UNREADABLE, f"{image.name}: is empty; choose another file", field="images")
        return BatchItem(name=image.name, prediction=await service.predict(image.data, question), problem=None)
    except ApiError as error:
        if error.kind not in own:
            raise
        return BatchItem(name=image.name, prediction=None, problem=error.problem())


def _json(answer: Prediction | BatchPrediction) -> Response:
    """Typed already: it is not checked a second time."""
    return Response(answer.model_dump_json(), media_type="application/json")
