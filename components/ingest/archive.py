"""Zips at a source, read where they lie: their list by its end, their members one by one, nothing unpacked to a disk."""

import zipfile
import zlib
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from functools import cached_property
from pathlib import PurePosixPath
from typing import IO

from components.errors import PictureError, SourceError
from components.ingest.source import LoneBlob
from components.zips import is_bounded, is_encrypted

HEAD_BYTES = 16 << 10
MOST_BYTES = 256 << 20


class Archive:
    """A zip.

    Args:
        file: what the user calls it.
        open_file: opens it for reading from any place; it is opened when its list is asked for, and kept open.
    """

    def __init__(self, file: str, open_file: Callable[[], IO[bytes]]) -> None:
        self.file = file
        self._open_file = open_file

    def members(self) -> list[zipfile.ZipInfo]:
        """Its files, from its front to its end.

        Raises:
            SourceError: it is no zip, it is cut off, or a name in it leads out of it.
        """
        infos = sorted((info for info in self._zip.infolist() if not info.is_dir()), key=lambda info: info.header_offset)
        for info in infos:
            parts = PurePosixPath(info.filename.replace("\\", "/"))
            if parts.is_absolute() or ".." in parts.parts or ":" in parts.parts[0]:
                raise SourceError(
                    f"{self.file}: {info.filename!r} in it leads out of the archive; nothing of it is read, get it again"
                )
        return infos

    def read(self, info: zipfile.ZipInfo, most: int | None = None) -> bytes:
        """A member's bytes, or the first `most` of them; whole ones are verified by size and CRC.

        Raises:
            PictureError: the member is damaged, encrypted, compressed by another method than Deflate, or too large.
            SourceError: the zip ends before the member does.
        """
        name = f"{self.file}/{info.filename}"
        if is_encrypted(info):
            raise PictureError(f"{name}: is encrypted; put it there without a password")
        if not is_bounded(info):
            raise PictureError(f"{name}: is compressed by another method than Deflate; make its archive anew with that")
        if info.file_size > MOST_BYTES:
            raise PictureError(f"{name}: says that it has {info.file_size:,} bytes, more than the {MOST_BYTES:,} that are read")
        try:
            with self._zip.open(info) as handle:
                # One more than it says: no more is unpacked, however much there is, and its CRC is looked at.
                data = handle.read(info.file_size + 1 if most is None else most)
        except (zipfile.BadZipFile, zlib.error, NotImplementedError) as error:
            raise PictureError(f"{name}: is damaged in its archive ({error}); get it again") from error
        except EOFError as error:
            raise SourceError(f"{self.file}: ends before {info.filename} does (it is truncated); get it again") from error
        if most is None and len(data) != info.file_size:
            raise PictureError(f"{name}: has {len(data):,} bytes, its archive says {info.file_size:,}; get it again")
        return data

    @cached_property
    def _zip(self) -> zipfile.ZipFile:
        with self._readable():
            return zipfile.ZipFile(self._open_file())

    @contextmanager
    def _readable(self) -> Iterator[None]:
        try:
            yield
        except (zipfile.BadZipFile, NotImplementedError) as error:
            raise SourceError(f"{self.file}: is no whole zip ({error}); get it again") from error
        except OSError as error:
            raise SourceError(f"{self.file}: cannot be read ({error.strerror}); mend or remove it") from error


@dataclass(frozen=True, slots=True)
class ArchiveMember(LoneBlob):
    """The bytes of a file in a zip."""

    archive: Archive
    info: zipfile.ZipInfo

    @property
    def size(self) -> int:
        """Its length, unpacked."""
        return self.info.file_size

    @property
    def place(self) -> tuple[str, int]:
        """The zip, and where in it."""
        return self.archive.file, self.info.header_offset

    def identity(self) -> str:
        """Its checksum and length, as the zip's list has them."""
        return f"crc32:{self.info.CRC:08x}:{self.info.file_size}"

    def head(self) -> bytes:
        """Its first bytes."""
        return self.archive.read(self.info, HEAD_BYTES)

    def read(self) -> bytes:
        """All its bytes, verified by length and CRC."""
        return self.archive.read(self.info)
