"""Bombs, hangs and crashes cost the picture that brought them, and no other."""

import asyncio
import threading
import time
from collections.abc import Iterator

import cv2
import numpy as np
import psutil
import pytest

from components.errors import DecoderBusy, ImageFormatError
from components.predict import decoder as module
from components.predict.decoder import Decoder
from components.predict.picture import Reading
from tests.components.predict.drawn import jpeg, lesion, png

NOTHING = Reading(None, None, whole=False)
MOST = 50_000_000


@pytest.fixture(scope="module")
def large() -> bytes:
    """A sound PNG of 49 megapixels in few bytes."""
    return bytes(cv2.imencode(".png", np.zeros((7000, 7000, 3), np.uint8), [cv2.IMWRITE_PNG_COMPRESSION, 9])[1])


@pytest.fixture
def decoder() -> Iterator[Decoder]:
    one = Decoder(1, MOST, seconds=30)
    yield one
    one.close()


def only_worker() -> psutil.Process:
    """The process of the one pool that is open: a child of the fork server."""
    end = time.monotonic() + 20
    while time.monotonic() < end:
        servers = [child for child in psutil.Process().children() if "forkserver" in " ".join(child.cmdline())]
        found = [worker for server in servers for worker in server.children() if worker.status() != psutil.STATUS_ZOMBIE]
        if len(found) == 1:
            return found[0]
        time.sleep(0.05)
    raise TimeoutError(f"{len(found)} workers")


def test_a_picture_comes_back_small_and_encoded_anew_where_asked(decoder: Decoder) -> None:
    exif = b"Exif\0\0MM\0*\0\0\0\x08\0\0\0\0\0\0"
    data = jpeg(lesion())
    marked = data[:2] + b"\xff\xe1" + (len(exif) + 2).to_bytes(2, "big") + exif + data[2:]
    decoded = decoder.decode_now(marked, "a", NOTHING, keep=True)
    assert (decoded.picture.height, decoded.picture.width) == (160, 200)
    assert decoded.kept.startswith(b"\xff\xd8")
    assert b"Exif" not in decoded.kept
    assert decoder.decode_now(png(lesion()), "b", NOTHING).kept is None


def test_a_large_picture_is_read_and_one_that_takes_too_long_is_given_up(large: bytes, decoder: Decoder) -> None:
    assert decoder.decode_now(large, "large", NOTHING).picture.view.shape == (1024, 1024, 3)
    impatient = Decoder(1, MOST, seconds=0.05)
    try:
        with pytest.raises(ImageFormatError, match=r"large: was not decoded within 0\.05 seconds"):
            impatient.decode_now(large, "large", NOTHING)
    finally:
        impatient.close()


def test_a_picture_that_needs_more_memory_than_it_may_is_given_up(large: bytes) -> None:
    poor = Decoder(1, MOST, seconds=30, memory=64 << 20)
    try:
        with pytest.raises(ImageFormatError, match="large: needs more memory to be decoded than an image may"):
            poor.decode_now(large, "large", NOTHING)
        assert poor.decode_now(png(lesion()), "small", NOTHING).picture.width == 200
    finally:
        poor.close()


def test_a_worker_that_dies_takes_its_picture_with_it_and_no_other(large: bytes, decoder: Decoder) -> None:
    decoder.decode_now(png(lesion()), "first", NOTHING)
    worker = only_worker()
    killer = threading.Timer(0.1, worker.kill)
    killer.start()
    with pytest.raises(ImageFormatError, match="large: crashed the program that decodes it"):
        decoder.decode_now(large, "large", NOTHING)
    assert decoder.decode_now(png(lesion()), "next", NOTHING).picture.width == 200


def test_nobody_waiting_any_more_the_worker_is_stopped(large: bytes, decoder: Decoder) -> None:
    decoder.decode_now(png(lesion()), "first", NOTHING)
    before = only_worker()

    async def leave() -> None:
        task = asyncio.create_task(decoder.decode(large, "large", NOTHING))
        await asyncio.sleep(0.1)
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task

    asyncio.run(leave())
    end = time.monotonic() + 10
    while before.is_running() and before.status() != psutil.STATUS_ZOMBIE:
        assert time.monotonic() < end
        time.sleep(0.02)
    assert decoder.decode_now(png(lesion()), "next", NOTHING).picture.width == 200


def never_ready(_: int) -> None:
    """In the place of what a worker does before its first picture."""
    time.sleep(600)


def test_an_image_waits_as_long_as_those_before_it_may_take() -> None:
    two = Decoder(2, MOST, seconds=10)
    two.close()
    assert two.patience(32) > 160
    assert 10 < two.patience(1) == two.patience(2) < two.patience(3)


def test_an_image_that_no_worker_came_to_is_not_to_blame(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "_confine", never_ready)
    monkeypatch.setattr(module, "_MARGIN", 0.2)
    stuck = Decoder(1, MOST, seconds=0.1)
    try:
        with pytest.raises(DecoderBusy, match="small: could not be decoded, since no decoder came to it"):
            stuck.decode_now(png(lesion()), "small", NOTHING)
    finally:
        stuck.close()
