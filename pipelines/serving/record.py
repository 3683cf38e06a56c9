"""What the log keeps of an answer."""

from dataclasses import dataclass
from datetime import datetime

from components.lesions import CODES
from components.predict.picture import Picture
from components.predict.predictor import Answer, Diagnosed
from components.prediction_log import LoggedModel, LoggedPrediction
from pipelines.serving.facts import ModelFacts, ServedRelease


@dataclass(frozen=True)
class Asked:
    """What was asked about.

    Attributes:
        sha256: of the bytes of the image.
        kept: whether the image is kept, by consent.
        asked_by: who asked; None: nobody was asked who he is.
        age, sex, site: what was told of the patient.
    """

    sha256: str
    kept: bool = False
    asked_by: str | None = None
    age: int | None = None
    sex: str | None = None
    site: str | None = None


def record_of(
    prediction_id: str, created: datetime, asked: Asked, picture: Picture, answer: Answer, release: ServedRelease
) -> LoggedPrediction:
    """The row of an answer that a release gave."""
    diagnosed, shape = answer.diagnosed, answer.shape
    return LoggedPrediction(
        id=prediction_id,
        created=created,
        asked_by=asked.asked_by,
        image_sha256=asked.sha256,
        width=picture.width,
        height=picture.height,
        kept=asked.kept,
        age=asked.age,
        sex=asked.sex,
        site=asked.site,
        refused=answer.refused,
        strangeness=diagnosed.strangeness if diagnosed else None,
        probabilities=probabilities_of(diagnosed),
        prediction_set=codes_inside(diagnosed) if diagnosed else None,
        malignancy=diagnosed.malignancy if diagnosed else None,
        area_share=shape.area / (picture.height * picture.width) if shape else None,
        asymmetry=shape.asymmetry if shape else None,
        border_irregularity=shape.border_irregularity if shape else None,
        warnings=[code.value for code in answer.warnings],
        entry=release.entry,
        head=release.head,
        classifier=_model(release.classifier),
        segmenter=_model(release.segmenter),
        phantom=release.phantom,
    )


def probabilities_of(diagnosed: Diagnosed | None) -> dict[str, float]:
    """Probability by code, 0 to 1: of a float32 that rounding may have carried a hair beyond."""
    if diagnosed is None:
        return {}
    return {code: min(1.0, max(0.0, float(value))) for code, value in zip(CODES, diagnosed.probabilities, strict=True)}


def codes_inside(diagnosed: Diagnosed) -> list[str] | None:
    """Codes that cannot be ruled out, the most probable first; None: the classifier gives no sets."""
    if diagnosed.inside is None:
        return None
    return [CODES[place] for place in diagnosed.order if diagnosed.inside[place]]


def _model(model: ModelFacts | None) -> LoggedModel | None:
    if model is None:
        return None
    known = model.reference
    return LoggedModel(
        name=known.name, version=known.version, digest=known.digest, data_version=known.data_version, run_id=model.run_id
    )
