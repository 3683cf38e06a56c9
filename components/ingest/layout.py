"""ISIC's files, wherever a source keeps them: pictures by their names, tables by their columns, and zips of both.

Images are `<id>.jpg` or `.png`, masks `<id>_segmentation.png`. A folder or zip name of ISIC 2018 Task 1
(`ISIC2018_Task1-2_Training_Input`) tells the official split.
"""

import re
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from posixpath import basename, splitext
from typing import IO

from components.errors import PictureError, SourceError, TableError
from components.ingest.archive import Archive, ArchiveMember
from components.ingest.source import Blob, Listing, Origin, Picture, image_id
from components.ingest.tables import read_table
from components.lesions import Split

PICTURES = frozenset({".jpg", ".jpeg", ".png"})
TABLES = frozenset({".csv"})
ARCHIVES = frozenset({".zip"})
_LOOKED_AT = PICTURES | TABLES | ARCHIVES

_MASK = "_segmentation"
_TASK_1 = re.compile(r"ISIC[_-]?2018_Task1(?:-2)?_(Training|Validation|Test)_(?:Input|GroundTruth)", re.IGNORECASE)
_SPLITS = {"training": Split.TRAIN, "validation": Split.VAL, "test": Split.TEST}


@dataclass(frozen=True, slots=True)
class SourceFile:
    """A file at which ingest looks.

    Attributes:
        relative: its path below its source, with `/`.
        blob: its bytes.
        open: opens it for reading from any place, as zips are; None: it cannot be opened.
    """

    relative: str
    blob: Blob
    open: Callable[[], IO[bytes]] | None = None

    @property
    def ending(self) -> str:
        """`.jpg`, `.png`, `.csv`, `.zip`, in small letters."""
        return splitext(self.relative)[1].lower()


def looked_at(relative: str) -> bool:
    """Whether ingest looks at a file of this path: its ending says so, and nothing on its way is hidden."""
    # Hidden files are no images: `._x.jpg` and `__MACOSX` are what a Mac leaves in archives.
    parts = relative.split("/")
    return splitext(relative)[1].lower() in _LOOKED_AT and not any(part.startswith(".") or part == "__MACOSX" for part in parts)


def list_files(files: Iterable[SourceFile], origin: Origin) -> Listing:
    """List the pictures and read the tables among files, and among the members of zips.

    Raises:
        SourceError: there is neither a picture nor a table, or a zip cannot be read.
        TableError: a table of ours breaks its format.
    """
    listing = Listing(origins=[origin])
    tables = []
    empty = True
    for file in _with_members(files, origin):
        empty = False
        if file.ending in PICTURES:
            _add_picture(file, origin, listing)
        else:
            tables.append(file)
    if empty:
        raise SourceError(f"{origin.name}: there is no JPEG, PNG or CSV file in the folder; name one that holds ISIC files")
    _read_tables(tables, origin, listing)
    return listing


def _with_members(files: Iterable[SourceFile], origin: Origin) -> Iterator[SourceFile]:
    for file in files:
        if file.ending not in ARCHIVES:
            yield file
        elif file.open is None:
            file.blob.head()  # says why it cannot be read
        else:
            archive = Archive(f"{origin.name}/{file.relative}", file.open)
            for info in archive.members():
                if looked_at(info.filename) and splitext(info.filename)[1].lower() not in ARCHIVES:
                    yield SourceFile(f"{file.relative}/{info.filename}", ArchiveMember(archive, info))


def _add_picture(file: SourceFile, origin: Origin, listing: Listing) -> None:
    name = splitext(basename(file.relative))[0]
    is_mask = file.ending == ".png" and name.endswith(_MASK)
    key = image_id(name.removesuffix(_MASK) if is_mask else name) or name
    picture = Picture(origin, f"{origin.name}/{file.relative}", file.blob, _official_split(file.relative))
    (listing.masks if is_mask else listing.images).setdefault(key, []).append(picture)


def _official_split(relative: str) -> Split | None:
    found = _TASK_1.search(relative)
    return _SPLITS[found[1].lower()] if found else None


def _read_tables(files: list[SourceFile], origin: Origin, listing: Listing) -> None:
    foreign = []
    for file in files:
        name = f"{origin.name}/{file.relative}"
        table = read_table(_table_bytes(file), name)
        if table is None:
            foreign.append(file.relative)
        else:
            listing.rows += table.rows
            listing.problems += table.problems
    if foreign:
        names = ", ".join(foreign[:5]) + (" …" if len(foreign) > 5 else "")
        listing.messages.append(f"{origin.name}: no table like ISIC 2019's, left out: {names}")


def _table_bytes(file: SourceFile) -> bytes:
    try:
        return file.blob.read()
    except PictureError as error:
        raise TableError(str(error)) from error
