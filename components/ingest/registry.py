"""From a spelling of `--data` to its source: the one list of them all. What a source needs is imported when it is named."""

import difflib
import re
from pathlib import Path

from components.errors import SourceError
from components.ingest.folder import Folder
from components.ingest.source import Source
from components.params import DVC_SOURCE, PHANTOM, IngestParams

ISIC = ("isic:2019", "isic:2018-task1")
SPELLINGS = (PHANTOM, "a folder's path", *ISIC, "s3://BUCKET/PREFIX", "dvc:REPOSITORY@REVISION:PATH")

_S3 = re.compile(r"s3://[^/\s]+(/.*)?")


def find_source(spelling: str, params: IngestParams) -> Source:
    """The source that a spelling names.

    Raises:
        SourceError: it names none; the text has the nearest right spelling.
    """
    if spelling == PHANTOM:
        from components.ingest.phantom.source import Phantoms

        return Phantoms(params.phantom)
    if spelling in ISIC:
        from components.ingest.isic import Isic

        return Isic(spelling, params.isic_endpoint)
    if _S3.fullmatch(spelling):
        from components.ingest.s3 import S3Prefix

        return S3Prefix(spelling, params.s3_endpoint)
    if DVC_SOURCE.fullmatch(spelling):
        from components.ingest.dvc import DvcFolder

        return DvcFolder(spelling)
    return Folder(_existing(spelling))


def _existing(spelling: str) -> Path:
    folder = Path(spelling).expanduser()
    allowed = f"a source is {', '.join(SPELLINGS[:-1])} or {SPELLINGS[-1]}"
    try:
        if not folder.exists():
            near = _nearest(spelling, folder)
            hint = f" (did you mean {near}?)" if near else ""
            raise SourceError(f"ingest.sources: {spelling!r} does not exist{hint}; {allowed}")
        if not folder.is_dir():
            raise SourceError(f"ingest.sources: {spelling!r} is no folder; {allowed}")
        return folder.resolve()
    except OSError as error:
        raise SourceError(f"ingest.sources: {spelling!r} cannot be read ({error.strerror}); {allowed}") from error


def _nearest(spelling: str, folder: Path) -> str | None:
    scheme = re.match(r"(s3|dvc)\b:?/*", spelling, re.IGNORECASE)
    if scheme and scheme[1].lower() == "s3":
        return f"s3://{spelling[scheme.end() :] or 'BUCKET/PREFIX'}"
    if scheme:
        return SPELLINGS[-1]
    ours = [name for name in ISIC if name.startswith(spelling.lower())]
    ours += difflib.get_close_matches(spelling.lower(), (PHANTOM, *ISIC), 1)
    if ours:
        return ours[0]
    beside = [entry.name for entry in folder.parent.iterdir() if entry.is_dir()] if folder.parent.is_dir() else []
    close = difflib.get_close_matches(folder.name, beside, 1)
    return str(Path(spelling).with_name(close[0])) if close else None
