"""Which images belong together, and which part of the data they go to: groups, splits and folds, and the ledger of groups.

A group is a patient where known, else a lesion, else an image, joined with near-duplicates. The split comes from a hash of the
group's id alone, so that a group never crosses splits, an image has the same split in both tasks, and none moves when data is
added. For the last of these, groups that were given out once are remembered in a ledger (`GroupLedger`).

An image may belong to two groups of one split: it is of one's lesion and repeats an image of the other. The two are then one, by
the name of the one that was founded first, and so in one fold, which is a hash of that name. The split stays that of the group
that was given out.
"""

import csv
import hashlib
import io
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import astuple, dataclass, field
from pathlib import Path

from components.errors import DatasetError
from components.files import locked, write_text
from components.lesions import Split

_FILE = "file"
_LEDGER = ("sha256", "group_id", "image_id")


@dataclass(frozen=True)
class ImageFile:
    """A file, and what is known of who is on it.

    Attributes:
        image_id: the image that it is; an image may have two files, where the tasks use different sizes or crops.
        sha256: of its bytes.
        official: its split is given by its source, whatever its group's.
        pixels: digest of its pixels, so that files of one picture are known; None: taken to differ where the bytes do.
    """

    image_id: str
    sha256: str
    patient_id: str | None = None
    lesion_id: str | None = None
    official: bool = False
    pixels: str | None = None

    @property
    def picture(self) -> str:
        """The same for all files that show the same to the last pixel."""
        return self.pixels or self.sha256


@dataclass(frozen=True)
class KnownFile:
    """A file that was given a group: a line of the ledger."""

    sha256: str
    group_id: str
    image_id: str


@dataclass(frozen=True)
class Conflict:
    """An image that belongs to two groups of different splits, so that it can be in neither: those of its files that are new."""

    image_id: str
    groups: tuple[str, str]
    splits: tuple[Split, Split]


@dataclass(frozen=True)
class Placement:
    """Files and their groups, and what is set aside.

    Attributes:
        groups: each file's group, which is its for ever and gives the split; in the order in which files were placed.
        joined: each of these groups → the one that was founded first of those that are one with it; itself where there is none.
        conflicts: what is set aside.
    """

    groups: dict[ImageFile, str] = field(default_factory=dict)
    joined: dict[str, str] = field(default_factory=dict)
    conflicts: list[Conflict] = field(default_factory=list)

    @property
    def lines(self) -> list[KnownFile]:
        """What the ledger should know of it."""
        return [KnownFile(file.sha256, group, file.image_id) for file, group in self.groups.items()]


def assign_groups(
    files: Sequence[ImageFile],
    duplicates: Iterable[tuple[int, int]],
    *,
    known: Sequence[KnownFile],
    split: Callable[[str], Split],
) -> Placement:
    """Give each file its group.

    Images are taken in canonical order: those that the ledger knows, in its order, then the others in the order of `files`. Each
    keeps the group that its bytes are known under, else joins that of its patient, of its lesion, or of an image that it repeats,
    and where there is none founds one, named after its patient, else its lesion, else itself. One whose claims fall in different
    splits is set aside: whatever split it went to, it would leak into the other. What was placed once is placed before anything
    new, so that new files, those of a known image among them, can be set aside and cannot move it. Groups that one image belongs to
    are joined.

    Args:
        files: each file of each image once.
        duplicates: pairs of places in `files` that show the same. Of files of one picture any may stand for all.
        known: the ledger's lines, in their order.
        split: the split of a group.

    Returns:
        Groups by file, and what is set aside.
    """
    claims = _Claims(files, duplicates, known)
    set_aside: list[_Unit] = []
    for unit in _canonical_order(files, known):
        if claims.conflict(unit, split) and not any(files[place].official for place in unit):
            set_aside.append(unit)
        else:
            claims.settle(unit)
    # Told once all is placed, so that a repeated run, which knows all groups from its start, tells the same.
    conflicts = [conflict for unit in sorted(set_aside) if (conflict := claims.conflict(unit, split))]
    return Placement(claims.groups, {group: claims.joined(group) for group in claims.groups.values()}, conflicts)


# Files that are placed together, by their places: one that is known, or those of an image that are new.
_Unit = tuple[int, ...]


def _canonical_order(files: Sequence[ImageFile], known: Sequence[KnownFile]) -> list[_Unit]:
    # By bytes and id: a copy of known bytes under a new id is new, and must not come before what was there.
    lines = {(line.sha256, line.image_id): number for number, line in enumerate(known)}
    old: dict[int, _Unit] = {}
    new: dict[str, _Unit] = {}
    for place, file in enumerate(files):
        line = lines.get((file.sha256, file.image_id))
        if line is None:
            new[file.image_id] = (*new.get(file.image_id, ()), place)
        else:
            old[line] = (place,)
    return [old[line] for line in sorted(old)] + list(new.values())


