"""Which images belong together, and which part of the data they go to: near-duplicates, groups, splits and folds.

A group is a patient where known, else a lesion, else an image, joined with near-duplicates. Split and fold come from a hash of
the group's id alone, so that a group never crosses splits, an image has the same split in both tasks, and none moves when data is
added. For the last of these, groups that were given out once are remembered in a ledger (`GroupLedger`).
"""

import csv
import fcntl
import hashlib
import io
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path

import cv2
import numpy as np
import numpy.typing as npt

from components.errors import DatasetError
from components.files import atomic_write
from components.images import RGBImage
from components.lesions import Split

Texture = npt.NDArray[np.uint8]
"""TEXTURE_SIDE x TEXTURE_SIDE, uint8: grey, even in brightness and contrast everywhere."""

TEXTURE_SIDE = 64
_REDUCED_SIDE = 128
# Details of up to about this many pixels of the thumbnail count. Wider ones, the outline of a mole above all, look the same in
# unrelated images; finer ones do not survive another crop by a pixel.
_DETAIL = 2.0
# Grey levels below which detail is noise.
_NOISE = 2.0
# Two shots or crops of one picture lie a few thumbnail pixels apart.
_SHIFT = 3
_BLOCK = 512


@dataclass(frozen=True)
class Fingerprint:
    """What is kept of an image to find its near-duplicates.

    Attributes:
        hash: 64-bit perceptual hash of the whole picture (pHash, Zauner 2010, as in ImageHash).
        texture: its thumbnail, locally normalised.
    """

    hash: int
    texture: Texture


@dataclass(frozen=True)
class NearDuplicate:
    """Two images that show the same: their places in the list that was searched, first < second."""

    first: int
    second: int
    distance: int
    correlation: float


@dataclass(frozen=True)
class ImageIdentity:
    """What is known of who is on an image.

    Attributes:
        image_id: its id, the same in both tasks.
        digests: SHA-256 of its files; more than one where the tasks use different sizes.
        official: its split is given by its source, whatever its group's.
    """

    image_id: str
    digests: tuple[str, ...]
    patient_id: str | None = None
    lesion_id: str | None = None
    official: bool = False


@dataclass(frozen=True)
class Conflict:
    """An image that repeats two groups of different splits, so that it can be in neither."""

    image_id: str
    groups: tuple[str, str]
    splits: tuple[Split, Split]


@dataclass(frozen=True)
class Placement:
    """Groups of images, in the order in which they were placed, and the images that are set aside."""

    groups: dict[str, str] = field(default_factory=dict)
    conflicts: list[Conflict] = field(default_factory=list)


def fingerprint(image: RGBImage) -> Fingerprint:
    """Take the fingerprint of an image.

    Args:
        image: H x W x 3, uint8, RGB.

    Returns:
        Its perceptual hash and its texture. The texture is the difference of the thumbnail from its blurred self, divided by the
        spread of that difference round about: another exposure or colour balance of the same picture leaves it as it is.
    """
    import imagehash
    from PIL import Image

    grey = cv2.cvtColor(image, cv2.COLOR_RGB2GRAY)
    reduced = cv2.resize(grey, (_REDUCED_SIDE, _REDUCED_SIDE), interpolation=cv2.INTER_AREA)
    bits = imagehash.phash(Image.fromarray(reduced)).hash
    thumbnail = cv2.resize(reduced, (TEXTURE_SIDE, TEXTURE_SIDE), interpolation=cv2.INTER_AREA).astype(np.float32)
    detail = thumbnail - cv2.GaussianBlur(thumbnail, (0, 0), _DETAIL)
    spread = np.sqrt(cv2.GaussianBlur(detail * detail, (0, 0), _DETAIL))
    texture = np.clip(np.rint(128 + 40 * detail / (spread + _NOISE)), 0, 255).astype(np.uint8)
    return Fingerprint(int.from_bytes(np.packbits(bits.ravel()).tobytes(), "big"), texture)


