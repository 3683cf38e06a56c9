"""Reading pictures before they are asked for, where a source takes long to answer and answers many at once."""

from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import contextmanager

from components.ingest.source import Picture

Ahead = Callable[[Picture], bytes]
"""Gives a picture's bytes; raises what reading them raises."""


@contextmanager
def read_ahead(pictures: Sequence[Picture]) -> Iterator[Ahead]:
    """Give a function that reads pictures, each of which may be asked for once, in this order; some may be left out.

    While one is asked for, those after it are being read, as many as their blobs' `at_once` says.
    """
    at_once = max((picture.blob.at_once for picture in pictures), default=1)
    if at_once == 1:
        yield lambda picture: picture.blob.read()
        return
    waiting = iter(enumerate(pictures))
    begun: dict[int, tuple[int, Future[bytes]]] = {}
    with ThreadPoolExecutor(at_once) as pool:

        def begin() -> None:
            for place, picture in waiting:
                begun[id(picture)] = place, pool.submit(picture.blob.read)
                return

        def read(picture: Picture) -> bytes:
            place, data = begun.pop(id(picture))
            for left_out in [key for key, (earlier, _) in begun.items() if earlier < place]:
                del begun[left_out]
                begin()
            begin()
            return data.result()

        for _ in range(at_once):
            begin()
        try:
            yield read
        finally:
            pool.shutdown(cancel_futures=True)
