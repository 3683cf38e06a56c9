"""One test set and two training sets: one that knows nothing of its lesions, one that an image split would have made."""

from collections import Counter, defaultdict
from dataclasses import dataclass

import numpy as np
import pandas as pd

from components.dataset import Dataset
from components.errors import DataRefused
from components.lesions import Split, Task

Composition = tuple[tuple[str, int], ...]
"""Diagnosis, and how many images a group has of it."""


@dataclass(frozen=True)
class Partition:
    """Classification rows; no image is in two parts.

    Attributes:
        test: judged by both models: images that a random image split puts into test, and of whose group it puts others into train.
        shared: both models learn from these; none is of a group of `test`, and none of a group of `other`.
        other: the clean model learns from these too; none is of a group of `test`.
        leaked: the leaked model learns from these in their place: images of the groups of `test`, as many of each diagnosis, of as
            many groups.
        leaking_share: share of the image split's whole test that is like `test`, 0 to 1.
    """

    test: pd.DataFrame
    shared: pd.DataFrame
    other: pd.DataFrame
    leaked: pd.DataFrame
    leaking_share: float


def divide(data: Dataset, test_share: float, seed: int) -> Partition:
    """Split images at random, without regard to groups, and take apart what leaks.

    Val is left out: it judges both trainings. Each group that leaks is exchanged for one that does not, of which as many images of
    each diagnosis are learned from; the rest of that one nobody learns from, as nobody learns from the leaking one's images of
    test. So the models know equally many lesions. A group for which there is none to exchange, or whose exchange would take more
    than half of the other images of a diagnosis, is left out altogether: neither model goes without a rare one.

    Args:
        data: a preprocessed dataset.
        test_share: of the images, 0 to 1.
        seed: of the split.

    Raises:
        DataRefused: nothing leaks.
    """
    rows = data.rows(Task.CLASSIFICATION)
    judging = rows["split"] == Split.VAL.value
    pool = rows[~judging & ~rows["group_id"].isin(set(rows[judging]["group_id"]))].reset_index(drop=True)
    rng = np.random.default_rng(seed)
    drawn = pd.Series(rng.random(len(pool)) < test_share, index=pool.index)
    straddling = set(pool[drawn]["group_id"]) & set(pool[~drawn]["group_id"])
    leaks = pool["group_id"].isin(straddling)
    clean = pool[~drawn & ~leaks]
    exchanged = _exchanges(pool[~drawn & leaks], clean, rng)
    if not exchanged:
        raise DataRefused(
            f"{data.root}: an image split of its {len(pool):,} images of train and test would leak nothing that can be measured; "
            "the study needs lesions or patients with several images, and others of the same diagnoses"
        )
    chosen = pool["group_id"].isin(exchanged.keys())
    leaked = pool[~drawn & chosen]
    return Partition(
        test=pool[drawn & chosen].reset_index(drop=True),
        shared=clean[~clean["group_id"].isin(exchanged.values())].reset_index(drop=True),
        other=_as_many(leaked, clean, exchanged, rng).reset_index(drop=True),
        leaked=leaked.reset_index(drop=True),
        leaking_share=float((drawn & leaks).sum() / drawn.sum()),
    )


def _exchanges(leaked: pd.DataFrame, clean: pd.DataFrame, rng: np.random.Generator) -> dict[str, str]:
    """Leaking group → the clean one in its place, in an order drawn at random; of those that have enough, the smallest."""
    room = Counter({label: count // 2 for label, count in Counter(clean["label"]).items()})
    by_size = sorted(_alike(clean, rng).items(), key=lambda one: (sum(dict(one[0]).values()), one[0]))
    wanted = {str(group): Counter(labels) for group, labels in leaked.groupby("group_id")["label"]}
    exchanged: dict[str, str] = {}
    for group in rng.permutation(sorted(wanted)).tolist():
        for composition, groups in by_size:
            held = Counter(dict(composition))
            if groups and wanted[group] <= held <= room:
                exchanged[group] = groups.pop()
                room -= held
                break
    return exchanged


def _alike(rows: pd.DataFrame, rng: np.random.Generator) -> dict[Composition, list[str]]:
    """Images of each diagnosis → the groups that hold just so many, in an order drawn at random."""
    alike: dict[Composition, list[str]] = defaultdict(list)
    held = {str(group): Counter(labels) for group, labels in rows.groupby("group_id")["label"]}
    for group in rng.permutation(sorted(held)).tolist():
        alike[tuple(sorted(held[group].items()))].append(group)
    return alike


def _as_many(leaked: pd.DataFrame, clean: pd.DataFrame, exchanged: dict[str, str], rng: np.random.Generator) -> pd.DataFrame:
    """Of each clean group that is exchanged as many images of each diagnosis as are leaked in its place, drawn at random."""
    places = clean.groupby(["group_id", "label"]).groups
    wanted = Counter(zip(leaked["group_id"].map(exchanged), leaked["label"], strict=True))
    drawn = [place for one, count in sorted(wanted.items()) for place in rng.choice(places[one], count, replace=False)]
    return clean.loc[sorted(drawn)]
