"""The contract of a source of images: it lists what it holds as a `Listing`, and ingest does the rest.

A source neither decodes nor chooses: it names its pictures and masks by image id, and says what its tables say. `match` then brings
the listings of all sources together, so that every source is read in one way.
"""

import re
import stat
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path

from components.errors import SourceError
from components.lesions import Split

LABEL = "label"
DOWNSAMPLED = "_downsampled"

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
    """Where images come from, as the manifest says it."""

    name: str
    licence: str | None = None


@dataclass(frozen=True)
class Picture:
    """A file of pixels at a source: an image or a mask.

    Attributes:
        origin: its source.
        file: what the user calls it: the source's name and the path below it.
        path: where it lies.
        split: the part of the data to which the source's own split gives it.
        outside: it is a link that leaves the source, which is not followed.
    """

    origin: Origin
    file: str
    path: Path
    split: Split | None = None
    outside: bool = False

    def read(self) -> bytes:
        """The encoded file.

        Raises:
            SourceError: it cannot be read.
        """
        if self.outside:
            raise SourceError(f"{self.file}: is a link that leaves its folder, which is not followed; put the file there itself")
        try:
            # Opening a pipe would wait for ever.
            if not stat.S_ISREG(self.path.stat().st_mode):
                raise SourceError(f"{self.file}: cannot be read (it is no file); put the file there")
            return self.path.read_bytes()
        except OSError as error:
            raise SourceError(f"{self.file}: cannot be read ({error.strerror}); mend or remove it") from error


@dataclass(frozen=True)
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
        images: image id → its copies.
        masks: image id → its lesion masks.
        rows: what the tables say.
        problems: what of the tables cannot be used.
        messages: lines that the user should read.
    """

    images: dict[str, list[Picture]] = field(default_factory=dict)
    masks: dict[str, list[Picture]] = field(default_factory=dict)
    rows: list[Row] = field(default_factory=list)
    problems: list[Problem] = field(default_factory=list)
    messages: list[str] = field(default_factory=list)
