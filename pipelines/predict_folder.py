"""Predictions for a folder of images: masks, overlays and a table, by what serves; killed, the same call goes on from there.

What is done stands line by line in `predictions.jsonl` of the output, written after the pictures of the line; the table is made of
it at the end, whole or not at all.
"""

import csv
import getpass
import hashlib
import io
import json
import os
from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import cv2
import numpy as np

from components.errors import DecoderBusy, DermaCareError, ImageFormatError, SourceError
from components.files import atomic_write, locked, sha256_bytes, writing
from components.images import RGBImage
from components.lesions import CODES
from components.predict.decoder import Decoder
from components.predict.dermoscopic_colours import colour_shares
from components.predict.picture import Picture
from components.predict.pictures import overlay_picture
from components.predict.predictor import Answer, Predictor
from components.prediction_log import PredictionLog
from pipelines.home import Home
from pipelines.serving.cache import ServingCache
from pipelines.serving.facts import ServedRelease
from pipelines.serving.fetch import fetch_release
from pipelines.serving.record import Asked, codes_inside, probabilities_of, record_of

TABLE = "predictions.csv"
COLUMNS: tuple[str, ...] = (
    "image",
    "id",
    "sha256",
    "width",
    "height",
    "error",
    "refused",
    "diagnosis",
    *(f"p_{code}" for code in CODES),
    "not_ruled_out",
    "malignancy",
    "area_pixels",
    "area_share",
    "longest_diameter_pixels",
    "asymmetry",
    "border_irregularity",
    "colours",
    "warnings",
    "mask",
    "overlay",
    "classifier",
    "segmenter",
    "entry",
    "phantom",
)

_JOURNAL = "predictions.jsonl"
_MASKS, _OVERLAYS = "masks", "overlays"
_SUFFIXES = frozenset({".jpg", ".jpeg", ".png"})
_MOST_PIXELS = 100_000_000
_SECONDS = 30.0

Row = dict[str, Any]


@dataclass(frozen=True)
class FolderDone:
    """What came of a folder.

    Attributes:
        table: the CSV file.
        answered, refused, unreadable: how many images; their sum is all of them.
        before: how many of them an earlier call had done.
        release: what answered.
        old: why it is not the newest release; None: it is.
    """

    table: Path
    answered: int
    refused: int
    unreadable: int
    before: int
    release: ServedRelease
    old: str | None


def predict_folder(folder: Path, output: Path, home: Home, tell: Callable[[int, int], None]) -> FolderDone:
    """Answer every JPEG and PNG of a folder and those below it.

        predictions.csv          a line an image: see COLUMNS; one that cannot be read has its reason in `error`
        masks/<image>.png        0 | 255, of the image's own size; none for a refused image
        overlays/<image>.jpg     the image with the lesion's outline

    Args:
        folder: the images; nothing in it is changed.
        output: the folder to write; it may hold the images' folder, or lie in it.
        home: whose release answers, and whose log keeps the answers.
        tell: called with the number of images done and of all images.

    Raises:
        SourceError: the folder is none, holds no image, or is the output.
        DermaCareError: no release can be had: what `fetch_release` raises.
        StoreError: the output cannot be written, or another process writes it.
    """
    images = _images(folder, output)
    release, predictor, old = _serving(home)
    with locked(output / ".lock", wait=False):
        done = _Journal(output / _JOURNAL, release)
        decoder = Decoder(1, _MOST_PIXELS, _SECONDS)
        try:
            work = _Work(folder, output, _places(images), release, predictor, decoder, home.predictions())
            before = 0
            for number, image in enumerate(images):
                tell(number, len(images))
                try:
                    data = (folder / image).read_bytes()
                except OSError as error:
                    done.add(work.unread(image, error))
                    continue
                if done.has(image, sha256_bytes(data)):
                    before += 1
                else:
                    done.add(work.row(image, data))
        finally:
            decoder.close()
        rows = [done.rows[image.as_posix()] for image in images]
        _write_table(output / TABLE, rows)
    tell(len(images), len(images))
    unreadable, refused = sum(bool(row["error"]) for row in rows), sum(bool(row["refused"]) for row in rows)
    return FolderDone(output / TABLE, len(rows) - unreadable - refused, refused, unreadable, before, release, old)