def near_duplicates(fingerprints: Sequence[Fingerprint], *, distance: int, correlation: float) -> list[NearDuplicate]:
    """Find all pairs of images that show the same picture, upright, in whatever size, compression, exposure or colour balance.

    Args:
        fingerprints: of N images; 8 KiB of memory an image.
        distance: largest Hamming distance of the hashes.
        correlation: least correlation of the textures, best over shifts of a few pixels.

    Returns:
        The pairs, sorted by place.
    """
    hashes = np.array([print_.hash for print_ in fingerprints], dtype=np.uint64)
    pairs: list[NearDuplicate] = []
    for first, second, bits in _candidates(hashes, distance):
        likeness = texture_correlation(fingerprints[first].texture, fingerprints[second].texture)
        if likeness >= correlation:
            pairs.append(NearDuplicate(first, second, bits, likeness))
    return pairs


def _candidates(hashes: npt.NDArray[np.uint64], distance: int) -> Iterator[tuple[int, int, int]]:
    for start in range(0, len(hashes), _BLOCK):
        # Only pairs (first < second): the block against itself and what comes after it.
        bits = np.bitwise_count(hashes[start : start + _BLOCK, None] ^ hashes[None, start:])
        first, second = np.nonzero(np.triu(bits <= distance, 1))
        yield from zip((first + start).tolist(), (second + start).tolist(), bits[first, second].tolist(), strict=True)


def texture_correlation(first: Texture, second: Texture) -> float:
    """Correlation of two textures, -1 to 1, borders left out: the best over shifts of up to 3 pixels; order does not matter."""
    return max(_best_shift(first, second), _best_shift(second, first))


def _best_shift(inner: Texture, outer: Texture) -> float:
    margin = _SHIFT + 1
    template = inner[margin:-margin, margin:-margin]
    around = outer[margin - _SHIFT : _SHIFT - margin, margin - _SHIFT : _SHIFT - margin]
    scores = cv2.matchTemplate(around, template, cv2.TM_CCOEFF_NORMED)
    return float(np.nan_to_num(scores, posinf=0.0, neginf=0.0).max())


def assign_groups(
    images: Sequence[ImageIdentity],
    duplicates: Iterable[tuple[str, str]],
    *,
    known: Mapping[str, str],
    split: Callable[[str], Split],
) -> Placement:
    """Give each image its group.

    Images are taken in canonical order: those that the ledger knows, in its order, then the others in the order of `images`. Each
    keeps the group it is known under, else joins that of its patient, of its lesion, or of an image that it repeats, and where
    there is none founds one, named after its patient, else its lesion, else itself. One whose group and what it repeats fall in
    different splits is set aside: whatever split it went to, it would leak into the other.

    Args:
        images: each image once.
        duplicates: pairs of ids of images that show the same.
        known: SHA-256 of an image → the group it was once given, in the order in which they were.
        split: the split of a group.

    Returns:
        Groups by image id, and what is set aside.
    """
    neighbours: dict[str, list[str]] = {}
    for first, second in duplicates:
        neighbours.setdefault(first, []).append(second)
        neighbours.setdefault(second, []).append(first)
    of_digest = dict(known)
    of_key: dict[tuple[str, str], str] = {}
    founded: dict[str, int] = {}
    placement = Placement()
    for image in _canonical_order(images, known):
        keys = _keys(image)
        touched = [of_digest[digest] for digest in image.digests if digest in of_digest]
        touched += [of_key[key] for key in keys if key in of_key]
        touched += [placement.groups[other] for other in neighbours.get(image.image_id, []) if other in placement.groups]
        group = touched[0] if touched else image.patient_id or image.lesion_id or image.image_id
        # In the order in which groups came, so that a repeated run gives the same reason.
        claims = sorted({*touched, group}, key=lambda name: (founded.get(name, -1), name))
        conflict = None if image.official else _conflict(image, claims, split)
        if conflict:
            placement.conflicts.append(conflict)
            continue
        placement.groups[image.image_id] = group
        founded.setdefault(group, len(founded))
        for key in keys:
            of_key.setdefault(key, group)
        for digest in image.digests:
            of_digest.setdefault(digest, group)
    return placement


