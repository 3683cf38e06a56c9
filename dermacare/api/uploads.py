"""What was sent: images, and ZIPs of images; sizes, types and names are looked at before anything is decoded.

Nothing is written to the disk.
"""

import asyncio
import io
import zipfile
import zlib
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import PurePosixPath

from fastapi import UploadFile
from starlette.formparsers import MultiPartParser

from components.zips import is_bounded, is_encrypted
from dermacare.api import limits
from dermacare.api.problems import ApiError, Kind

# A form's files stay in memory, however large: an image that was not to be kept never touches the disk.
MultiPartParser.spool_max_size = limits.BATCH_BYTES + limits.FORM_BYTES

_ZIP = (b"PK\x03\x04", b"PK\x05\x06")
_IMAGES = (b"\xff\xd8\xff", b"\x89PNG\r\n\x1a\n")
_DAMAGED = (zipfile.BadZipFile, ValueError, NotImplementedError, OSError)
_ENTRY = b"PK\x01\x02"
# Files of a ZIP: images, folders, and what file managers hide beside each.
_MOST_ENTRIES = 1000


@dataclass(frozen=True)
class Sent:
    """An image as it was sent: what it is called, and its bytes, or why they are not taken."""

    name: str
    data: bytes | None
    problem: ApiError | None


async def read_image_file(file: UploadFile) -> bytes:
    """The bytes of the field `image`.

    Raises:
        ApiError: they are too many, or no JPEG or PNG.
    """
    data = await _taken(file)
    problem = _refused(data, "image", "image")
    if problem is not None:
        raise problem
    return data


async def read_files(files: Sequence[UploadFile]) -> list[tuple[str, bytes]]:
    """Names and bytes of the field `images`.

    Raises:
        ApiError: a ZIP among them is damaged, encrypted, holds a path that leads out of it, or too much.
    """
    sent = [(_label(file.filename or f"image {number}"), await _taken(file)) for number, file in enumerate(files, 1)]
    count = total = 0
    for name, data in sent:
        entries = await asyncio.to_thread(_entries, name, data) if data.startswith(_ZIP) else None
        count += 1 if entries is None else len(entries)
        total += len(data) if entries is None else sum(entry.file_size for entry in entries)
    if count > limits.BATCH_IMAGES:
        raise ApiError(
            Kind.TOO_LARGE, f"images: are {count:,}, more than {limits.BATCH_IMAGES}; send several batches", field="images"
        )
    if total > limits.BATCH_BYTES:
        most = limits.BATCH_BYTES // limits.MIB
        raise ApiError(Kind.TOO_LARGE, f"images: are more than {most} MiB unpacked; send several batches", field="images")
    return sent


async def _taken(file: UploadFile) -> bytes:
    """A file's bytes; its own copy of them is given back, so that they are in memory once."""
    data = await file.read()
    await file.close()
    return data


def each_image(sent: Sequence[tuple[str, bytes]]) -> Iterator[Sent]:
    """The images of what `read_files` took, one after the other, so that no more than one is unpacked at a time."""
    for name, data in sent:
        if not data.startswith(_ZIP):
            yield _checked(name, data)
            continue
        with zipfile.ZipFile(io.BytesIO(data)) as archive:
            for entry in _entries(name, data):
                yield _unpacked(archive, entry)


def _entries(name: str, data: bytes) -> list[zipfile.ZipInfo]:
    """The files of a ZIP; folders and what file managers hide in it are none."""
    # Looked for before zipfile makes an object of each. What the end of a ZIP says of their number may be a lie; this is not.
    if data.count(_ENTRY) > _MOST_ENTRIES:
        detail = f"images: {name} holds more than {_MOST_ENTRIES:,} files and folders; send several batches"
        raise ApiError(Kind.TOO_LARGE, detail, field="images")
    try:
        with zipfile.ZipFile(io.BytesIO(data)) as archive:
            found = [entry for entry in archive.infolist() if not entry.is_dir()]
    except _DAMAGED as error:
        raise ApiError(Kind.UNREADABLE, f"images: {name} is a damaged ZIP ({error}); make it anew", field="images") from error
    for entry in found:
        path = PurePosixPath(entry.filename.replace("\\", "/"))
        if path.is_absolute() or ".." in path.parts:
            detail = f"images: {name} holds {_label(entry.filename)}, a path that leads out of it; make it anew"
            raise ApiError(Kind.UNREADABLE, detail, field="images")
        if is_encrypted(entry):
            raise ApiError(Kind.UNREADABLE, f"images: {name} is encrypted; send it without a password", field="images")
        if not is_bounded(entry):
            told = "compressed by another method than Deflate; make it anew with that"
            detail = f"images: {name} holds {_label(entry.filename)}, {told}"
            raise ApiError(Kind.UNREADABLE, detail, field="images")
    return [entry for entry in found if not _is_hidden(entry.filename)]


def _is_hidden(name: str) -> bool:
    """Whether a file manager put it there."""
    return any(part == "__MACOSX" or part.startswith(".") for part in PurePosixPath(name).parts)


def _unpacked(archive: zipfile.ZipFile, entry: zipfile.ZipInfo) -> Sent:
    """A file in a ZIP; zipfile gives no more of it than its header says, and what headers say was counted before."""
    name = _label(entry.filename)
    try:
        with archive.open(entry) as file:
            content = file.read(min(entry.file_size, limits.IMAGE_BYTES) + 1)
    except (*_DAMAGED, EOFError, RuntimeError, zlib.error) as error:
        # Its own problem: the images before it were answered and logged, those behind it may be sound.
        detail = f"images: {name} in the ZIP is damaged ({error}); make it anew"
        return Sent(name, None, ApiError(Kind.UNREADABLE, detail, field="images"))
    return _checked(name, content)


def _checked(name: str, data: bytes) -> Sent:
    problem = _refused(data, name, "images")
    return Sent(name, None if problem else data, problem)


def _refused(data: bytes, name: str, field: str) -> ApiError | None:
    if len(data) > limits.IMAGE_BYTES:
        return ApiError(
            Kind.TOO_LARGE, f"{name}: is larger than {limits.IMAGE_BYTES // limits.MIB} MiB; scale it down", field=field
        )
    if not data:
        return ApiError(Kind.UNREADABLE, f"{name}: is empty; choose another file", field=field)
    if not data.startswith(_IMAGES):
        return ApiError(Kind.WRONG_TYPE, f"{name}: is neither a JPEG nor a PNG; convert it", field=field)
    return None


def _label(name: str) -> str:
    """A name as it may be shown: printable, and not without an end."""
    return "".join(letter if letter.isprintable() else "?" for letter in name)[:200]
