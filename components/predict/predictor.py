"""The answer to an image: what a classifier says, where a segmenter finds the lesion, and what to think of both."""

import time
from collections.abc import Sequence
from dataclasses import dataclass, field, replace

import cv2
import numpy as np
import numpy.typing as npt

from components.bundle import Bundle
from components.conformal import Conformal, prediction_sets
from components.errors import BundleError
from components.grad_cam import GradCam, Head
from components.images import RGBImage
from components.lesion_crop import WHOLE, Box
from components.lesions import CODES, LESIONS, Diagnosis
from components.mask import mask_of
from components.params import Size
from components.predict.picture import Picture, Reading, Stage, reading_for
from components.predict.quality import Segmented, WarningCode, find_warnings
from components.predict.shape import Shape, measure_shape

Floats = npt.NDArray[np.float32]
Flags = npt.NDArray[np.bool_]

_MALIGNANT = np.array([LESIONS[one].malignant for one in Diagnosis])


@dataclass(frozen=True)
class Diagnosed:
    """What a classifier says.

    Attributes:
        probabilities: 8, calibrated, in the order of `CODES`.
        inside: 8, whether each is in the conformal set; None: the classifier gives no sets.
        conformal: by which thresholds.
        strangeness, threshold: how strange the image is to it, and from where on it refuses; None: it refuses none.
    """

    probabilities: Floats
    inside: Flags | None
    conformal: Conformal | None
    strangeness: float | None
    threshold: float | None

    @property
    def refused(self) -> bool:
        """Whether the image is so strange that nothing should be said."""
        return self.strangeness is not None and self.threshold is not None and self.strangeness > self.threshold

    @property
    def order(self) -> list[int]:
        """Places of the diagnoses, the most probable first."""
        return [int(place) for place in np.argsort(-self.probabilities, kind="stable")]

    @property
    def malignancy(self) -> float:
        """Probability that it is malignant: the sum over such diagnoses."""
        return min(1.0, float(self.probabilities[_MALIGNANT].sum(dtype=np.float64)))


@dataclass(frozen=True)
class Heat:
    """What speaks for a diagnosis.

    Attributes:
        diagnosis: which.
        heat: of the image's view, h x w, 0 to 1 at the highest place.
        on_lesion: share of it that lies on the lesion, 0 to 1; None: no lesion was found, or nothing speaks for it.
    """

    diagnosis: Diagnosis
    heat: Floats
    on_lesion: float | None


@dataclass(frozen=True)
class Times:
    """Milliseconds that each part took; 0 for what was not asked for."""

    segment: float = 0.0
    classify: float = 0.0
    explain: float = 0.0


@dataclass(frozen=True)
class Answer:
    """The answer to an image. Refused, it has no mask, shape or heat map: an outline would say that there is a lesion to see.

    Attributes:
        diagnosed: None: there is no classifier.
        mask: of the image's own size, True where lesion; None: refused, or there is no segmenter.
        shape: of the lesion; None: there is no mask, or no lesion in it.
        heat: None: it was not asked for, or the network cannot be explained.
        warnings: what may make the answer worth less.
        times: what it took.
    """

    diagnosed: Diagnosed | None
    mask: Flags | None = None
    shape: Shape | None = None
    heat: Heat | None = None
    warnings: list[WarningCode] = field(default_factory=list)
    times: Times = field(default_factory=Times)

    @property
    def refused(self) -> bool:
        """Whether the classifier refused the image."""
        return self.diagnosed is not None and self.diagnosed.refused