class _Claims:
    """Which groups claim files: the one they had, those of their image, bytes, patient and lesion, and of what they repeat.

    What repeats what is kept by picture: whichever file of a picture was found to repeat another, and whether or not that one is
    placed, all files of both are meant.
    """

    def __init__(self, files: Sequence[ImageFile], duplicates: Iterable[tuple[int, int]], known: Sequence[KnownFile]) -> None:
        self.groups: dict[ImageFile, str] = {}
        self._files = files
        self._of_key: dict[tuple[str, str], str] = {}
        self._of_picture: dict[str, str] = {}
        # Each group's place in the order in which they were founded, and an older one that it was joined with.
        self._founded: dict[str, int] = {}
        self._older: dict[str, str] = {}
        for line in known:
            self._of_key[_FILE, line.sha256 + line.image_id] = line.group_id
            self._of_key.setdefault(("sha256", line.sha256), line.group_id)
            self._founded.setdefault(line.group_id, len(self._founded))
        self._repeats: dict[str, list[str]] = {}
        for first, second in duplicates:
            one, other = files[first].picture, files[second].picture
            if one != other:
                self._repeats.setdefault(one, []).append(other)
                self._repeats.setdefault(other, []).append(one)

    def of(self, unit: _Unit) -> list[str]:
        """Groups that claim files, the strongest claim first; where there is none, the one that they found."""
        keys = self._keys(unit)
        claims = [self._of_key[key] for key in keys if key in self._of_key]
        pictures = [self._files[place].picture for place in unit]
        shown = [other for picture in pictures for other in (picture, *self._repeats.get(picture, []))]
        claims += [self._of_picture[picture] for picture in shown if picture in self._of_picture]
        names = dict(reversed(keys))
        return list(dict.fromkeys(claims)) or [names.get("patient_id") or names.get("lesion_id") or names["image_id"]]

    def settle(self, unit: _Unit) -> None:
        """Give files to the group with the strongest claim, and join the others with it."""
        group, *others = self.of(unit)
        self._founded.setdefault(group, len(self._founded))
        for other in others:
            self._join(group, other)
        for place in unit:
            self.groups[self._files[place]] = group
            self._of_picture.setdefault(self._files[place].picture, group)
        for key in self._keys(unit):
            self._of_key.setdefault(key, group)

    def joined(self, group: str) -> str:
        """The oldest of the groups that a group was joined with, or itself."""
        while (older := self._older.get(group)) is not None:
            # Halves the way for the next who asks.
            self._older[group] = self._older.get(older, older)
            group = older
        return group

    def _join(self, one: str, other: str) -> None:
        older, younger = sorted((self.joined(one), self.joined(other)), key=self._founded.__getitem__)
        if older != younger:
            self._older[younger] = older

    def conflict(self, unit: _Unit, split: Callable[[str], Split]) -> Conflict | None:
        """The first two claims of different splits."""
        first, *others = self.of(unit)
        for other in others:
            if split(other) != split(first):
                return Conflict(self._files[unit[0]].image_id, (first, other), (split(first), split(other)))
        return None

    def _keys(self, unit: _Unit) -> list[tuple[str, str]]:
        files = [self._files[place] for place in unit]
        keys = [(_FILE, file.sha256 + file.image_id) for file in files]
        for column in ("image_id", "sha256", "patient_id", "lesion_id"):
            keys += [(column, name) for file in files if (name := getattr(file, column))]
        return keys


def split_of(group_id: str, *, test_share: float, val_share: float) -> Split:
    """The part of the data that a group goes to: test, then val, then train, by where its hash falls in [0, 1)."""
    place = _hash(group_id) / 2**64
    if place < test_share:
        return Split.TEST
    return Split.VAL if place < test_share + val_share else Split.TRAIN


def fold_of(group_id: str, folds: int) -> int:
    """The fold of a joined group of train or val, 0 to folds - 1, by a hash that has nothing to do with the split's."""
    return _hash(f"fold:{group_id}") % folds


def _hash(text: str) -> int:
    return int.from_bytes(hashlib.sha256(text.encode()).digest()[:8], "big")


class GroupLedger:
    """The groups that were given out, one line a file: `sha256,group_id,image_id`; lines are added and never change.

    Read and extended under a lock (`open_ledger`), so that two runs at once cannot give one image two groups.

    Attributes:
        known: its lines, in their order.
    """

    def __init__(self, path: Path | None) -> None:
        self._path = path
        self.known: list[KnownFile] = _read_ledger(path) if path is not None and path.exists() else []

    def extend(self, lines: Iterable[KnownFile]) -> None:
        """Add the lines of files that are not known yet; the file is replaced whole or not at all.

        Raises:
            StoreError: it cannot be written.
        """
        here = {(line.sha256, line.image_id) for line in self.known}
        new = [line for line in lines if (line.sha256, line.image_id) not in here]
        if self._path is None or not new:
            return
        self.known += new
        text = io.StringIO(newline="")
        csv.writer(text, lineterminator="\n").writerows([_LEDGER, *map(astuple, self.known)])
        write_text(self._path, text.getvalue())


@contextmanager
def open_ledger(path: Path | None) -> Iterator[GroupLedger]:
    """Open the ledger at `path` and lock it until the block ends; None: nothing is known and nothing is kept.

    Raises:
        DatasetError: the file is not what `GroupLedger` writes.
        StoreError: it cannot be locked.
    """
    if path is None:
        yield GroupLedger(None)
        return
    with locked(path.with_name(f".{path.name}.lock")):
        yield GroupLedger(path)


def _read_ledger(path: Path) -> list[KnownFile]:
    try:
        with path.open(encoding="utf-8", newline="") as handle:
            rows = list(csv.reader(handle))
    except (OSError, UnicodeDecodeError, csv.Error) as error:
        raise DatasetError(f"{path}: cannot be read ({error}); bring back a copy of it") from error
    if not rows or tuple(rows[0]) != _LEDGER:
        raise DatasetError(f"{path}: does not begin with {','.join(_LEDGER)}; bring back a copy of it, or give another place")
    for number, row in enumerate(rows, start=1):
        if len(row) != len(_LEDGER) or not all(row):
            raise DatasetError(f"{path}: line {number} does not hold {', '.join(_LEDGER)}; bring back a copy of the file")
    return [KnownFile(*row) for row in rows[1:]]
