"""From an answer to what the API says of it."""

import base64
from datetime import datetime

from components.lesions import CODES, LESIONS, Diagnosis
from components.predict.dermoscopic_colours import colour_shares
from components.predict.picture import Picture
from components.predict.pictures import heat_picture, mask_picture
from components.predict.predictor import Answer, Diagnosed, Heat
from components.predict.quality import MESSAGES
from components.predict.shape import Outline, Shape, simplified
from dermacare.api import schemas
from pipelines.serving.facts import ModelFacts, ModelRef, ServedRelease
from pipelines.serving.record import Asked, codes_inside, probabilities_of

NOTICE = "Decision support, not a diagnosis."
DRAWN = "The models were trained on drawn images and know nothing about skin."
_REFUSED = (
    "The image does not look like the dermoscopic images that the model knows, so no diagnosis is given. "
    "Send a sharp dermoscopic image of one lesion."
)
# Of an outline, in pixels and as a share of the image's longer side: finer than anyone sees.
_TOLERANCE = (0.5, 0.001)


def notice(release: ServedRelease | None) -> str:
    """What must stand beside every answer of a release."""
    return f"{NOTICE} {DRAWN}" if release is not None and release.phantom else NOTICE


def prediction(
    prediction_id: str,
    created: datetime,
    asked: Asked,
    picture: Picture,
    answer: Answer,
    release: ServedRelease,
    milliseconds: schemas.Milliseconds,
) -> schemas.Prediction:
    """What the API says of an answer."""
    diagnosed, shown = answer.diagnosed, not answer.refused
    return schemas.Prediction(
        id=prediction_id,
        created=created,
        image=schemas.ImageFacts(width=picture.width, height=picture.height, sha256=asked.sha256, kept=asked.kept),
        patient=schemas.Patient.model_validate({"age": asked.age, "sex": asked.sex, "site": asked.site}),
        refusal=_refusal(diagnosed),
        diagnoses=_diagnoses(diagnosed) if diagnosed is not None and shown else [],
        prediction_set=_set(diagnosed) if diagnosed is not None and shown else None,
        malignancy=diagnosed.malignancy if diagnosed is not None and shown else None,
        lesion=_lesion(picture, answer),
        heat_map=None if answer.heat is None else _heat_map(answer.heat),
        warnings=[schemas.QualityWarning(code=code, message=MESSAGES[code]) for code in answer.warnings],
        models=schemas.Models(
            entry=release.entry, classifier=_reference(release.classifier), segmenter=_reference(release.segmenter)
        ),
        data_version=None if release.classifier is None else release.classifier.reference.data_version,
        phantom=release.phantom,
        notice=notice(release),
        milliseconds=milliseconds,
    )


def data_uri(png: bytes) -> str:
    """A PNG as a data URI."""
    return "data:image/png;base64," + base64.b64encode(png).decode()


def _refusal(diagnosed: Diagnosed | None) -> schemas.RefusalReason | None:
    if diagnosed is None or not diagnosed.refused:
        return None
    assert diagnosed.strangeness is not None
    assert diagnosed.threshold is not None
    return schemas.RefusalReason(message=_REFUSED, strangeness=diagnosed.strangeness, threshold=diagnosed.threshold)


def _diagnoses(diagnosed: Diagnosed) -> list[schemas.DiagnosisProbability]:
    """The most probable first; without sets nothing is ruled out."""
    probabilities = probabilities_of(diagnosed)
    return [
        schemas.DiagnosisProbability(
            code=(code := Diagnosis(CODES[place])),
            name=LESIONS[code].name,
            malignant=LESIONS[code].malignant,
            probability=probabilities[code],
            in_set=diagnosed.inside is None or bool(diagnosed.inside[place]),
        )
        for place in diagnosed.order
    ]


def _set(diagnosed: Diagnosed) -> schemas.PredictionSet | None:
    conformal, codes = diagnosed.conformal, codes_inside(diagnosed)
    if conformal is None or codes is None:
        return None
    return schemas.PredictionSet(
        level=conformal.level,
        codes=[Diagnosis(code) for code in codes],
        own=[Diagnosis(code) for code in conformal.own],
    )


def _lesion(picture: Picture, answer: Answer) -> schemas.Lesion | None:
    if answer.mask is None or answer.shape is None:
        return None
    tolerance = max(_TOLERANCE[0], _TOLERANCE[1] * max(picture.height, picture.width))
    outlines = [simplified(outline, tolerance) for outline in answer.shape.outlines]
    return schemas.Lesion(
        mask=data_uri(mask_picture(answer.mask)),
        contours=[_points(outline) for outline in outlines],
        measurements=_measurements(picture, answer.shape),
    )


def _points(outline: Outline) -> list[tuple[float, float]]:
    points: list[tuple[float, float]] = outline.astype(float).tolist()
    return points


def _measurements(picture: Picture, shape: Shape) -> schemas.Measurements:
    colours = colour_shares(picture.view, shape.largest)
    return schemas.Measurements(
        area_pixels=shape.area,
        area_share=shape.area / (picture.height * picture.width),
        longest_diameter_pixels=shape.diameter,
        asymmetry=shape.asymmetry,
        border_irregularity=shape.border_irregularity,
        colours=[schemas.ColourShare(name=name, share=share) for name, share in colours.items()],
    )


def _heat_map(heat: Heat) -> schemas.HeatMap:
    return schemas.HeatMap(code=heat.diagnosis, picture=data_uri(heat_picture(heat.heat)), on_lesion=heat.on_lesion)


def _reference(model: ModelFacts | None) -> ModelRef | None:
    return None if model is None else model.reference
