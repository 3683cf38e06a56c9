"""From the pictures of sources to shards: each picture is read once, and what an earlier output or attempt holds not again."""

import json
import zipfile
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path

from components.dataset import write_named_shard
from components.errors import ImageFormatError, PictureError
from components.files import link_file, sha256_bytes, write_text
from components.images import read_size
from components.ingest.ahead import Ahead, read_ahead
from components.ingest.match import IMAGE, MASK, Item, fits, misfit, reason_of
from components.ingest.personal import without_personal
from components.ingest.source import Picture, Problem, Progress
from components.ingest.stored import INDEX, Key, Known, Stored, find_known, key_of
from components.lesions import Task

SHARD_IMAGES = 512
PACKED = ".packed"

_JPEG = b"\xff\xd8"

Refused = Callable[[str, str], bool]
"""Whether an image must not be stored: (id, digest of its file) → yes or no."""


@dataclass
class Packed:
    """What was stored of which item, what is set aside, and which images must not be stored."""

    stored: list[tuple[Item, Stored]] = field(default_factory=list)
    problems: list[Problem] = field(default_factory=list)
    refused: list[str] = field(default_factory=list)


def pack(out: Path, items: Sequence[Item], earlier: Sequence[Path], refused: Refused, progress: Progress) -> Packed:
    """Store all items in shards of `out`.

    Shards of an earlier output are taken over by a link where every picture in them is still wanted, and written again without the
    others where not. The rest is read from its source, in the order given, and goes into new shards of at most 512 images; a shard
    that an attempt left whole is not read again.

    Args:
        out: the dataset folder.
        items: what to store.
        earlier: outputs that this code made before, newest first.
        refused: tells which images must not be stored.
        progress: is told how many bytes of the sources are read.
    """
    packed = Packed()
    had: dict[Key, Stored] = {}
    keys: Sequence[Key | None] = [None] * len(items)
    if any((folder / INDEX).exists() for folder in earlier):
        keys = [key_of(item) for item in items]
        had = _take_over(out, find_known({key for key in keys if key}, earlier), refused)
    rest = []
    for item, key in zip(items, keys, strict=True):
        stored = had.get(key) if key else None
        if stored is None:
            rest.append(item)
        else:
            packed.stored.append((item, stored))
            packed.problems += _misfit_of(item, stored)
    meter = _Meter(rest, progress)
    for chunk in _chunks(rest):
        _Chunk(out, chunk, refused, meter).pack(packed)
    return packed


def _take_over(out: Path, known: Known, refused: Refused) -> dict[Key, Stored]:
    """Bring what is known into `out`; by key, where it lies there."""
    had: dict[Key, Stored] = {}
    for shard, stored in (*known.whole.items(), *known.partly.items()):
        kept = [one for one in stored if not refused(one.image_id, one.sha256)]
        if shard in known.whole and len(kept) == len(stored):
            if not (out / shard).exists():
                (out / shard).parent.mkdir(exist_ok=True)
                link_file(known.folder / shard, out / shard)
        else:
            kept = rewrite(known.folder, out, shard, kept)
        had |= {(one.image_id, one.image, one.mask): one for one in kept}
    return had


def rewrite(folder: Path, out: Path, shard: str, kept: Sequence[Stored]) -> list[Stored]:
    """Write a shard of `folder` again into `out`, with some of its pictures alone; where each lies then."""
    moved: list[Stored] = []

    def members(archive: zipfile.ZipFile) -> Iterator[tuple[str, bytes, str]]:
        names, row = archive.namelist(), 0
        for one in sorted(kept, key=lambda one: one.row):
            moved.append(replace(one, row=row))
            yield names[one.row], archive.read(names[one.row]), one.sha256
            if one.mask_sha256 is not None:
                mask = mask_name(one.image_id)
                yield mask, archive.read(mask), one.mask_sha256
            row += 1 if one.mask_sha256 is None else 2

    with zipfile.ZipFile(folder / shard) as archive:
        new = write_named_shard(out, Path(shard).name.rpartition("-")[0], members(archive))
    return [replace(one, shard=new) for one in moved]


def mask_name(image_id: str) -> str:
    """Name of a mask in its shard."""
    return f"{image_id}_segmentation.png"


def _chunks(items: Sequence[Item]) -> Iterator[Sequence[Item]]:
    for kind in ([item for item in items if item.mask], [item for item in items if not item.mask]):
        for start in range(0, len(kind), SHARD_IMAGES):
            yield kind[start : start + SHARD_IMAGES]


def _misfit_of(item: Item, stored: Stored) -> list[Problem]:
    if stored.misfit is None or item.mask is None:
        return []
    return [Problem(item.image_id, stored.misfit, item.mask.file, MASK)]


@dataclass(frozen=True)
class _File:
    """A picture as it is stored."""

    data: bytes
    sha256: str
    size: tuple[int, int]
    personal: frozenset[str]


class _Meter:
    """Tells how many bytes of the sources are read, and of how many images."""

    def __init__(self, items: Sequence[Item], progress: Progress) -> None:
        self._progress = progress
        self._images, self._all_images = 0, len(items)
        self._bytes, self._all_bytes = 0, sum(_weight(item) for item in items)

    def add(self, items: Iterable[Item]) -> None:
        """These are read."""
        for item in items:
            self._images += 1
            self._bytes += _weight(item)
        unit, name = (1e9, "GB") if self._all_bytes >= 1e9 else (1e6, "MB")
        amount = f"{self._bytes / unit:.1f} of {self._all_bytes / unit:.1f} {name}"
        self._progress(self._bytes, self._all_bytes, f"{self._images:,} of {self._all_images:,} images packed, {amount}")


