"""What the C code of libjpeg and libpng prints on stderr, caught and given to whoever decodes.

Both say there, and nowhere else, that an image is damaged; OpenCV then returns pixels all the same, grey where the data ended.
So decoding runs under `DecoderMessages.watch`, which keeps their lines off the user's terminal and tells the damaged image from
the sound.
"""

import os
import re
import tempfile
import threading
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from typing import IO

# What libjpeg calls "corrupt" can be harmless (some cameras leave a byte before the end); these two lost pixels.
_DAMAGE = re.compile(r"premature end of|bad Huffman code|libpng error", re.IGNORECASE)
_DECODERS = re.compile(
    r"JPEG|JFIF|libpng|Adobe color transform|progression sequence|SOS parameters|scanlines|marker type|grfmt_|imgcodecs|loadsave"
)


class DecoderMessages:
    """Watches file descriptor 2 while images are decoded, by any number of threads.

    The descriptor belongs to the whole process: it is turned aside when the first thread comes in and back when the last one has
    gone out, and lines of others that were caught meanwhile are passed on.
    """

    def __init__(self) -> None:
        self._change = threading.Condition()
        self._inside = 0
        self._alone = False
        self._stderr = -1
        self._caught: IO[bytes] | None = None

    @contextmanager
    def watch(self, *, alone: bool = False) -> Iterator[list[str]]:
        """Give a list that holds, after the block, the lines that tell of damage.

        Args:
            alone: wait until no other thread decodes and let none in, so that the lines are surely this block's.
        """
        damage: list[str] = []
        start = self._enter(alone)
        try:
            yield damage
        finally:
            damage += [line for line in self._leave(start) if _DAMAGE.search(line)]

    def _enter(self, alone: bool) -> int:
        with self._change:
            self._change.wait_for(lambda: not self._alone and not (alone and self._inside))
            self._alone = alone
            if self._inside == 0:
                self._turn_aside()
            self._inside += 1
            return self._end()

    def _leave(self, start: int) -> list[str]:
        with self._change:
            lines = self._lines(start)
            self._inside -= 1
            self._alone = False
            if self._inside == 0:
                self._turn_back()
            self._change.notify_all()
            return lines

    def _turn_aside(self) -> None:
        # A daemon may have closed its stderr; then there is nothing to keep clean.
        with suppress(OSError):
            self._caught = self._caught or tempfile.TemporaryFile(buffering=0)  # noqa: SIM115
            self._stderr = os.dup(2)
            os.dup2(self._caught.fileno(), 2)

    def _turn_back(self) -> None:
        if self._stderr < 0 or self._caught is None:
            return
        os.dup2(self._stderr, 2)
        if self._end():
            others = [line for line in self._lines(0) if not _DECODERS.search(line)]
            os.write(self._stderr, "".join(line + "\n" for line in others).encode())
            self._caught.seek(0)
            self._caught.truncate()
        os.close(self._stderr)
        self._stderr = -1

    def _end(self) -> int:
        return os.fstat(self._caught.fileno()).st_size if self._caught else 0

    def _lines(self, start: int) -> list[str]:
        end = self._end()
        return os.pread(self._caught.fileno(), end - start, start).decode(errors="replace").splitlines() if self._caught else []
