"""What holds the decoder, the models and the log together, without a server around it."""

import asyncio
import resource
import threading
from pathlib import Path
from typing import Any

import pytest

from components.errors import StoreError
from components.predict.decoder import Decoder
from components.predict.predictor import Predictor
from dermacare.api import schemas
from dermacare.api.service import Question, Service, _keep
from dermacare.api.settings import Settings
from pipelines.home import Home
from tests.components.predict.drawn import lesion, png

IMAGE = png(lesion())
NOBODY = schemas.Patient(age=None, sex=None, site=None)


def test_no_more_images_are_decoded_than_are_worked_at(ready_home: Home, monkeypatch: pytest.MonkeyPatch) -> None:
    asked, most = 12, 0
    decoded: list[Any] = []
    answered: list[Any] = []
    full = threading.Event()
    decode, answer = Decoder.decode, Predictor.answer

    async def counted(decoder: Decoder, *given: Any, **more: Any) -> Any:
        nonlocal most
        picture = await decode(decoder, *given, **more)
        decoded.append(picture)
        most = max(most, len(decoded) - len(answered))
        if len(decoded) == asked:
            full.set()
        return picture

    def slow(predictor: Predictor, picture: Any, **more: Any) -> Any:
        if not full.wait(2):
            full.set()  # nothing piled up while this one was answered; the others need not wait for it
        answered.append(picture)
        return answer(predictor, picture, **more)

    service = Service(Settings(ready_home, answering=2, decoding=2))
    service.watcher._recall()
    monkeypatch.setattr(Decoder, "decode", counted)
    monkeypatch.setattr(Predictor, "answer", slow)

    async def ask_all() -> list[schemas.Prediction]:
        question = Question("image", "image", NOBODY, heat_map=False, consent=False, asked_by=None)
        return await asyncio.gather(*(service.predict(IMAGE, question) for _ in range(asked)))

    try:
        assert len(asyncio.run(ask_all())) == asked
    finally:
        service._threads.shutdown()
        service._decoder.close()
    assert most <= 4


def test_an_image_that_cannot_be_kept_in_full_leaves_nothing_behind(tmp_path: Path) -> None:
    before = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (len(IMAGE) // 2, before[1]))  # as a full disk
    try:
        with pytest.raises(StoreError, match="cannot be written"):
            _keep(tmp_path / "kept", "0" * 32, IMAGE)
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, before)
    assert list((tmp_path / "kept").iterdir()) == []
