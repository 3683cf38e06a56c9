"""What the API answers with, typed; the OpenAPI document and the front end's client are made from it.

Probabilities and shares are 0 to 1. Places on an image are in its own pixels, upright (EXIF rotation applied), x to the right and y
down, from the upper left corner.
"""

from datetime import datetime
from enum import StrEnum
from typing import Annotated, Literal

from pydantic import BaseModel, ConfigDict, Field

from components.lesions import Diagnosis
from components.predict.dermoscopic_colours import Colour
from components.predict.quality import WarningCode
from pipelines.serving.facts import Digest, ModelFacts, ModelRef

Share = Annotated[float, Field(ge=0, le=1)]
Png = Annotated[str, Field(pattern="^data:image/png;base64,", description="a PNG as a data URI")]


class _Schema(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True)


class Sex(StrEnum):
    """As ISIC writes it."""

    FEMALE = "female"
    MALE = "male"


class Site(StrEnum):
    """Where on the body, as ISIC 2019 writes it."""

    ANTERIOR_TORSO = "anterior torso"
    HEAD_NECK = "head/neck"
    LATERAL_TORSO = "lateral torso"
    LOWER_EXTREMITY = "lower extremity"
    ORAL_GENITAL = "oral/genital"
    PALMS_SOLES = "palms/soles"
    POSTERIOR_TORSO = "posterior torso"
    UPPER_EXTREMITY = "upper extremity"


class Patient(_Schema):
    """What was told of the patient: written down with the answer; no model looks at it."""

    age: Annotated[int, Field(ge=0, le=120, description="years")] | None
    sex: Sex | None
    site: Site | None


class ImageFacts(_Schema):
    """The image that was answered: `sha256` of the bytes that were sent; `kept`: whether it was stored, by consent alone."""

    width: int
    height: int
    sha256: Digest
    kept: bool


class DiagnosisProbability(_Schema):
    """A diagnosis: its calibrated probability, and whether it cannot be ruled out (is in the conformal set)."""

    code: Diagnosis
    name: str
    malignant: bool
    probability: Share
    in_set: bool


class PredictionSet(_Schema):
    """What cannot be ruled out: holds the true diagnosis in `level` of images like those that the model was judged on, for each
    diagnosis in `own`; over all together for the others, of which there were too few images. `codes` may be empty."""

    level: Share
    codes: list[Diagnosis]
    own: list[Diagnosis]


class ColourShare(_Schema):
    """One of dermoscopy's six colours and the share of the lesion that has it."""

    name: Colour
    share: Share


class Measurements(_Schema):
    """Of the lesion, by its mask: in pixels and as shares of the image, since nothing tells how large a pixel is.

    `asymmetry`: share of the lesion that does not cover itself when folded along its main axes, the mean of both (0: symmetric).
    `border_irregularity`: the outline's length over that of a disc of the same area, less one (0: a disc). `colours`: those that
    cover 1 % or more.
    """

    area_pixels: int
    area_share: Share
    longest_diameter_pixels: float
    asymmetry: Share
    border_irregularity: Annotated[float, Field(ge=0)]
    colours: list[ColourShare]


class Lesion(_Schema):
    """Where the lesion is. `mask`: white lesion, transparent skin, of the image's size; `contours`: outlines, each a list of
    [x, y]. Without a lesion the answer has none, and none where `models` has no segmenter to look for it."""

    mask: Png
    contours: list[list[tuple[float, float]]]
    measurements: Measurements


class HeatMap(_Schema):
    """What speaks for a diagnosis, by Grad-CAM: a coloured, transparent picture to lay over the image. `on_lesion`: the share of it
    that lies on the lesion, where one was found."""

    code: Diagnosis
    picture: Png
    on_lesion: Share | None


class QualityWarning(_Schema):
    """Something about the image that may make the answer worth less, and what to do."""

    code: WarningCode
    message: str


class RefusalReason(_Schema):
    """Why there is no diagnosis: the image is stranger to the model (`strangeness`) than almost all that it was judged on
    (`threshold`)."""

    message: str
    strangeness: float
    threshold: float


class Models(_Schema):
    """The release that answered: a pair of models, and the entry of the ledger that lets it serve."""

    entry: int
    classifier: ModelRef | None
    segmenter: ModelRef | None


class Milliseconds(_Schema):
    """How long it took on the server; 0 for what was not asked for."""

    decode: float
    segment: float
    classify: float
    explain: float
    total: float


class Prediction(_Schema):
    """The answer to one image.

    `diagnoses` are sorted, the most probable first; refused, or without a classifier in `models`, there are none.
    `malignancy`: the sum over malignant diagnoses; it ranks images, and need not be the share of such that are malignant.
    `data_version`: of the data that trained the classifier.
    `notice`: what must stand beside the answer wherever it is shown.
    """

    id: Annotated[str, Field(pattern="^[0-9a-f]{32}$", description="`dermacare trace ID` tells where the answer comes from")]
    created: datetime
    image: ImageFacts
    patient: Patient
    refusal: RefusalReason | None
    diagnoses: list[DiagnosisProbability]
    prediction_set: PredictionSet | None
    malignancy: Share | None
    lesion: Lesion | None
    heat_map: HeatMap | None
    warnings: list[QualityWarning]
    models: Models
    data_version: Digest | None
    phantom: bool
    notice: str
    milliseconds: Milliseconds


class FieldProblem(_Schema):
    """A field of the request, and what is wrong with it."""

    field: str
    message: str


class Problem(_Schema):
    """What went wrong (RFC 9457)."""

    type: str
    title: str
    status: int
    detail: str
    instance: str
    errors: list[FieldProblem] = []


class BatchItem(_Schema):
    """One image of a batch: answered, or why not."""

    name: str
    prediction: Prediction | None
    problem: Problem | None


class BatchPrediction(_Schema):
    """The answers to a batch, in the order in which the images were sent (in a ZIP: in which they lie)."""

    items: list[BatchItem]


class ServingModels(_Schema):
    """What serves: the ledger's release; `stale`: why it is not the newest one, None where it is."""

    entry: int
    since: datetime
    classifier: ModelFacts | None
    segmenter: ModelFacts | None
    phantom: bool
    notice: str
    stale: str | None


class ConfusedWith(_Schema):
    """Another diagnosis that the serving model answered for a share of the test images which show this one."""

    code: Diagnosis
    share: Share


class LesionType(_Schema):
    """A diagnosis. `example`: address of a drawn picture of it, never of a patient. `confused_with`: the serving model's mistakes,
    those of 1 % or more of the test images that show it, the most frequent first."""

    code: Diagnosis
    name: str
    malignant: bool
    description: str
    dermoscopy: str
    colour: Annotated[str, Field(pattern="^#[0-9A-F]{6}$")]
    example: str
    confused_with: list[ConfusedWith]


class Health(_Schema):
    """Whether the process answers, or is ready to predict; `reason`: why it is not."""

    status: Literal["ok", "not ready"]
    reason: str | None
