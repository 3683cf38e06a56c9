"""A remote file as one that can be read from any place, by few and large requests."""

import io
from collections.abc import Callable

LEAST_AHEAD = 16 << 10
MOST_AHEAD = 8 << 20


class RangedFile(io.RawIOBase):
    """Reads a file by ranges, and ahead: little after a jump, twice as much with each range that goes on from the last.

    So a header here and there costs one small request, and reading from front to end one request for every 8 MiB.

    Args:
        fetch: gives the bytes from an offset on: (offset, length) → exactly so many bytes, at least 1.
        size: the file's length.
    """

    def __init__(self, fetch: Callable[[int, int], bytes], size: int) -> None:
        self._fetch = fetch
        self._size = size
        self._position = 0
        self._start = 0  # of what is held
        self._held = b""
        self._ahead = LEAST_AHEAD

    def readable(self) -> bool:
        """It is."""
        return True

    def seekable(self) -> bool:
        """It is."""
        return True

    def tell(self) -> int:
        """Where the next read begins."""
        return self._position

    def seek(self, offset: int, whence: int = io.SEEK_SET) -> int:
        """Go to an offset from the start, from here or from the end."""
        base = {io.SEEK_SET: 0, io.SEEK_CUR: self._position, io.SEEK_END: self._size}[whence]
        self._position = max(0, base + offset)
        return self._position

    def read(self, size: int | None = -1, /) -> bytes:
        """So many bytes, fewer only where the file ends."""
        end = self._size if size is None or size < 0 else min(self._position + size, self._size)
        if end <= self._position:
            return b""
        if not self._start <= self._position <= end <= self._start + len(self._held):
            self._hold(self._position, end)
        data = self._held[self._position - self._start : end - self._start]
        self._position = end
        return data

    def _hold(self, begin: int, end: int) -> None:
        """Hold the bytes from `begin` to `end` and some after them."""
        held_to = self._start + len(self._held)
        kept = self._held[begin - self._start :] if self._start <= begin < held_to else b""
        goes_on = self._held and self._start <= begin <= held_to + self._ahead
        self._ahead = min(2 * self._ahead, MOST_AHEAD) if goes_on else LEAST_AHEAD
        first = begin + len(kept)
        last = min(max(end, first + self._ahead), self._size)
        self._held, self._start = kept + self._fetch(first, last - first), begin
