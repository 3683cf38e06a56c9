"""A digest of all that ingest would read, from which the key of its step is made."""

import hashlib
import json
import stat
from pathlib import Path

from components.files import sha256_file, write_text
from components.ingest.folder import PHANTOM, FolderFile, find_folder, folder_files
from components.params import IngestParams


def ingest_fingerprint(params: IngestParams, cache: Path | None = None) -> str:
    """Digest of the files of all sources at which ingest looks: 64 hexadecimal digits.

    It depends on what the files hold and on their paths below their source, not on where the source lies. Phantoms are drawn from
    parameters alone, so they add nothing but their name.

    Args:
        params: which sources.
        cache: a file that keeps digests by path, size and time of change, so that only changed files are read; None: all are.

    Raises:
        SourceError: a source does not exist or cannot be read.
    """
    digests = _Digests(cache)
    listed = [
        [source] if source == PHANTOM else [[file.relative, digests.of(file)] for file in folder_files(find_folder(source))]
        for source in dict.fromkeys(params.sources)
    ]
    digests.save()
    return hashlib.sha256(json.dumps(listed).encode()).hexdigest()


class _Digests:
    """Digests of files, remembered from call to call."""

    def __init__(self, cache: Path | None) -> None:
        self._cache = cache
        self._new = False
        self._known: dict[str, list[int | str]] = {}
        if cache is not None and cache.exists():
            try:
                self._known = dict(json.loads(cache.read_bytes()))
            except ValueError:
                self._new = True  # a damaged cache costs time, nothing else

    def of(self, file: FolderFile) -> str:
        """A file's digest; for what ingest cannot read, a word that says so."""
        if file.outside:
            return "not followed"
        try:
            state = file.path.stat()
            if not stat.S_ISREG(state.st_mode):
                return "no file"
            stamp = [state.st_size, state.st_mtime_ns]
            known = self._known.get(str(file.path))
            if known is None or known[:2] != stamp:
                known = self._known[str(file.path)] = [*stamp, sha256_file(file.path)]
                self._new = True
            return str(known[2])
        except OSError as error:
            return f"unreadable: {error.strerror}"

    def save(self) -> None:
        """Write what was learnt."""
        if self._cache is not None and self._new:
            write_text(self._cache, json.dumps(self._known))
