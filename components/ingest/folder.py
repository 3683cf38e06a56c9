"""`--data FOLDER`: a folder with ISIC files as published, wherever they lie below it, unpacked or in their zips."""

import io
import os
import stat
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import IO, cast

from components.errors import PictureError, SourceError
from components.files import sha256_bytes
from components.ingest.archive import HEAD_BYTES
from components.ingest.digests import Digests
from components.ingest.layout import SourceFile, list_files, looked_at
from components.ingest.source import Listing, LoneBlob, Origin, Workplace
from components.params import PHANTOM


@dataclass(frozen=True, slots=True)
class LocalFile(LoneBlob):
    """The bytes of a file on this machine, as it was when it was listed.

    Attributes:
        path: where it lies.
        file: what the user calls it.
        size, changed: its length, and when it was changed last, in nanoseconds.
        digests: what is known of local files.
    """

    path: str
    file: str
    size: int
    changed: int
    digests: Digests

    @property
    def stamp(self) -> str:
        """Its name, length and time of change."""
        return f"{self.file}:{self.size}:{self.changed}"

    def identity(self) -> str:
        """The digest of its bytes."""
        try:
            return f"sha256:{self.digests.of(self.path, self.size, self.changed)}"
        except OSError as error:
            return f"unreadable: {error.strerror}"

    def head(self) -> bytes:
        """Its first bytes."""
        return self._read(HEAD_BYTES)

    def read(self) -> bytes:
        """All its bytes; those that its digest was made of, where that is known."""
        data = self._read(-1)
        digest = sha256_bytes(data)
        if len(data) != self.size or self.digests.known(self.path, self.size, self.changed) not in (None, digest):
            raise self._change()
        self.digests.learn(self.path, self.size, self.changed, digest)
        return data

    def open(self) -> IO[bytes]:
        """The file, open for reading from any place, as zips are."""
        return cast(IO[bytes], _WatchedFile(self))

    def _read(self, count: int) -> bytes:
        try:
            with open(self.path, "rb", buffering=0) as handle:  # noqa: PTH123  (a Path for each of 50,000 files costs more than reading it)
                self.require_unchanged(handle.fileno())
                return handle.read(count)
        except OSError as error:
            raise PictureError(f"{self.file}: cannot be read ({error.strerror}); mend or remove it") from error

    def require_unchanged(self, descriptor: int) -> None:
        """Hold the open file against the one that was listed.

        Raises:
            SourceError: it is another, or was written to.
        """
        now = os.fstat(descriptor)
        if (now.st_size, now.st_mtime_ns) != (self.size, self.changed):
            raise self._change()

    def _change(self) -> SourceError:
        return SourceError(f"{self.file}: changed while it was read; wait until its folder is whole, then run again")


class _WatchedFile(io.FileIO):
    """A local file that is read for long: each read makes sure that nobody has written to it."""

    def __init__(self, listed: LocalFile) -> None:
        super().__init__(listed.path)
        self._listed = listed

    def read(self, size: int | None = -1, /) -> bytes:
        """So many bytes, fewer only where the file ends."""
        self._listed.require_unchanged(self.fileno())
        return super().read(-1 if size is None else size)


@dataclass(frozen=True)
class NoFile(LoneBlob):
    """What has the name of a picture or table, and cannot be read."""

    sentence: str
    size: int = 0

    @property
    def stamp(self) -> str:
        """The reason."""
        return self.sentence

    def identity(self) -> str:
        """The reason: when it changes, there is something new to read."""
        return self.sentence.partition(": ")[2]

    def head(self) -> bytes:
        """Nothing."""
        raise PictureError(self.sentence)

    def read(self) -> bytes:
        """Nothing."""
        raise PictureError(self.sentence)


class Folder:
    """A folder of this machine.

    Args:
        path: the folder; it exists.
    """

    def __init__(self, path: Path) -> None:
        self._path = path
        name = path.name or "folder"
        # Only what is drawn may be called phantom: bundles and pages warn of it.
        self.origin = Origin(f"{path.parent.name}/{name}" if name == PHANTOM else name)

    def fingerprint(self, digests: Digests) -> object:
        """What the files hold and their paths below the folder, not where it lies."""
        return [[file.relative, file.blob.identity()] for file in folder_files(self._path, self.origin, digests)]

    def listing(self, digests: Digests, place: Workplace) -> Listing:
        """The pictures and tables below the folder."""
        return list_files(folder_files(self._path, self.origin, digests), self.origin)


def folder_files(folder: Path, origin: Origin, digests: Digests) -> list[SourceFile]:
    """Every picture, table and zip below a folder, in the order of their names.

    Raises:
        SourceError: a folder cannot be read.
    """
    return [_source_file(folder, relative, entry, origin, digests) for relative, entry in _walk(folder, "")]


def _walk(root: Path, prefix: str) -> Iterator[tuple[str, "os.DirEntry[str]"]]:
    try:
        with os.scandir(root / prefix) as found:
            entries = sorted(found, key=lambda entry: entry.name)
    except OSError as error:
        raise SourceError(f"{root.name}/{prefix}: cannot be read ({error.strerror}); give permission or leave it out") from error
    for entry in entries:
        relative, is_folder = prefix + entry.name, entry.is_dir(follow_symlinks=False)
        if looked_at(entry.name) and not (is_folder and entry.name.lower().endswith(".zip")):
            yield relative, entry
        if is_folder and not entry.name.startswith(".") and entry.name != "__MACOSX":
            yield from _walk(root, f"{relative}/")


def _source_file(root: Path, relative: str, entry: "os.DirEntry[str]", origin: Origin, digests: Digests) -> SourceFile:
    path, file = entry.path, f"{origin.name}/{relative}"
    if entry.is_symlink() and not Path(path).resolve().is_relative_to(root):
        sentence = f"{file}: is a link that leaves its folder, which is not followed; put the file there itself"
        return SourceFile(relative, NoFile(sentence))
    try:
        state = entry.stat()
    except OSError as error:
        return SourceFile(relative, NoFile(f"{file}: cannot be read ({error.strerror}); mend or remove it"))
    if not stat.S_ISREG(state.st_mode):  # opening a pipe would wait for ever
        return SourceFile(relative, NoFile(f"{file}: cannot be read (it is no file); put the file there"))
    blob = LocalFile(path, file, state.st_size, state.st_mtime_ns, digests)
    return SourceFile(relative, blob, blob.open)