def _canonical_order(images: Sequence[ImageIdentity], known: Mapping[str, str]) -> list[ImageIdentity]:
    place = {digest: number for number, digest in enumerate(known)}
    return sorted(images, key=lambda image: min((place.get(digest, len(place)) for digest in image.digests), default=len(place)))


def _keys(image: ImageIdentity) -> list[tuple[str, str]]:
    keys = (("patient", image.patient_id), ("lesion", image.lesion_id))
    return [(kind, name) for kind, name in keys if name]


def _conflict(image: ImageIdentity, groups: Sequence[str], split: Callable[[str], Split]) -> Conflict | None:
    first = split(groups[0])
    for group in groups[1:]:
        if split(group) != first:
            return Conflict(image.image_id, (groups[0], group), (first, split(group)))
    return None


def split_of(group_id: str, *, test_share: float, val_share: float) -> Split:
    """The part of the data that a group goes to: test, then val, then train, by where its hash falls in [0, 1)."""
    place = _hash(group_id) / 2**64
    if place < test_share:
        return Split.TEST
    return Split.VAL if place < test_share + val_share else Split.TRAIN


def fold_of(group_id: str, folds: int) -> int:
    """The fold of a group of train or val, 0 to folds - 1, by a hash that has nothing to do with the split's."""
    return _hash(f"fold:{group_id}") % folds


def _hash(text: str) -> int:
    return int.from_bytes(hashlib.sha256(text.encode()).digest()[:8], "big")


class GroupLedger:
    """The groups that were given out, one line an image: `sha256,group_id`; lines are added and never change.

    Read and extended under a lock (`open_ledger`), so that two runs at once cannot give one image two groups.
    """

    def __init__(self, path: Path | None) -> None:
        self._path = path
        self.known: dict[str, str] = _read_ledger(path) if path is not None and path.exists() else {}

    def extend(self, groups: Iterable[tuple[str, str]]) -> None:
        """Add (sha256, group_id) of images that are not known yet; the file is replaced whole or not at all.

        Raises:
            StoreError: it cannot be written.
        """
        new = {digest: group for digest, group in groups if digest not in self.known}
        if self._path is None or not new:
            return
        self.known.update(new)
        text = io.StringIO(newline="")
        csv.writer(text, lineterminator="\n").writerows([("sha256", "group_id"), *self.known.items()])
        with atomic_write(self._path) as handle:
            handle.write(text.getvalue().encode())


@contextmanager
def open_ledger(path: Path | None) -> Iterator[GroupLedger]:
    """Open the ledger at `path` and lock it until the block ends; None: nothing is known and nothing is kept.

    Raises:
        DatasetError: the file is not what `GroupLedger` writes.
    """
    if path is None:
        yield GroupLedger(None)
        return
    path.parent.mkdir(parents=True, exist_ok=True)
    with path.with_name(f".{path.name}.lock").open("ab") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        yield GroupLedger(path)


def _read_ledger(path: Path) -> dict[str, str]:
    try:
        with path.open(encoding="utf-8", newline="") as handle:
            rows = list(csv.reader(handle))
    except (OSError, UnicodeDecodeError, csv.Error) as error:
        raise DatasetError(f"{path}: cannot be read ({error}); bring back a copy of it") from error
    if not rows or rows[0] != ["sha256", "group_id"]:
        raise DatasetError(f"{path}: does not begin with sha256,group_id; bring back a copy of it, or give another place")
    for number, row in enumerate(rows, start=1):
        if len(row) != 2 or not all(row):
            raise DatasetError(f"{path}: line {number} is no pair of sha256 and group_id; bring back a copy of the file")
    return {row[0]: row[1] for row in rows[1:]}
