"""One prediction from its bytes to its answer: decoded in a worker, answered on a thread, logged, and only then given."""

import asyncio
import os
import tempfile
import time
import uuid
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import TypeVar

from components.errors import DecoderBusy, ImageFormatError, StoreError
from components.files import sha256_bytes, writing
from components.predict.decoder import Decoded, Decoder
from components.prediction_log import LoggedPrediction
from dermacare.api import answers, limits, schemas
from dermacare.api.metrics import Metrics
from dermacare.api.problems import ApiError, Kind
from dermacare.api.settings import Settings
from dermacare.api.watcher import NOTHING, Serving, Watcher
from pipelines.serving.record import Asked, record_of

T = TypeVar("T")

_DECODER_RETRY = "10"  # seconds


@dataclass(frozen=True)
class Question:
    """What is asked of an image.

    Attributes:
        name: what to call it in an error.
        field: of the request, which it came in.
        patient: what was told of the patient.
        heat_map: whether to show what speaks for the most probable diagnosis.
        consent: whether the image may be kept.
        asked_by: who asks; None: nobody was asked.
        key: what whoever asks calls this question, 32 hexadecimal digits; asked again under it, it is logged once. None: nothing.
    """

    name: str
    field: str
    patient: schemas.Patient
    heat_map: bool
    consent: bool
    asked_by: str | None
    key: str | None = None