def _images(folder: Path, output: Path) -> list[Path]:
    """Paths below the folder, sorted; what an earlier call wrote into it is none of them."""
    if not folder.is_dir():
        raise SourceError(f"{folder}: is no folder; name one that holds JPEG or PNG images")
    if folder.resolve() == output.resolve():
        raise SourceError(f"{output}: holds the images themselves, which what is written could replace; name another output")
    own = [(output / name).resolve() for name in (_MASKS, _OVERLAYS)]
    files = (path for path in folder.rglob("*") if path.suffix.lower() in _SUFFIXES and path.is_file())
    found = sorted(path.relative_to(folder) for path in files if not any(path.resolve().is_relative_to(one) for one in own))
    if not found:
        raise SourceError(f"{folder}: holds no JPEG or PNG image beside what was written by this command; name another folder")
    return found


def _places(images: Sequence[Path]) -> dict[Path, str]:
    """Image → its name in the output, without a suffix where that is clear."""
    stems = Counter(image.with_suffix("") for image in images)
    return {image: (image.with_suffix("") if stems[image.with_suffix("")] == 1 else image).as_posix() for image in images}


def _serving(home: Home) -> tuple[ServedRelease, Predictor, str | None]:
    """The newest release; where it cannot be had, the last that answered, and why."""
    cache = ServingCache(home.serving)
    try:
        release = fetch_release(home)
        predictor = cache.load(release)
    except DermaCareError as error:
        remembered = cache.remembered
        if remembered is None:
            raise
        return remembered, cache.load(remembered), str(error)
    cache.remember(release)
    return release, predictor, None


class _Journal:
    """What is done, line by line; a line that a kill cut off counts for nothing.

    Args:
        path: the file.
        release: whose answers count; those of other models are given anew.
    """

    def __init__(self, path: Path, release: ServedRelease) -> None:
        self._path = path
        self._models = _models(release)
        self.rows: dict[str, Row] = {}
        kept = b""
        if path.exists():
            for line in path.read_bytes().splitlines(keepends=True):
                if not line.endswith(b"\n"):
                    break
                row: Row = json.loads(line)
                kept += line
                if (row["classifier"], row["segmenter"]) == self._models:
                    self.rows[row["image"]] = row
            with atomic_write(path) as file:
                file.write(kept)

    def has(self, image: Path, sha256: str) -> bool:
        """Whether an image of these bytes was answered by these models."""
        row = self.rows.get(image.as_posix())
        return row is not None and row["sha256"] == sha256

    def add(self, row: Row) -> None:
        """Write a line; when this returns, it is on the disk."""
        self.rows[row["image"]] = row
        with writing(self._path), self._path.open("ab") as file:
            file.write(json.dumps(row).encode() + b"\n")  # in ASCII: a file's name need not be UTF-8
            file.flush()
            os.fsync(file.fileno())