def _weight(item: Item) -> int:
    return max(1, item.bytes)  # a source may not know lengths


class _Chunk:
    """Items that go into one shard."""

    def __init__(self, out: Path, items: Sequence[Item], refused: Refused, meter: _Meter) -> None:
        self._out = out
        self._items = items
        self._is_refused = refused
        self._meter = meter
        self._stored: dict[int, Stored] = {}
        self._problems: list[Problem] = []
        self._refused: list[str] = []

    def pack(self, packed: Packed) -> None:
        """Write the shard, unless an attempt has, and add to `packed` what became of the items."""
        task = Task.SEGMENTATION if self._items[0].mask else Task.CLASSIFICATION
        sidecar = self._out / PACKED / f"{self._digest()}.json"
        if self._resume(sidecar):
            self._meter.add(self._items)
        else:
            shard = write_named_shard(self._out, task.value, self._members())
            self._stored = {number: replace(one, shard=shard) for number, one in self._stored.items()}
            self._save(sidecar)
        packed.stored += [(self._items[number], one) for number, one in self._stored.items()]
        packed.problems += self._problems
        packed.refused += self._refused

    def _digest(self) -> str:
        stamps = [[i.image_id, i.tasks, i.image.blob.stamp, i.mask.blob.stamp if i.mask else None] for i in self._items]
        return sha256_bytes(json.dumps(stamps).encode())[:20]

    def _members(self) -> Iterator[tuple[str, bytes, str]]:
        row = 0
        with read_ahead([picture for item in self._items for picture in (item.image, item.mask) if picture]) as ahead:
            for number, item in enumerate(self._items):
                for name, file in self._read(number, item, row, ahead):
                    row += 1
                    yield name, file.data, file.sha256
                self._meter.add([item])

    def _read(self, number: int, item: Item, row: int, ahead: Ahead) -> list[tuple[str, _File]]:
        """Read an item, and note what becomes of it: its files and their names, none where it cannot be stored."""
        image = self._file(item, item.image, IMAGE, ahead)
        if image is None:
            return []
        if self._is_refused(item.image_id, image.sha256):
            self._refused.append(item.image_id)
            return []
        mask = self._file(item, item.mask, MASK, ahead) if item.mask else None
        reason = misfit(image.size, mask.size) if mask and not fits(image.size, mask.size) else None
        if reason is not None and item.mask is not None:
            self._problems.append(Problem(item.image_id, reason, item.mask.file, MASK))
            mask = None
        if mask is None and Task.CLASSIFICATION not in item.tasks:
            return []
        _, image_identity, mask_identity = key_of(item)
        self._stored[number] = Stored(
            image_id=item.image_id,
            image=image_identity,
            mask=mask_identity,
            sha256=image.sha256,
            mask_sha256=mask.sha256 if mask else None,
            height=image.size[0],
            width=image.size[1],
            shard="",
            row=row,
            personal=tuple(sorted(image.personal | (mask.personal if mask else frozenset()))),
            misfit=reason,
        )
        ending = ".jpg" if image.data.startswith(_JPEG) else ".png"
        return [(item.image_id + ending, image)] + ([(mask_name(item.image_id), mask)] if mask else [])

    def _file(self, item: Item, picture: Picture, field: str, ahead: Ahead) -> _File | None:
        try:
            data = ahead(picture)
            size = read_size(data, picture.file)
            kept, personal = without_personal(data, picture.file)
        except (PictureError, ImageFormatError) as error:
            self._problems.append(Problem(item.image_id, reason_of(error, picture), picture.file, field))
            return None
        identity = picture.blob.identity()
        known = identity.removeprefix("sha256:") if kept is data and identity.startswith("sha256:") else None
        return _File(kept, known or sha256_bytes(kept), size, personal)

    def _save(self, sidecar: Path) -> None:
        state = {
            "stored": [[number, vars(one)] for number, one in self._stored.items()],
            "problems": [vars(problem) for problem in self._problems],
            "refused": self._refused,
        }
        write_text(sidecar, json.dumps(state))

    def _resume(self, sidecar: Path) -> bool:
        """Take over what an attempt noted, where its shard lies there whole."""
        if not sidecar.exists():
            return False
        state = json.loads(sidecar.read_bytes())
        stored = {number: Stored(**{**one, "personal": tuple(one["personal"])}) for number, one in state["stored"]}
        if not all((self._out / one.shard).exists() for one in stored.values()):
            return False
        self._stored = stored
        self._problems = [Problem(**problem) for problem in state["problems"]]
        self._refused = state["refused"]
        return True


def only_named(out: Path, packed: Iterable[Stored], needed: set[Stored]) -> dict[Stored, Stored]:
    """Write the shards that hold a picture that is not needed again without it; needed picture → where it lies then."""
    by_shard: dict[str, list[Stored]] = {}
    for one in packed:
        by_shard.setdefault(one.shard, []).append(one)
    places: dict[Stored, Stored] = {}
    for shard, stored in by_shard.items():
        kept = [one for one in stored if one in needed]
        moved = kept if len(kept) == len(stored) else _moved(out, shard, kept)
        places |= dict(zip(kept, moved, strict=True))
    return places


def _moved(out: Path, shard: str, kept: Sequence[Stored]) -> list[Stored]:
    ordered = sorted(kept, key=lambda one: one.row)
    where = dict(zip(ordered, rewrite(out, out, shard, ordered), strict=True))
    return [where[one] for one in kept]