class Predictor:
    """A pair of models, ready to answer from any number of threads.

    Args:
        classifier, segmenter: either may be None.
        heads: of the classifier's network (`components.grad_cam`), which then gives out what they name; none: no heat maps.
    """

    def __init__(self, classifier: Bundle | None, segmenter: Bundle | None, heads: Sequence[Head] = ()) -> None:
        self._classifier = classifier
        self._segmenter = segmenter
        self._camera = None if classifier is None else GradCam(classifier.values, heads, classifier.description.input_size)
        self.reading: Reading = reading_for(classifier, segmenter)

    def warm_up(self) -> None:
        """Answer a picture of nothing, so that the first person does not wait for what is done once."""
        side = 64
        blank = np.full((side, side, 3), 128, np.uint8)
        classifier, segmenter = (_blank(stage) for stage in (self.reading.classifier, self.reading.segmenter))
        self.answer(Picture(side, side, blank, classifier, segmenter, blank if self.reading.whole else None), heat_map=True)

    def answer(self, picture: Picture, *, heat_map: bool = False) -> Answer:
        """Answer an image that was read as `reading` says.

        Args:
            picture: the image.
            heat_map: whether to show what speaks for the most probable diagnosis.

        Raises:
            BundleError: a network's answer is no number.
        """
        size, wanted = (picture.height, picture.width), self._wanted
        started = time.perf_counter()
        diagnosed = self._diagnose(picture)
        times = Times(classify=_since(started))
        if diagnosed is not None and diagnosed.refused:
            return Answer(diagnosed, warnings=find_warnings(picture.view, size, wanted, None), times=times)
        started = time.perf_counter()
        mask = self._segment(picture)
        shape = None if mask is None else measure_shape(mask)
        times = replace(times, segment=_since(started))
        started = time.perf_counter()
        heat = self._explain(picture, diagnosed, shape) if heat_map and diagnosed is not None else None
        times = replace(times, explain=_since(started) if heat_map else 0.0)
        segmented = None if mask is None else Segmented(_scaled(mask, picture.view.shape[:2]), shape)
        return Answer(diagnosed, mask, shape, heat, find_warnings(picture.view, size, wanted, segmented), times)

    @property
    def _wanted(self) -> Size:
        """Height and width of the larger of what the two models look at."""
        sizes = [one.description.stored_size for one in (self._classifier, self._segmenter) if one is not None]
        return (max(size[0] for size in sizes), max(size[1] for size in sizes)) if sizes else (0, 0)

    def _diagnose(self, picture: Picture) -> Diagnosed | None:
        if self._classifier is None:
            return None
        probabilities, strangeness = self._classifier.predict_with_strangeness(self._pixels(picture)[0][None])
        _require_finite(self._classifier, probabilities)
        conformal, refusal = self._classifier.description.conformal, self._classifier.refusal
        return Diagnosed(
            probabilities=probabilities[0],
            inside=None if conformal is None else prediction_sets(probabilities, conformal)[0],
            conformal=conformal,
            strangeness=None if strangeness is None else float(strangeness[0]),
            threshold=None if refusal is None else refusal.threshold,
        )

    def _pixels(self, picture: Picture) -> tuple[npt.NDArray[np.uint8], Box]:
        """What the classifier looks at, and which part of the image it shows."""
        assert self._classifier is not None
        if picture.whole is None:
            assert picture.classifier is not None
            return picture.classifier, WHOLE
        return self._classifier.preprocess_part(picture.whole)

    def _segment(self, picture: Picture) -> Flags | None:
        if self._segmenter is None or picture.segmenter is None:
            return None
        threshold = self._segmenter.description.mask_threshold
        assert threshold is not None, self._segmenter.name
        (probabilities,) = self._segmenter.predict_pixels(picture.segmenter[None])
        _require_finite(self._segmenter, probabilities)
        return mask_of(probabilities, (picture.height, picture.width), threshold)

    def _explain(self, picture: Picture, diagnosed: Diagnosed, shape: Shape | None) -> Heat | None:
        if self._camera is None or not self._camera.knows:
            return None
        place = diagnosed.order[0]
        pixels, part = self._pixels(picture)
        (seen,) = self._camera.maps(pixels[None], np.array([place]))
        height, width = picture.view.shape[:2]
        heat = np.zeros((height, width), np.float32)
        down, across = part.slices((height, width))
        shown = heat[down, across].shape
        heat[down, across] = cv2.resize(seen, shown[::-1], interpolation=cv2.INTER_LINEAR)
        total, highest = float(heat.sum()), float(heat.max())
        on_lesion = None
        if shape is not None and total > 0:
            on_lesion = min(1.0, float(heat[_scaled(shape.largest, (height, width))].sum()) / total)
        return Heat(Diagnosis(CODES[place]), heat / highest if highest > 0 else heat, on_lesion)


def _blank(stage: Stage | None) -> RGBImage | None:
    return None if stage is None else np.full((*stage.size, 3), 128, np.uint8)


def _scaled(mask: Flags, size: Size) -> Flags:
    scaled: Flags = cv2.resize(mask.astype(np.uint8), (size[1], size[0]), interpolation=cv2.INTER_NEAREST_EXACT) > 0
    return scaled


def _require_finite(bundle: Bundle, answer: Floats) -> None:
    if not np.isfinite(answer).all():
        raise BundleError(f"{bundle.name}: its answer is no number; let another version serve (`dermacare rollback`)")


def _since(started: float) -> float:
    return (time.perf_counter() - started) * 1000