@dataclass(frozen=True)
class _Work:
    """All that one image needs."""

    folder: Path
    output: Path
    places: dict[Path, str]
    release: ServedRelease
    predictor: Predictor
    decoder: Decoder
    log: PredictionLog

    def row(self, image: Path, data: bytes) -> Row:
        """Answer an image, write its pictures, log the answer; the line of the table."""
        self._remove_pictures(image)
        row = self._begun(image, sha256_bytes(data))
        try:
            decoded = self.decoder.decode_now(data, image.as_posix(), self.predictor.reading, keep=True)
        except ImageFormatError as error:
            return row | {"error": str(error)}
        except DecoderBusy as error:
            return row | {"sha256": "", "error": str(error)}  # without its digest, so that the next call tries again
        answer = self.predictor.answer(decoded.picture)
        row |= {"id": self._log(image, row["sha256"], decoded.picture, answer), "refused": answer.refused}
        row |= {"width": decoded.picture.width, "height": decoded.picture.height}
        row |= {"warnings": "; ".join(code.value for code in answer.warnings)}
        if answer.refused:
            return row
        return row | _diagnosis(answer) | _lesion(decoded.picture, answer) | self._pictures(image, decoded.kept, answer)

    def unread(self, image: Path, error: OSError) -> Row:
        """The line of an image whose file cannot be read; the next call tries again."""
        self._remove_pictures(image)
        reason = f"{image.as_posix()}: cannot be read ({error.strerror}); see that it is there and its permissions"
        return self._begun(image, "") | {"error": reason}

    def _begun(self, image: Path, sha256: str) -> Row:
        classifier, segmenter = _models(self.release)
        return dict.fromkeys(COLUMNS, "") | {
            "image": image.as_posix(),
            "sha256": sha256,
            "classifier": classifier,
            "segmenter": segmenter,
            "entry": self.release.entry,
            "phantom": self.release.phantom,
        }

    def _log(self, image: Path, sha256: str, picture: Picture, answer: Answer) -> str:
        """The answer's id: the same for the same question, so that a call which was killed in between logs it once."""
        asked = [self.output.resolve().as_posix(), image.as_posix(), sha256, self.release.head]
        prediction_id = hashlib.sha256(json.dumps(asked).encode()).hexdigest()[:32]
        if self.log.find(prediction_id) is None:
            asked_by = Asked(sha256, asked_by=getpass.getuser())
            self.log.append(record_of(prediction_id, datetime.now(UTC), asked_by, picture, answer, self.release))
        return prediction_id

    def _pictures(self, image: Path, encoded: bytes | None, answer: Answer) -> Row:
        if answer.mask is None or encoded is None:
            return {}
        mask, overlay = self._names(image)
        with atomic_write(self.output / mask) as file:
            file.write(bytes(cv2.imencode(".png", answer.mask.astype(np.uint8) * 255)[1]))
        outlines = [] if answer.shape is None else answer.shape.outlines
        with atomic_write(self.output / overlay) as file:
            file.write(overlay_picture(_rgb(encoded), outlines))
        return {"mask": mask, "overlay": overlay}

    def _remove_pictures(self, image: Path) -> None:
        """Remove what an earlier answer showed: where this one has no pictures, those would pass for its own."""
        for name in self._names(image):
            with writing(self.output / name):
                (self.output / name).unlink(missing_ok=True)

    def _names(self, image: Path) -> tuple[str, str]:
        """Mask and overlay, below the output."""
        return f"{_MASKS}/{self.places[image]}.png", f"{_OVERLAYS}/{self.places[image]}.jpg"


def _rgb(encoded: bytes) -> RGBImage:
    """What the decoder's worker encoded anew; it is sound."""
    bgr = cv2.imdecode(np.frombuffer(encoded, np.uint8), cv2.IMREAD_COLOR)
    image: RGBImage = cv2.cvtColor(bgr, cv2.COLOR_BGR2RGB)
    return image


def _models(release: ServedRelease) -> tuple[str, str]:
    """Digests of the two; empty where there is none."""
    classifier, segmenter = ("" if one is None else one.reference.digest for one in (release.classifier, release.segmenter))
    return classifier, segmenter


def _diagnosis(answer: Answer) -> Row:
    if answer.diagnosed is None:
        return {}
    probabilities = probabilities_of(answer.diagnosed)
    inside = codes_inside(answer.diagnosed)
    return {
        "diagnosis": CODES[answer.diagnosed.order[0]],
        **{f"p_{code}": round(value, 6) for code, value in probabilities.items()},
        "not_ruled_out": "" if inside is None else " ".join(inside),
        "malignancy": round(answer.diagnosed.malignancy, 6),
    }


def _lesion(picture: Picture, answer: Answer) -> Row:
    if answer.shape is None:
        return {}
    shape = answer.shape
    colours = colour_shares(picture.view, shape.largest)
    return {
        "area_pixels": shape.area,
        "area_share": round(shape.area / (picture.height * picture.width), 6),
        "longest_diameter_pixels": round(shape.diameter, 1),
        "asymmetry": round(shape.asymmetry, 4),
        "border_irregularity": round(shape.border_irregularity, 4),
        "colours": "; ".join(f"{name} {share:.2f}" for name, share in colours.items()),
    }


def _write_table(path: Path, rows: Sequence[Row]) -> None:
    text = io.StringIO()
    writer = csv.DictWriter(text, COLUMNS)
    writer.writeheader()
    writer.writerows(rows)
    with atomic_write(path) as file:
        file.write(text.getvalue().encode(errors="surrogateescape"))  # a name as it lies on the disk, UTF-8 or not
