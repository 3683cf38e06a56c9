"""`--data dvc:REPOSITORY@REVISION:PATH`: a folder as a DVC repository has it at a revision; this file alone knows DVC."""

import hashlib
import re
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import IO, Any

from components.errors import PictureError, SourceError
from components.ingest.archive import HEAD_BYTES
from components.ingest.digests import Digests
from components.ingest.layout import SourceFile, list_files, looked_at
from components.ingest.source import Listing, LoneBlob, Origin, Workplace
from components.params import DVC_SOURCE, source_name

_CREDENTIALS = re.compile(r"//[^/@\s]+@")  # of an address


@dataclass(frozen=True, slots=True)
class DvcFile(LoneBlob):
    """The bytes of a file of a repository at one commit, which DVC or git tracks."""

    files: Any
    path: str
    file: str
    commit: str
    size: int
    md5: str | None

    def identity(self) -> str:
        """Its MD5 where DVC tracks it; where git does, the commit and path, which fix it."""
        return f"md5:{self.md5}" if self.md5 else f"git:{self.commit}:{self.path}"

    def open(self) -> IO[bytes]:
        """The file, open for reading from any place."""
        with _told(self.file):
            handle: IO[bytes] = self.files.open(self.path, "rb")
            return handle

    def head(self) -> bytes:
        """Its first bytes."""
        with _told(self.file), self.open() as handle:
            return handle.read(HEAD_BYTES)

    def read(self) -> bytes:
        """All its bytes, compared with the MD5 by which DVC tracks it."""
        with _told(self.file), self.open() as handle:
            data = handle.read()
        if self.md5 and hashlib.md5(data, usedforsecurity=False).hexdigest() != self.md5:
            raise PictureError(f"{self.file}: its bytes are not those that DVC tracks (MD5 {self.md5}); push it again")
        return data


class DvcFolder:
    """A folder of a repository at a revision.

    Args:
        spelling: `dvc:REPOSITORY@REVISION:PATH`; REPOSITORY is a path or an address that git understands.
    """

    def __init__(self, spelling: str) -> None:
        found = DVC_SOURCE.fullmatch(spelling)
        assert found is not None  # the registry looked
        self._name = source_name(spelling)
        self._path = found["path"].strip("/")
        self._files = _open_repository(found["repository"], found["revision"], self._name)
        with _told(self._name):
            self._commit = str(self._files.repo.get_rev())
        self.origin = Origin(self._name, revision=self._commit)

    def fingerprint(self, digests: Digests) -> object:
        """The commit and the path: they fix every byte."""
        self._list()
        return [self._commit, self._path]

    def listing(self, digests: Digests, place: Workplace) -> Listing:
        """The pictures and tables below the path."""
        return list_files(self._list(), self.origin)

    def _list(self) -> list[SourceFile]:
        with _told(self._name):
            found = self._files.find(self._path or ".", detail=True)
        if not found:
            raise SourceError(
                f"{self._name}: there is no folder {self._path!r} at commit {self._commit[:12]}; look at PATH and REVISION"
            )
        below = f"{self._path}/" if self._path else ""
        named = sorted((path.lstrip("/").removeprefix(below), path, details) for path, details in found.items())
        return [self._file(*one) for one in named if looked_at(one[0])]

    def _file(self, relative: str, path: str, details: dict[str, Any]) -> SourceFile:
        blob = DvcFile(self._files, path, f"{self._name}/{relative}", self._commit, details.get("size") or 0, details.get("md5"))
        return SourceFile(relative, blob, blob.open)


def _open_repository(repository: str, revision: str, name: str) -> Any:
    try:
        from dvc.api import DVCFileSystem
    except ImportError as error:
        raise SourceError(f"{name}: DVC is not installed; pip install 'dermacare[orchestrate]'") from error
    with _told(name):
        return DVCFileSystem(repository, rev=revision)


@contextmanager
def _told(what: str) -> Iterator[None]:
    """Say what DVC, git or a remote answers, as a SourceError."""
    from dvc.exceptions import DvcException
    from dvc.scm import SCMError
    from dvc_data.index import DataIndexDirError

    try:
        yield
    except (DvcException, SCMError, DataIndexDirError, OSError) as error:
        words = " ".join(f"{error}: {error.__cause__ or ''}".strip(" :").split())
        words = _CREDENTIALS.sub("//", words)
        raise SourceError(f"{what}: DVC cannot give it ({words}); look at REPOSITORY, REVISION and its remote") from error
