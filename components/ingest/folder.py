"""A folder with ISIC files as published, wherever they lie below it.

Images are `<id>.jpg` or `.png`, masks `<id>_segmentation.png`; tables are recognised by their columns. A folder name of
ISIC 2018 Task 1 (`ISIC2018_Task1-2_Training_Input`) tells the official split.
"""

import difflib
import os
import re
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from components.errors import SourceError
from components.ingest.source import Listing, Origin, Picture, image_id
from components.ingest.tables import read_table
from components.lesions import Split

PHANTOM = "phantom"

_PICTURES = frozenset({".jpg", ".jpeg", ".png"})
_TABLES = frozenset({".csv"})
_MASK = "_segmentation"
_TASK_1 = re.compile(r"ISIC[_-]?2018_Task1(?:-2)?_(Training|Validation|Test)_(?:Input|GroundTruth)", re.IGNORECASE)
_SPLITS = {"training": Split.TRAIN, "validation": Split.VAL, "test": Split.TEST}


@dataclass(frozen=True)
class FolderFile:
    """A file of a folder at which ingest looks.

    Attributes:
        relative: its path below the folder, with `/`.
        path: where it lies.
        outside: it is a link that leaves the folder, which is not followed.
    """

    relative: str
    path: Path
    outside: bool

    @property
    def ending(self) -> str:
        """`.jpg`, `.png`, `.csv`, in small letters."""
        return self.path.suffix.lower()


def find_folder(source: str) -> Path:
    """The folder that a source names.

    Raises:
        SourceError: there is no such folder.
    """
    allowed = f"a source is `{PHANTOM}` or the path of a folder with ISIC files"
    folder = Path(source).expanduser()
    try:
        if not folder.exists():
            near = f" (did you mean {PHANTOM}?)" if difflib.get_close_matches(source.lower(), [PHANTOM]) else ""
            raise SourceError(f"ingest.sources: {source!r} does not exist{near}; {allowed}")
        if not folder.is_dir():
            raise SourceError(f"ingest.sources: {source!r} is no folder; {allowed}")
        return folder.resolve()
    except OSError as error:
        raise SourceError(f"ingest.sources: {source!r} cannot be read ({error.strerror}); {allowed}") from error


def origin_of(folder: Path) -> Origin:
    """What the manifest calls a folder: its own name, never its path."""
    name = folder.name or "folder"
    # Only what is drawn may be called phantom: bundles and pages warn of it.
    return Origin(f"{folder.parent.name}/{name}" if name == PHANTOM else name)


def folder_files(folder: Path) -> list[FolderFile]:
    """Every picture and table below a folder, in the order of their names.

    Raises:
        SourceError: a folder cannot be read.
    """
    return list(_walk(folder, folder, ""))


def _walk(root: Path, folder: Path, prefix: str) -> Iterator[FolderFile]:
    try:
        with os.scandir(folder) as found:
            entries = sorted(found, key=lambda entry: entry.name)
    except OSError as error:
        raise SourceError(f"{root.name}/{prefix}: cannot be read ({error.strerror}); give permission or leave it out") from error
    for entry in entries:
        # Hidden files are no images: `._x.jpg` and `__MACOSX` are what a Mac leaves in archives.
        if entry.name.startswith(".") or entry.name == "__MACOSX":
            continue
        path = Path(entry.path)
        if path.suffix.lower() in _PICTURES | _TABLES:
            outside = entry.is_symlink() and not path.resolve().is_relative_to(root)
            yield FolderFile(prefix + entry.name, path, outside)
        if entry.is_dir(follow_symlinks=False):
            yield from _walk(root, path, f"{prefix}{entry.name}/")


def list_folder(folder: Path, origin: Origin) -> Listing:
    """List the pictures and read the tables of a folder.

    Raises:
        SourceError: the folder cannot be read, or holds neither a picture nor a table.
        TableError: a table of ours breaks its format.
    """
    files = folder_files(folder)
    if not files:
        raise SourceError(f"{origin.name}: there is no JPEG, PNG or CSV file in the folder; name one that holds ISIC files")
    listing = Listing()
    for file in files:
        if file.ending in _PICTURES:
            _add_picture(file, origin, listing)
    _read_tables([file for file in files if file.ending in _TABLES], origin, listing)
    return listing


def _add_picture(file: FolderFile, origin: Origin, listing: Listing) -> None:
    name = file.path.stem
    is_mask = file.ending == ".png" and name.endswith(_MASK)
    key = image_id(name.removesuffix(_MASK) if is_mask else name) or name
    picture = Picture(origin, f"{origin.name}/{file.relative}", file.path, _official_split(file.relative), file.outside)
    (listing.masks if is_mask else listing.images).setdefault(key, []).append(picture)


def _official_split(relative: str) -> Split | None:
    found = _TASK_1.search(relative)
    return _SPLITS[found[1].lower()] if found else None


def _read_tables(files: list[FolderFile], origin: Origin, listing: Listing) -> None:
    foreign = []
    for file in files:
        table = None if file.outside else read_table(file.path, f"{origin.name}/{file.relative}")
        if table is None:
            foreign.append(file.relative)
        else:
            listing.rows += table.rows
            listing.problems += table.problems
    if foreign:
        names = ", ".join(foreign[:5]) + (" …" if len(foreign) > 5 else "")
        listing.messages.append(f"{origin.name}: no table like ISIC 2019's, left out: {names}")
