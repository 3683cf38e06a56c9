"""Digests of local files, remembered from call to call by path, size and time of change, so that only changed files are read."""

import json
from pathlib import Path

from components.files import sha256_file, write_text


class Digests:
    """Digests of files.

    Args:
        cache: the file that keeps them; None: they are kept in memory alone.
    """

    def __init__(self, cache: Path | None = None) -> None:
        self._cache = cache
        self._new = False
        self._known: dict[str, list[int | str]] = {}
        if cache is not None and cache.exists():
            try:
                self._known = dict(json.loads(cache.read_bytes()))
            except ValueError:
                self._new = True  # a damaged cache costs time, nothing else

    def known(self, path: str, size: int, changed: int) -> str | None:
        """The SHA-256 of a file of this length and time of change (nanoseconds), if it was read before."""
        kept = self._known.get(path)
        return str(kept[2]) if kept is not None and kept[:2] == [size, changed] else None

    def of(self, path: str, size: int, changed: int) -> str:
        """The SHA-256 of a file; it is read where it was not before.

        Raises:
            OSError: it cannot be read.
        """
        known = self.known(path, size, changed)
        if known is None:
            known = sha256_file(Path(path))
            self.learn(path, size, changed, known)
        return known

    def learn(self, path: str, size: int, changed: int, digest: str) -> None:
        """Remember the SHA-256 of a file."""
        if self.known(path, size, changed) != digest:
            self._known[path] = [size, changed, digest]
            self._new = True

    def save(self) -> None:
        """Write what was learnt."""
        if self._cache is not None and self._new:
            write_text(self._cache, json.dumps(self._known))
