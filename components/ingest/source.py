"""The contract of a source of images: it says what decides its content, and lists what it holds; ingest does the rest.

A source neither decodes nor chooses: it names its pictures and masks by image id, and says what its tables say. `match` then brings
the listings of all sources together, so that every source is read in one way. To add one: a file beside this with a class that
keeps the contract of `Source`, and a line in `registry.py`.
"""

import re
from abc import ABC, abstractmethod
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Protocol

from components.ingest.digests import Digests
from components.lesions import Split

LABEL = "label"
DOWNSAMPLED = "_downsampled"

Progress = Callable[[int, int, str], None]

# An id names members of archives and files of later steps, so it is a plain name and never a path.
_PLAIN_NAME = re.compile(r"\w[\w.() -]*")


def image_id(name: str) -> str | None:
    """The id behind a name of a table or file: without `_downsampled`, which ISIC 2019 adds and ISIC 2018 does not.

    None where the name cannot be an id, since it is empty or holds a path.
    """
    plain = name.strip().removesuffix(DOWNSAMPLED)
    return plain if _PLAIN_NAME.fullmatch(plain) else None


@dataclass(frozen=True)
class Origin:
    """Where images come from.

    Attributes:
        name: what the manifest calls it; never a path of this machine.
        licence: SPDX name, where it is known.
        revision: what of it was read, where it has versions: a commit.
    """

    name: str
    licence: str | None = None
    revision: str | None = None


class Blob(Protocol):
    """The bytes of one file of a source, wherever they lie."""

    @property
    def size(self) -> int:
        """Its length in bytes, as the source says it."""

    @property
    def place(self) -> tuple[str, int]:
        """Where it lies among others: who reads in this order reads large archives from front to end."""

    @property
    def at_once(self) -> int:
        """How many such files are best asked for at once: one where an answer comes at once, or all come from one stream."""

    @property
    def stamp(self) -> str:
        """What tells, at no cost, whether it is still the same file a moment later."""

    def identity(self) -> str:
        """What tells its bytes, wherever they lie: the digest of a local file (which may be read for it), else what the store
        says of them: `sha256:…`, `crc32:…:size`, `etag:…:size`, `md5:…`."""

    def head(self) -> bytes:
        """Its first bytes: some kilobytes, or all.

        Raises:
            PictureError: they cannot be had; the source as a whole goes on.
            SourceError: they cannot be had.
        """

    def read(self) -> bytes:
        """All its bytes, their number and the checksum that its store keeps verified.

        Raises:
            PictureError: it alone cannot be read, or is damaged where it lies.
            SourceError: its source fails or changes.
        """


class LoneBlob(ABC):
    """What holds of most blobs, which need not say it: they lie in no order, answer at once, and are told by their identity."""

    __slots__ = ()

    @property
    def place(self) -> tuple[str, int]:
        """In no order."""
        return "", 0

    @property
    def at_once(self) -> int:
        """One."""
        return 1

    @property
    def stamp(self) -> str:
        """Its identity, which costs nothing."""
        return self.identity()

    @abstractmethod
    def identity(self) -> str:
        """See `Blob`."""


@dataclass(frozen=True, slots=True)
class Picture:
    """An image or a mask at a source.

    Attributes:
        origin: its source.
        file: what the user calls it: the source's name and the path below it.
        blob: its bytes.
        split: the part of the data to which the source's own split gives it.
    """

    origin: Origin
    file: str
    blob: Blob
    split: Split | None = None


@dataclass(frozen=True, slots=True)
class Row:
    """What one row of a table says of one image: field (`label` or a metadata column) → value; empty cells are left out."""

    image: str
    file: str
    values: Mapping[str, str | float]


@dataclass(frozen=True)
class Problem:
    """Why something of an image is set aside: a row of quarantine.csv.

    `field` says what for: `label` costs an image its place in classification, `mask` in segmentation, any other in both.
    """

    image: str
    reason: str
    file: str
    field: str


@dataclass
class Listing:
    """What a source holds.

    Attributes:
        origins: the source, or those that it brings together.
        images: image id → its copies.
        masks: image id → its lesion masks.
        rows: what the tables say.
        problems: what of the tables cannot be used.
        messages: lines that the user should read.
    """

    origins: list[Origin] = field(default_factory=list)
    images: dict[str, list[Picture]] = field(default_factory=dict)
    masks: dict[str, list[Picture]] = field(default_factory=dict)
    rows: list[Row] = field(default_factory=list)
    problems: list[Problem] = field(default_factory=list)
    messages: list[str] = field(default_factory=list)


@dataclass(frozen=True)
class Workplace:
    """What a source may use while ingest runs: a folder of its own for what it must make, and whom to tell how far it is."""

    folder: Path
    progress: Progress


class Source(Protocol):
    """One entry of `ingest.sources`."""

    def fingerprint(self, digests: Digests) -> object:
        """What decides all that `listing` and its pictures give, as plain JSON values; no picture is fetched for it.

        Raises:
            SourceError: the source is absent or cannot be listed.
        """

    def listing(self, digests: Digests, place: Workplace) -> Listing:
        """List the pictures and read the tables.

        Raises:
            SourceError: the source is absent, empty or cannot be listed.
            TableError: a table of ours breaks its format.
        """
