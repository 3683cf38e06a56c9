"""Decoding in processes of their own, so that a bomb, a crash or a hang in a picture costs that picture alone.

A worker may use so much memory and so much time; past either it is killed and another takes its place. It reads pixels and returns
arrays: it knows no model, no address and no patient.
"""

import asyncio
import math
import multiprocessing
import resource
import sys
import threading
import time
from concurrent.futures import Future
from concurrent.futures import TimeoutError as Late
from concurrent.futures.process import BrokenProcessPool
from dataclasses import dataclass

import cv2
import psutil
from pebble import ProcessExpired, ProcessPool

from components.errors import DecoderBusy, ImageFormatError
from components.predict.picture import Picture, Reading, encoded_anew, read_with_pixels

MEMORY = 1 << 30
"""Bytes a worker may have beside what it starts with: 50 megapixels of RGB seven times over."""

# Seconds that an image waits longer than those before it can take at worst; then no worker is at work any more.
_MARGIN = 30.0

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
        memory: bytes that a worker may have beside what it starts with.
    """

    def __init__(self, workers: int, most_pixels: int, seconds: float, memory: int = MEMORY) -> None:
        self._workers = workers
        self._most_pixels = most_pixels
        self._seconds = seconds
        self._memory = memory
        self._inside = 0  # images that wait or are decoded
        self._change = threading.RLock()  # a pool that is stopped may call back at once
        self._pool = self._made()

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
            DecoderBusy: no worker came to it.
        """
        for again in (True, False):
            pool, future, patience = self._submit(data, name, reading, keep)
            try:
                return await asyncio.wait_for(asyncio.wrap_future(future), patience)
            except asyncio.CancelledError:
                task = asyncio.current_task()
                if not again or task is None or task.cancelling():
                    raise  # whoever asked is gone; else the pool was replaced, and this picture with it
            except Exception as error:
                if not (again and self._mended(pool, error)):
                    raise _ours(error, name, self._seconds) from error
        raise AssertionError("two attempts")

    def decode_now(self, data: bytes, name: str, reading: Reading, *, keep: bool = False) -> Decoded:
        """As `decode`, for who has no event loop."""
        for again in (True, False):
            pool, future, patience = self._submit(data, name, reading, keep)
            try:
                return future.result(patience)
            except Exception as error:
                if not (again and self._mended(pool, error)):
                    raise _ours(error, name, self._seconds) from error
        raise AssertionError("two attempts")

    def close(self) -> None:
        """End the workers."""
        self._pool.stop()  # type: ignore[no-untyped-call]
        self._pool.join()

    def patience(self, inside: int) -> float:
        """Seconds until the image that came last of so many is decoded, where each takes as long as it may."""
        return _MARGIN + self._seconds * math.ceil(inside / self._workers)

    def _submit(self, data: bytes, name: str, reading: Reading, keep: bool) -> "tuple[ProcessPool, Future[Decoded], float]":
        """Hand an image to the pool; also how long to wait for it."""
        arguments = (data, name, reading, self._most_pixels, keep)
        with self._change:
            if not self._pool.active:
                self._replace()
            future: Future[Decoded] = self._pool.schedule(_decode, args=arguments, timeout=self._seconds)
            self._inside += 1
            submitted = self._pool, future, self.patience(self._inside)
        future.add_done_callback(self._leave)  # outside of the lock: it may be called at once
        return submitted

    def _leave(self, _: "Future[Decoded]") -> None:
        with self._change:
            self._inside -= 1

    def _mended(self, pool: ProcessPool, error: Exception) -> bool:
        """Whether the pool itself was at fault, as when somebody kills a worker that waits for work, and another took its place."""
        if not (_is_untaken(error) or isinstance(error, BrokenProcessPool)):
            return False
        with self._change:
            if pool is self._pool:
                self._replace()
        return True

    def _replace(self) -> None:
        old, self._pool = self._pool, self._made()
        old.stop()  # type: ignore[no-untyped-call]
        threading.Thread(target=old.join, name="old decoders", daemon=True).start()

    def _made(self) -> ProcessPool:
        context = multiprocessing.get_context("forkserver")
        context.set_forkserver_preload([__name__])
        return ProcessPool(
            max_workers=self._workers, max_tasks=_TASKS, initializer=_confine, initargs=(self._memory,), context=context
        )


def _is_untaken(error: Exception) -> bool:
    """Whether no worker took the picture; of one that took too long, pebble says so."""
    return isinstance(error, Late) and not error.args


def _ours(error: Exception, name: str, seconds: float) -> Exception:
    """What is told of a picture that cannot be read; any other error is the program's own."""
    if isinstance(error, ImageFormatError):
        return error
    if _is_untaken(error):
        return DecoderBusy(f"{name}: could not be decoded, since no decoder came to it; send it again")
    if isinstance(error, Late):
        return ImageFormatError(f"{name}: was not decoded within {seconds:g} seconds; send it as another file")
    if isinstance(error, ProcessExpired):
        return ImageFormatError(f"{name}: crashed the program that decodes it; send it as another file")
    if isinstance(error, (MemoryError, cv2.error)):
        return ImageFormatError(f"{name}: needs more memory to be decoded than an image may; scale it down")
    return error


def _confine(memory: int) -> None:
    """What a worker does before its first picture."""
    cv2.setNumThreads(1)
    if sys.platform == "linux":  # elsewhere the limit is not kept
        most = psutil.Process().memory_info().vms + memory
        resource.setrlimit(resource.RLIMIT_AS, (most, most))
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))  # pixels never come to lie in a core dump


def _wait(seconds: float) -> None:
    time.sleep(seconds)


def _decode(data: bytes, name: str, reading: Reading, most_pixels: int, keep: bool) -> Decoded:
    picture, image = read_with_pixels(data, name, reading, most_pixels)
    return Decoded(picture, encoded_anew(image, data) if keep else None)
