"""What changed between two manifests: a pure function, nothing is read here."""

from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass
from enum import StrEnum
from functools import cached_property

import pandas as pd

from components.lesions import CODES, Split, Task


class Kind(StrEnum):
    """What happened to an image; one that stays may have changed in several ways."""

    ADDED = "added"
    REMOVED = "removed"
    RELABELLED = "relabelled"
    REMASKED = "remasked"
    REPLACED = "replaced"  # another file under the same id
    METADATA = "metadata"
    REGROUPED = "regrouped"  # another group or fold
    MOVED = "moved"  # another split


UNLABELLED = "none"
"""Stands for the class of images without a diagnosis."""

# Column → what it means that it differs. `shard`, `row` and the folder part of `mask` say nothing about an image.
_MEANING: Mapping[str, Kind] = {
    "label": Kind.RELABELLED,
    "mask_sha256": Kind.REMASKED,
    "sha256": Kind.REPLACED,
    **dict.fromkeys(("lesion_id", "patient_id", "age_approx", "sex", "anatom_site_general", "skin_tone"), Kind.METADATA),
    **dict.fromkeys(("source", "licence", "width", "height"), Kind.METADATA),
    **dict.fromkeys(("group_id", "fold"), Kind.REGROUPED),
    "split": Kind.MOVED,
}
# An image that gains or loses a task has a row in one version alone: all that says is a label or a mask that came or went.
_OF_A_LONE_ROW = {Task.CLASSIFICATION: "label", Task.SEGMENTATION: "mask_sha256"}


@dataclass(frozen=True)
class Field:
    """A cell that differs: of which task's row, which column, and what it held; None: empty."""

    task: Task
    column: str
    before: object
    after: object


@dataclass(frozen=True)
class Change:
    """An image that differs.

    Attributes:
        image_id: its id.
        kinds: what happened to it.
        label: its class, the newer where it changed; UNLABELLED where it has none.
        source: where it comes from, the newer where that changed.
        fields: the cells that differ; empty for an image that was added or removed.
    """

    image_id: str
    kinds: frozenset[Kind]
    label: str
    source: str
    fields: tuple[Field, ...]


@dataclass(frozen=True)
class Move:
    """A lesion of which some image is in a split in which none was before.

    Attributes:
        lesion: id of the lesion; of the group or the image where the tables name no lesion.
        before, after: the splits of its images in both versions.
    """

    lesion: str
    before: tuple[str, ...]
    after: tuple[str, ...]

    @property
    def test(self) -> bool:
        """Whether test images of it are concerned: then figures on them cannot be compared."""
        return Split.TEST in self.before or Split.TEST in self.after


@dataclass(frozen=True)
class DataDiff:
    """What changed between two versions.

    Attributes:
        changes: images that differ, in the order of their ids.
        moves: lesions that changed their split.
        before, after: images of each (class, split) in both versions; split is empty where there is none.
        sources_before, sources_after: images of each source in both.
    """

    changes: tuple[Change, ...]
    moves: tuple[Move, ...]
    before: Counter[tuple[str, str]]
    after: Counter[tuple[str, str]]
    sources_before: Counter[str]
    sources_after: Counter[str]

    @cached_property
    def classes(self) -> list[str]:
        """Classes that either version has, in the order of CODES."""
        known = {label for label, _ in (*self.before, *self.after)}
        return [code for code in (*CODES, UNLABELLED) if code in known] + sorted(known - {*CODES, UNLABELLED})

    @cached_property
    def sources(self) -> list[str]:
        """Sources that either version has, in the order of their names."""
        return sorted({*self.sources_before, *self.sources_after})

    def count(self, kind: Kind, *, label: str | None = None, source: str | None = None) -> int:
        """Images to which this happened, of a class, of a source, or all."""
        return sum(
            kind in change.kinds and label in (None, change.label) and source in (None, change.source) for change in self.changes
        )

    @property
    def has_splits(self) -> bool:
        """Whether both versions are split, so that something can have moved."""
        return all(any(split for _, split in images) for images in (self.before, self.after))

    @property
    def verdict(self) -> str:
        """The sentence that a reviewer reads first: whether anything moved between the splits."""
        if not self.has_splits:
            return "a version without splits: nothing can be said of moves"
        images, lesions, tests = self.count(Kind.MOVED), len(self.moves), self.test_moves
        if not lesions and not images:
            return "no lesion and no image moved between splits: figures on the test images can be compared"
        moved = f"{_counted_as(lesions, 'lesion')} in a split that did not hold it before, {_counted_as(images, 'image')} moved"
        if not tests:
            return f"{moved}; no test lesion is among them"
        names = ", ".join(move.lesion for move in tests[:3]) + (" …" if len(tests) > 3 else "")
        return f"{_counted_as(len(tests), 'TEST LESION')} MOVED ({names}): figures on the test images cannot be compared; {moved}"

    @property
    def relabelled(self) -> Counter[tuple[str, str]]:
        """(class before, class after) → images whose diagnosis changed."""
        labels = {change.image_id: [f for f in change.fields if f.column == "label"] for change in self.changes}
        return Counter((str(f[0].before or UNLABELLED), str(f[0].after or UNLABELLED)) for f in labels.values() if f)

    @property
    def test_moves(self) -> list[Move]:
        """Lesions that moved and that test images show, before or after."""
        return [move for move in self.moves if move.test]


