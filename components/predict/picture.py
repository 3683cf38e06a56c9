"""An encoded image, read for an answer; it runs in a process of its own, so it returns small arrays and touches no model."""

from dataclasses import dataclass
from typing import NamedTuple

import cv2

from components.bundle import Bundle
from components.errors import ImageFormatError
from components.images import RGBImage, decode_image, read_size
from components.params import PreprocessParams, Size
from components.preprocess.stages import preprocess_image, read_image

LEAST_SIDE = 32
"""Pixels a side, of an image that is answered; in fewer nothing can be told."""
MOST_SIDE = 30_000
"""OpenCV scales no longer sides than 32,767."""

_VIEW_SIDE = 1024
_JPEG = b"\xff\xd8\xff"


class Stage(NamedTuple):
    """What a model's images go through: their stored size, and the parameters of preprocessing."""

    size: Size
    params: PreprocessParams


@dataclass(frozen=True)
class Reading:
    """How an image is read for a pair of models.

    Attributes:
        classifier, segmenter: None: there is no such model.
        whole: whether the classifier crops the whole image itself.
    """

    classifier: Stage | None
    segmenter: Stage | None
    whole: bool


@dataclass(frozen=True)
class Picture:
    """An image as it is answered.

    Attributes:
        height, width: its own, upright.
        view: its longer side at most 1024, h x w x 3, uint8, RGB: what is measured on it.
        classifier, segmenter: preprocessed for them, of their stored sizes; None: there is no such model.
        whole: in full; None where nothing needs it.
    """

    height: int
    width: int
    view: RGBImage
    classifier: RGBImage | None
    segmenter: RGBImage | None
    whole: RGBImage | None


def reading_for(classifier: Bundle | None, segmenter: Bundle | None) -> Reading:
    """How images are read for these models."""
    whole = classifier is not None and bool(classifier.description.segmenter_files)
    return Reading(None if whole else _stage(classifier), _stage(segmenter), whole)


def read_picture(data: bytes, name: str, reading: Reading, most_pixels: int) -> Picture:
    """Decode and preprocess an image as the preprocess step does.

    Args:
        data: a JPEG or PNG.
        name: what to call it in an error.
        reading: what is wanted of it.
        most_pixels: height times width of an image that is decoded, at most.

    Raises:
        ImageFormatError: it is none, is damaged, or has too many or too few pixels.
    """
    return read_with_pixels(data, name, reading, most_pixels)[0]


def read_with_pixels(data: bytes, name: str, reading: Reading, most_pixels: int) -> tuple[Picture, RGBImage]:
    """As `read_picture`, and the image in full, H x W x 3, uint8, RGB."""
    height, width = check_size(data, name, most_pixels)
    image = decode_image(data, name)
    picture = Picture(
        height=height,
        width=width,
        view=_view(image),
        classifier=_preprocessed(image, data, name, reading.classifier),
        segmenter=_preprocessed(image, data, name, reading.segmenter),
        whole=image if reading.whole else None,
    )
    return picture, image


def encoded_anew(image: RGBImage, data: bytes) -> bytes:
    """An image encoded as it came, as a JPEG or a PNG, without anything but its pixels: no EXIF, no comment, no profile.

    Args:
        image: what `data` decodes to.
        data: the file that it came as.
    """
    bgr = cv2.cvtColor(image, cv2.COLOR_RGB2BGR)
    if data.startswith(_JPEG):
        return bytes(cv2.imencode(".jpg", bgr, [cv2.IMWRITE_JPEG_QUALITY, 95])[1])
    return bytes(cv2.imencode(".png", bgr)[1])


def check_size(data: bytes, name: str, most_pixels: int) -> Size:
    """Height and width, by the header alone: nothing is decoded.

    Raises:
        ImageFormatError: as `read_picture`.
    """
    height, width = read_size(data, name)
    said = f"{name}: says that it is {width} x {height} pixels"
    if height * width > most_pixels:
        raise ImageFormatError(f"{said}, more than the {most_pixels // 1_000_000} megapixels that are answered; scale it down")
    if max(height, width) > MOST_SIDE:
        raise ImageFormatError(f"{said}; a side has {MOST_SIDE:,} at most, scale it down")
    if min(height, width) < LEAST_SIDE:
        raise ImageFormatError(f"{said}; a side has {LEAST_SIDE} at least, take a larger picture")
    return height, width


def _stage(bundle: Bundle | None) -> Stage | None:
    return None if bundle is None else Stage(bundle.description.stored_size, bundle.description.preprocess)


def _preprocessed(image: RGBImage, data: bytes, name: str, stage: Stage | None) -> RGBImage | None:
    if stage is None:
        return None
    if stage.params.mode == "fast":
        return read_image(data, name, stage.size, stage.params)  # decoded at the scale that the preprocess step decodes at
    return preprocess_image(image, stage.size, stage.params)


def _view(image: RGBImage) -> RGBImage:
    height, width = image.shape[:2]
    scale = _VIEW_SIDE / max(height, width)
    if scale >= 1:
        return image
    size = max(1, round(width * scale)), max(1, round(height * scale))
    view: RGBImage = cv2.resize(image, size, interpolation=cv2.INTER_AREA)
    return view