class Service:
    """All that a server holds.

    Args:
        settings: of the server.
    """

    def __init__(self, settings: Settings) -> None:
        self.settings = settings
        self.metrics = Metrics()
        self.watcher = Watcher(settings, self.metrics)
        self._log = settings.home.predictions()
        self._decoder = Decoder(settings.decoding, limits.IMAGE_PIXELS, settings.decode_seconds)
        # Images that are decoded or answered: as many as are worked at, so that pixels, up to 150 MiB an image, do not pile up
        # between the two; those that wait lie there as they were sent.
        self._places = asyncio.Semaphore(settings.decoding + settings.answering)
        self._threads = ThreadPoolExecutor(settings.answering, thread_name_prefix="answer")

    def start(self) -> None:
        """Load what serves, and follow the ledger."""
        self._decoder.warm_up()
        self.watcher.start()

    def stop(self) -> None:
        """End what was started; answers that are under way were given before."""
        self.watcher.stop()
        self._threads.shutdown(cancel_futures=True)
        self._decoder.close()
        self._log.close()

    def require_serving(self) -> Serving:
        """What serves.

        Raises:
            ApiError: nothing does.
        """
        serving = self.watcher.serving
        if serving is None:
            raise ApiError(Kind.NOT_READY, self.watcher.stale or NOTHING)
        return serving

    async def not_ready(self) -> str | None:
        """Why it cannot predict, a sentence without its full stop; None: it can."""
        if self.watcher.serving is None:
            return self.watcher.stale or NOTHING
        try:
            # Not on the threads that answer: whoever asks this waits for no image.
            await asyncio.to_thread(self._log.require_room)
        except StoreError as error:
            return str(error)
        return None

    async def run(self, work: Callable[[], T]) -> T:
        """Run something on one of the threads that answer."""
        return await asyncio.get_running_loop().run_in_executor(self._threads, work)

    async def predict(self, data: bytes, question: Question) -> schemas.Prediction:
        """Answer an image. The release that serves when this begins answers, whatever comes to serve meanwhile.

        Raises:
            ApiError: nothing serves, the image cannot be read, no decoder came to it, or the answer cannot be logged.
        """
        serving, started = self.require_serving(), time.perf_counter()
        async with self._places:
            decoded = await self._decode(data, question, serving)
            read = time.perf_counter()
            return await self.run(lambda: self._answer(data, question, decoded, serving, started, read))

    async def _decode(self, data: bytes, question: Question, serving: Serving) -> Decoded:
        try:
            return await self._decoder.decode(data, question.name, serving.predictor.reading, keep=question.consent)
        except ImageFormatError as error:
            self.metrics.unreadable.inc()
            raise ApiError(Kind.UNREADABLE, str(error), field=question.field) from error
        except DecoderBusy as error:
            self.metrics.turned_away.inc()
            raise ApiError(Kind.BUSY, str(error), headers={"Retry-After": _DECODER_RETRY}) from error

    def _answer(
        self, data: bytes, question: Question, decoded: Decoded, serving: Serving, started: float, read: float
    ) -> schemas.Prediction:
        answer = serving.predictor.answer(decoded.picture, heat_map=question.heat_map)
        asked = Asked(sha256_bytes(data), question.consent, question.asked_by, **question.patient.model_dump())
        name = question.key or uuid.uuid4().hex
        record = record_of(name, datetime.now(UTC), asked, decoded.picture, answer, serving.release)
        try:
            if question.key is None:
                self._write_down(record, decoded.kept)
            else:
                record = self._write_down_once(record, decoded.kept)
        except StoreError as error:
            raise ApiError(Kind.NOT_LOGGED, str(error)) from error
        took = schemas.Milliseconds(
            decode=(read - started) * 1000,
            segment=answer.times.segment,
            classify=answer.times.classify,
            explain=answer.times.explain,
            total=(time.perf_counter() - started) * 1000,
        )
        said = answers.prediction(record.id, record.created, asked, decoded.picture, answer, serving.release, took)
        self._count(said)
        return said

    def _write_down_once(self, record: LoggedPrediction, encoded: bytes | None) -> LoggedPrediction:
        """Log an answer under its question's key, unless that is done: what was said of it was lost on the way, or is on its way.

        Returns:
            The row that stands: that of before, or where another answer has the key, one of another id.

        Raises:
            StoreError: it cannot be logged, or its image not be kept.
        """
        logged = self._log.find(record.id)
        if logged is None:
            try:
                self._write_down(record, encoded)
            except StoreError:
                logged = self._log.find(record.id)  # the same question, sent again before this one was done
                if logged is None:
                    raise
            else:
                return record
        if logged == record.model_copy(update={"created": logged.created}):
            if encoded is not None:  # where the log's own answer was lost, the image was taken back; the row says that it is kept
                _keep(self.settings.home.kept, logged.id, encoded)
            return logged
        other = record.model_copy(update={"id": uuid.uuid4().hex})
        self._write_down(other, encoded)
        return other

    def _write_down(self, record: LoggedPrediction, encoded: bytes | None) -> None:
        """Log an answer, and keep its image where it may be kept: both or neither.

        Raises:
            StoreError: it cannot be done.
        """
        kept = None if encoded is None else _keep(self.settings.home.kept, record.id, encoded)
        try:
            self._log.append(record)
        except StoreError:
            logged = None
            with suppress(StoreError):
                logged = self._log.find(record.id)
            if kept is not None and logged is None:
                kept.unlink(missing_ok=True)
            raise

    def _count(self, said: schemas.Prediction) -> None:
        if said.refusal is not None:
            self.metrics.refusals.inc()
        elif said.diagnoses:
            self.metrics.predictions.labels(said.diagnoses[0].code.value).inc()
        for warning in said.warnings:
            self.metrics.warnings.labels(warning.code.value).inc()


def _keep(folder: Path, prediction_id: str, encoded: bytes) -> Path:
    """Store an image that may be kept, whole or not at all, for its owner's eyes alone.

    Raises:
        StoreError: the folder cannot be written.
    """
    target = folder / f"{prediction_id}{'.jpg' if encoded.startswith(bytes([0xFF, 0xD8])) else '.png'}"
    with writing(target):
        folder.mkdir(parents=True, exist_ok=True, mode=0o700)
        # mkstemp makes files that only their owner may read
        handle, name = tempfile.mkstemp(dir=folder, prefix=".", suffix=".part")
        try:
            with os.fdopen(handle, "wb") as file:
                file.write(encoded)
                file.flush()
                os.fsync(file.fileno())
            Path(name).replace(target)
        except BaseException:
            Path(name).unlink(missing_ok=True)
            raise
    return target