def compare(before: pd.DataFrame, after: pd.DataFrame) -> DataDiff:
    """Compare two manifests (columns of `components.dataset.COLUMNS`), as `read_manifest` gives them.

    An image is one, however many tasks it serves; its class is that of its classification row, else of its segmentation row.
    """
    images_before, images_after = _images(before), _images(after)
    fields = _fields(before, after)
    changes = []
    for image in sorted({*images_before.index, *images_after.index}):
        here = images_after if image in images_after.index else images_before
        if image not in images_before.index:
            kinds = frozenset({Kind.ADDED})
        elif image not in images_after.index:
            kinds = frozenset({Kind.REMOVED})
        else:
            kinds = frozenset(_MEANING[field.column] for field in fields.get(image, ()))
        if kinds:
            differing = tuple(fields.get(image, ())) if kinds.isdisjoint({Kind.ADDED, Kind.REMOVED}) else ()
            changes.append(Change(image, kinds, str(here.at[image, "label"]), str(here.at[image, "source"]), differing))
    return DataDiff(
        tuple(changes),
        _moves(before, after),
        _counted(images_before),
        _counted(images_after),
        Counter(images_before["source"]),
        Counter(images_after["source"]),
    )


def _images(manifest: pd.DataFrame) -> pd.DataFrame:
    """One row for each image, by its id: class, source, split, and what names its lesion."""
    ordered = manifest.sort_values("task", kind="stable")  # classification comes first
    labels = ordered.groupby("image_id")["label"].first()
    images = ordered.drop_duplicates("image_id").set_index("image_id")
    return pd.DataFrame(
        {
            "label": labels.reindex(images.index).fillna(UNLABELLED),
            "source": images["source"],
            "split": images["split"].fillna(""),
        }
    )


def _fields(before: pd.DataFrame, after: pd.DataFrame) -> dict[str, list[Field]]:
    """Image → the cells that differ, of images that both versions have."""
    found: dict[str, list[Field]] = {}
    for task in Task:
        old, new = (frame[frame["task"] == task.value].set_index("image_id") for frame in (before, after))
        both = old.index.intersection(new.index)
        for column in _MEANING:
            _collect(found, task, column, old[column].reindex(both), new[column].reindex(both))
        column = _OF_A_LONE_ROW[task]
        lone = old.index.symmetric_difference(new.index)
        _collect(found, task, column, old[column].reindex(lone), new[column].reindex(lone))
    return found


def _collect(found: dict[str, list[Field]], task: Task, column: str, old: pd.Series, new: pd.Series) -> None:
    a, b = old.astype(object), new.astype(object)
    differs = (a != b) & ~(a.isna() & b.isna())
    for image in old.index[differs.fillna(True).to_numpy(dtype=bool)]:
        found.setdefault(str(image), []).append(Field(task, column, _plain(a[image]), _plain(b[image])))


def _plain(cell: object) -> object:
    return None if pd.isna(cell) else cell  # type: ignore[call-overload]


def _moves(before: pd.DataFrame, after: pd.DataFrame) -> tuple[Move, ...]:
    """Lesions that both versions have and that are in a split in which they were not."""
    old, new = _splits_of_lesions(before), _splits_of_lesions(after)
    return tuple(
        Move(lesion, tuple(sorted(old[lesion])), tuple(sorted(new[lesion])))
        for lesion in sorted(old.keys() & new.keys())
        if new[lesion] - old[lesion]
    )


def _splits_of_lesions(manifest: pd.DataFrame) -> dict[str, set[str]]:
    """Lesion (else group, else image) → the splits of its rows."""
    lesions = manifest["lesion_id"].fillna(manifest["group_id"]).fillna(manifest["image_id"])
    found: dict[str, set[str]] = {}
    for lesion, split in zip(lesions, manifest["split"], strict=True):
        if not pd.isna(split):
            found.setdefault(str(lesion), set()).add(str(split))
    return found


def _counted_as(count: int, what: str) -> str:
    return f"{count:,} {what}{'' if count == 1 else 'S' if what.isupper() else 's'}"


def _counted(images: pd.DataFrame) -> Counter[tuple[str, str]]:
    return Counter(zip(images["label"], images["split"], strict=True))
