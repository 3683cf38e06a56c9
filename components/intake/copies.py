"""Copies of test images that come under other ids: what judges models must not be decided by who delivers a batch.

The split keeps a copy of a test image in test, so that nothing learns from it. Many of them let a few lesions decide every
figure, and under other labels they make figures wrong, or cost the test image its place (`validate` takes neither of two files with
the same pixels and two labels).
"""

import json
from collections.abc import Mapping, Sequence, Set
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pandas as pd

from components.errors import DatasetError
from components.intake.batch import Batch, images_of
from components.intake.finding import Finding
from components.lesions import Split
from components.validate.quarantine import read_quarantine

CHECK = "copies"
_IN_TEST = f"in {Split.TEST.value}"


@dataclass(frozen=True)
class Pair:
    """Two images that show the same: ids, and whether the tables say that they show one lesion or person."""

    first: str
    second: str
    told: bool


@dataclass(frozen=True)
class Repeats:
    """What `validate` found to repeat something.

    Attributes:
        pairs: near-duplicates, and copies to the last pixel.
        two_labels: ids of images of the same pixels whose labels contradict each other, all of them set aside.
        set_aside: ids of images that repeat something of test and something else, and went to neither.
    """

    pairs: Sequence[Pair]
    two_labels: Set[str]
    set_aside: Set[str]


def read_repeats(validated: Path) -> Repeats:
    """Read what an output of `validate` says of repeated images.

    Raises:
        DatasetError: report.json or quarantine.csv is not what `validate` writes.
    """
    path = validated / "report.json"
    try:
        report: dict[str, Any] = json.loads(path.read_text(encoding="utf-8"))
        pairs = [Pair(one["first"], one["second"], bool(one["told"])) for one in report["near_duplicates"]]
        pairs += [Pair(one["same_as"], one["image"], told=False) for one in report["exact_duplicates"]]
        two_labels = {str(image) for image in report["two_labels"]}
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise DatasetError(f"{path}: cannot be read ({error!r}); validate the data again") from error
    torn = {one.image for one in read_quarantine(validated) if one.field == "group" and _IN_TEST in one.reason}
    return Repeats(pairs, two_labels, torn)


def copies(
    batch: Batch, before: pd.DataFrame | None, repeats: Repeats, known: Set[str], *, share: float, contradictions: float
) -> Finding:
    """Count copies of test images in a batch.

    Args:
        batch: what came.
        before: the manifest of before; None: only digests of it are known.
        repeats: what `validate` found in the later version.
        known: ids that the earlier version had or had set aside.
        share: copies that a batch may have; more, and more than one, are refused.
        contradictions: the same of copies whose label is not that of the test image.
    """
    test = _test_labels(batch, before)
    labels = dict(zip(batch.new["image_id"], batch.new["label"], strict=True))
    copied, contradicting = set(), set()
    for pair in repeats.pairs:
        for image, original in ((pair.second, pair.first), (pair.first, pair.second)):
            if original not in test or image in known:
                continue
            if not pair.told:
                copied.add(image)
            if labels.get(image) and test[original] and labels[image] != test[original]:
                contradicting.add(image)
    # Two labels of the same pixels: the test image went, and so did its copy.
    lost = {image for image in repeats.two_labels if image in test and image in set(batch.gone["image_id"])}
    copied |= {image for image in repeats.set_aside | (repeats.two_labels if lost else set()) if image not in known}
    contradicting |= lost
    return _judge(copied | contradicting, contradicting, _offered(batch, copied), share, contradictions)


def _test_labels(batch: Batch, before: pd.DataFrame | None) -> Mapping[str, str | None]:
    rows = batch.kept if before is None else images_of(before)
    rows = rows[rows["split"] == Split.TEST.value]
    return dict(zip(rows["image_id"], rows["label"].where(rows["label"].notna(), None), strict=True))


def _offered(batch: Batch, copied: Set[str]) -> int:
    """Images that came: those that are new, and those that were left out since they repeat something."""
    return len(set(batch.new["image_id"]) | copied)


def _judge(copied: Set[str], contradicting: Set[str], offered: int, share: float, contradictions: float) -> Finding:
    measures = {"copies": float(len(copied)), "contradicting": float(len(contradicting)), "images": float(offered)}
    ids = tuple(sorted(copied))
    told = f"{len(copied):,} of {offered:,} images show what test images show, under other ids"
    if len(contradicting) > max(1, contradictions * offered):
        reason = f"{told}, {len(contradicting):,} of them with another diagnosis (allowed: {contradictions:.1%})"
        return Finding(CHECK, True, reason, measures, ids)
    if len(copied) > max(1, share * offered):
        return Finding(CHECK, True, f"{told} (allowed: {share:.1%})", measures, ids)
    if copied:
        return Finding(CHECK, False, f"{told}: no more than {share:.1%}", measures, ids)
    return Finding(CHECK, False, "no image shows what a test image shows under another id", measures)
