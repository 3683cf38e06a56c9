"""report.json: what is in the dataset, what was brought together, repaired and set aside."""

import json
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import pandas as pd

from components.files import write_text
from components.lesions import CODES, Split, Task
from components.validate.exact_duplicates import Repeat
from components.validate.quarantine import Problem, count_kinds

# Fewer test images of a class say next to nothing about it: of 10, one is 10 points of sensitivity.
FEW = 10


@dataclass(frozen=True)
class RepeatedPair:
    """Two images of different ids that show the same.

    Attributes:
        first: id of the earlier one in the manifest.
        second: id of the other.
        distance: bits of their perceptual hashes that differ.
        correlation: of their textures.
        turn: how the second is turned or mirrored to look like the first, 0 upright (`components.near_duplicates.turned`).
        told: the tables say so too: same patient or same lesion.
    """

    first: str
    second: str
    distance: int
    correlation: float
    turn: int
    told: bool


@dataclass(frozen=True)
class OfficialSplit:
    """Whether the split that sources give is kept, and ids of the images that it has in test."""

    kept: bool
    test: Sequence[str]


@dataclass(frozen=True)
class Report:
    """What the step found.

    Attributes:
        manifest: the rows that are kept, with group, split and fold.
        pairs: near-duplicates among the images that passed the checks.
        problems: all lines of quarantine.csv.
        bad_rows: rows that did not pass, those that ingest refused included.
        all_rows: rows there were.
        set_aside: images that repeat groups of different splits.
        repeats: images that were left out since another has the same pixels.
        two_labels: ids of images with the same pixels and contradictory labels.
        repaired_masks: ids of images whose mask was repaired.
        official: the split that sources give.
    """

    manifest: pd.DataFrame
    pairs: Sequence[RepeatedPair]
    problems: Sequence[Problem]
    bad_rows: int
    all_rows: int
    set_aside: int
    repeats: Sequence[Repeat]
    two_labels: Sequence[str]
    repaired_masks: Sequence[str]
    official: OfficialSplit

    def metrics(self) -> dict[str, float]:
        """The main counts."""
        counts = {f"rows_{task}": float((self.manifest["task"] == task.value).sum()) for task in Task}
        return counts | {
            "images": float(self.manifest["image_id"].nunique()),
            "groups": float(self.manifest["group_id"].nunique()),
            "bad_rows": float(self.bad_rows),
            "near_duplicate_pairs": float(len(self.pairs)),
            "near_duplicate_pairs_not_told": float(sum(not pair.told for pair in self.pairs)),
            "images_set_aside": float(self.set_aside),
            "exact_duplicates": float(len({repeat.image for repeat in self.repeats})),
            "images_of_two_labels": float(len(self.two_labels)),
            "masks_repaired": float(len(self.repaired_masks)),
        }


def write_report(folder: Path, report: Report) -> None:
    """Write report.json; equal reports give equal bytes."""
    pairs = [asdict(pair) | {"correlation": round(pair.correlation, 3)} for pair in report.pairs]
    document = {
        "counts": {name: int(count) for name, count in report.metrics().items()},
        "rows": {task.value: _by_split(report.manifest, task) for task in Task if (report.manifest["task"] == task.value).any()},
        "absent_classes": _absent(report.manifest),
        "near_duplicates": pairs,
        "exact_duplicates": [asdict(repeat) for repeat in report.repeats],
        "two_labels": sorted(report.two_labels),
        "official_split": asdict(report.official),
        "repaired_masks": sorted(report.repaired_masks),
        "quarantined": count_kinds(report.problems),
        "torn_groups": torn_groups(report.manifest),
    }
    write_text(folder / "report.json", json.dumps(document, indent=2, ensure_ascii=False) + "\n")


def torn_groups(manifest: pd.DataFrame) -> dict[str, list[str]]:
    """Groups with rows in several splits, as official splits make them: group → its splits."""
    pairs = manifest[["group_id", "split"]].drop_duplicates()
    torn = pairs[pairs.duplicated("group_id", keep=False)]
    return {str(group): sorted(splits) for group, splits in torn.groupby("group_id", sort=True)["split"]}


def few_images(manifest: pd.DataFrame) -> list[str]:
    """Lines that tell of classes with few images in val or test, and of classes that are absent."""
    rows = manifest[manifest["task"] == Task.CLASSIFICATION.value]
    lines = []
    for split in (Split.VAL, Split.TEST):
        counts = rows[rows["split"] == split.value]["label"].value_counts()
        few = [f"{code} {counts.get(code, 0)}" for code in CODES if code in set(rows["label"]) and counts.get(code, 0) < FEW]
        if few:
            lines.append(f"{split} holds fewer than {FEW} images of some classes, so their figures say little: {', '.join(few)}")
    if absent := _absent(manifest):
        lines.append(f"no image of {', '.join(absent)} is there: what is trained on this data cannot tell them")
    return lines


def _absent(manifest: pd.DataFrame) -> list[str]:
    rows = manifest[manifest["task"] == Task.CLASSIFICATION.value]
    return [] if rows.empty else [code for code in CODES if code not in set(rows["label"])]


def _by_split(manifest: pd.DataFrame, task: Task) -> dict[str, Any]:
    rows = manifest[manifest["task"] == task.value]
    parts = {split: rows[rows["split"] == split.value] for split in Split}
    if task is Task.SEGMENTATION:
        return {split.value: len(part) for split, part in parts.items()}
    return {split.value: {code: int((part["label"] == code).sum()) for code in CODES} for split, part in parts.items()}
