"""Where a cell of the corpus plays: a sound folder of ISIC files, read by ingest and validate as a run reads it."""

import contextlib
import csv
import ctypes
import json
import os
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path

from components.dataset import Dataset
from components.errors import DermaCareError
from components.ingest import ingest
from components.lesions import CODES, Split
from components.params import load_params
from components.project import project_file
from components.reporter import Reporter
from components.validate import validate
from tests.components.validate.raw_data import groups_in
from tests.faulty_proxy import Faults
from tests.isic_folder import IsicFolder
from tests.seaweedfs import S3Server

VICTIM = "ISIC_MEL_train"
IMAGE, MASK = f"images/{VICTIM}.jpg", f"masks/{VICTIM}_segmentation.png"
# Larger than the thumbnails of fingerprints, so that pictures of different ids are not taken for near-duplicates.
SIZE = (96, 128)

_CAPABILITY_VERSION_3 = 0x20080522
_CAP_DAC_OVERRIDE, _CAP_DAC_READ_SEARCH = 1, 2


@dataclass(frozen=True)
class Refused:
    """The step stops with this error, whose one sentence holds these words."""

    error: type[DermaCareError]
    words: str


@dataclass(frozen=True)
class SetAside:
    """The rest goes on; quarantine.csv has one image, with this field and these words in its reason."""

    field: str
    words: str


@dataclass(frozen=True)
class Told:
    """All goes on; a message holds these words."""

    words: str


@dataclass(frozen=True)
class Taken:
    """All goes on, and the image is there: what looks like a defect is none."""

    rows: int = 2


@dataclass
class Bucket:
    """A bucket of the cell's own, seen through a proxy that can go wrong."""

    name: str
    server: S3Server
    endpoint: str
    faults: Faults
    forget_credentials: Callable[[], None]


Answer = Refused | SetAside | Told | Taken


@dataclass
class Scene:
    """A folder for the cell's files, and what reads them.

    Attributes:
        folder: the sound folder `clinic`; a cell damages it.
        work: an empty folder beside it.
        sources: what ingest reads; the folder, unless a cell says otherwise.
        during: called once, after the first pictures were read, to change what is being read.
        params: the params.yaml that is read.
        settings: parameters of ingest that differ from it.
        without_rights: root reads everything; here it is held to the permissions of files, as any user is.
        bucket: for the cells of S3.
    """

    folder: IsicFolder
    work: Path
    sources: list[str]
    during: Callable[[], object] | None = None
    params: Path = field(default_factory=lambda: project_file("params.yaml"))
    settings: dict[str, object] = field(default_factory=dict)
    without_rights: bool = False
    bucket: Bucket | None = None

    def read_bucket(self, place: str) -> None:
        """Read a bucket's prefix, through the proxy."""
        assert self.bucket is not None
        self.sources = [f"s3://{place}"]
        self.settings["s3_endpoint"] = self.bucket.endpoint

    def read(self) -> "Outcome":
        """Ingest and validate, as a run does."""
        raw, out, events = self.work / "raw", self.work / "validated", self.work / "events"
        for folder in (raw, out):
            folder.mkdir()
        with _without_rights() if self.without_rights else contextlib.nullcontext():
            params = load_params(self.params, data=self.sources).params
            ingest(raw, params.ingest.model_copy(update=self.settings), _Interrupting(raw, events, self))
        checks = params.validate_.model_copy(update={"max_quarantined": 0.5})
        validate(raw, out, checks, Reporter(out, "validate", events))
        lines = [json.loads(line) for line in events.read_text(encoding="utf-8").splitlines()]
        with (out / "quarantine.csv").open(newline="", encoding="utf-8") as handle:
            quarantine = list(csv.DictReader(handle))
        return Outcome(Dataset(out), quarantine, [line["text"] for line in lines if line["kind"] == "message"])


@dataclass(frozen=True)
class Outcome:
    """What was read, set aside and said."""

    dataset: Dataset
    quarantine: list[dict[str, str]]
    messages: list[str]

    @property
    def victim(self) -> int:
        """Rows of the image that the cell is about."""
        return int((self.dataset.manifest["image_id"] == VICTIM).sum())


@contextlib.contextmanager
def _without_rights() -> Iterator[None]:
    """Take from root, for this thread, what lets it read files whatever their permissions say (capabilities(7))."""
    if os.geteuid() != 0:
        yield
        return
    libc = ctypes.CDLL(None, use_errno=True)
    header = (ctypes.c_uint32 * 2)(_CAPABILITY_VERSION_3, 0)
    rights = (ctypes.c_uint32 * 6)()  # effective, permitted, inheritable; twice, for the lower and upper 32
    assert libc.capget(header, rights) == 0
    effective = rights[0]
    rights[0] = effective & ~(1 << _CAP_DAC_OVERRIDE | 1 << _CAP_DAC_READ_SEARCH)
    assert libc.capset(header, rights) == 0
    try:
        yield
    finally:
        rights[0] = effective
        assert libc.capset(header, rights) == 0


class _Interrupting(Reporter):
    """Calls `scene.during` once something was read."""

    def __init__(self, out: Path, events: Path, scene: Scene) -> None:
        super().__init__(out, "ingest", events)
        self._scene = scene

    def progress(self, done: int, total: int, what: str = "") -> None:
        if self._scene.during is not None and done >= 1:
            during, self._scene.during = self._scene.during, None
            during()
        super().progress(done, total, what)


def sound(root: Path) -> IsicFolder:
    """Two lesions of each class in train, one in val, one in test, with masks and tables."""
    folder = IsicFolder(root)
    for code in CODES:
        for split in Split:
            for number, lesion in enumerate(groups_in(split, 2 if split is Split.TRAIN else 1, f"{code}_")):
                name = f"ISIC_{code}_{split.value}" + (f"_{number}" if number else "")
                folder.image(name, size=SIZE)
                folder.mask(name, size=SIZE)
                folder.row(name, code, lesion_id=lesion)
    folder.tables()
    return folder
