"""Decoding in processes of their own, so that a bomb, a crash or a hang in a picture costs that picture alone.

A worker may use so much memory and so much time; past either it is killed and another takes its place. It reads pixels and returns
arrays: it knows no model, no address and no patient.
"""

import asyncio
import multiprocessing
import resource
import sys
import time
from concurrent.futures import Future
from concurrent.futures import TimeoutError as Late
from dataclasses import dataclass

import cv2
import psutil
from pebble import ProcessExpired, ProcessPool

from components.errors import ImageFormatError
from components.predict.picture import Picture, Reading, encoded_anew, read_with_pixels

_MEMORY = 1 << 30
"""Bytes a worker may have beside what it starts with: 50 megapixels of RGB seven times over."""

_TASKS = 1000  # a worker is replaced now and then, so that what a decoder leaks is given back


@dataclass(frozen=True)
class Decoded:
    """A picture; `kept`: the same pixels encoded anew, without EXIF or any other note, where they were asked for."""

    picture: Picture
    kept: bytes | None


class Decoder:
    """A pool of workers.

    Args:
        workers: how many decode at once.
        most_pixels: of an image that is decoded.
        seconds: that an image may take.
    """

    def __init__(self, workers: int, most_pixels: int, seconds: float) -> None:
        context = multiprocessing.get_context("forkserver")
        context.set_forkserver_preload([__name__])
        self._pool = ProcessPool(max_workers=workers, max_tasks=_TASKS, initializer=_confine, context=context)
        self._workers = workers
        self._most_pixels = most_pixels
        self._seconds = seconds

    def warm_up(self) -> None:
        """Start the workers, without waiting for them."""
        for _ in range(self._workers):
            self._pool.schedule(_wait, args=(0.05,))

    async def decode(self, data: bytes, name: str, reading: Reading, *, keep: bool = False) -> Decoded:
        """Read a picture; cancelled, its worker is killed.

        Args:
            data: a JPEG or PNG.
            name: what to call it in an error.
            reading: what is wanted of it.
            keep: whether to encode it anew.

        Raises:
            ImageFormatError: it cannot be read, or not within time and memory.
        """
        future = self._submit(data, name, reading, keep)
        try:
            return await asyncio.wrap_future(future)
        except Exception as error:
            raise _ours(error, name, self._seconds) from error

    def decode_now(self, data: bytes, name: str, reading: Reading, *, keep: bool = False) -> Decoded:
        """As `decode`, for who has no event loop."""
        try:
            return self._submit(data, name, reading, keep).result()
        except Exception as error:
            raise _ours(error, name, self._seconds) from error

    def close(self) -> None:
        """End the workers."""
        self._pool.stop()  # type: ignore[no-untyped-call]
        self._pool.join()

    def _submit(self, data: bytes, name: str, reading: Reading, keep: bool) -> "Future[Decoded]":
        arguments = (data, name, reading, self._most_pixels, keep)
        future: Future[Decoded] = self._pool.schedule(_decode, args=arguments, timeout=self._seconds)
        return future


def _ours(error: Exception, name: str, seconds: float) -> Exception:
    """What is told of a picture that cannot be read; any other error is the program's own."""
    if isinstance(error, ImageFormatError):
        return error
    if isinstance(error, Late):
        return ImageFormatError(f"{name}: was not decoded within {seconds:.0f} seconds; send it as another file")
    if isinstance(error, ProcessExpired):
        return ImageFormatError(f"{name}: crashed the program that decodes it; send it as another file")
    if isinstance(error, (MemoryError, cv2.error)):
        return ImageFormatError(f"{name}: needs more memory to be decoded than an image may; scale it down")
    return error


def _confine() -> None:
    """What a worker does before its first picture."""
    cv2.setNumThreads(1)
    if sys.platform == "linux":  # elsewhere the limit is not kept
        most = psutil.Process().memory_info().vms + _MEMORY
        resource.setrlimit(resource.RLIMIT_AS, (most, most))
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))  # pixels never come to lie in a core dump


def _wait(seconds: float) -> None:
    time.sleep(seconds)


def _decode(data: bytes, name: str, reading: Reading, most_pixels: int, keep: bool) -> Decoded:
    picture, image = read_with_pixels(data, name, reading, most_pixels)
    return Decoded(picture, encoded_anew(image, data) if keep else None)
