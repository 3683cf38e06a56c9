"""One test set and two training sets: one that knows nothing of its lesions, one that an image split would have made."""

from collections import Counter
from dataclasses import dataclass

import numpy as np
import pandas as pd

from components.dataset import Dataset
from components.errors import DataRefused
from components.lesions import Split, Task


@dataclass(frozen=True)
class Partition:
    """Classification rows; no image is in two parts.

    Attributes:
        test: judged by both models: images that a random image split puts into test, and of whose group it puts others into train.
        shared: both models learn from these; none is of a group of `test`.
        other: the clean model learns from these too; none is of a group of `test`.
        leaked: the leaked model learns from these in their place: images of the groups of `test`, as many of each diagnosis.
        leaking_share: share of the image split's whole test that is like `test`, 0 to 1.
    """

    test: pd.DataFrame
    shared: pd.DataFrame
    other: pd.DataFrame
    leaked: pd.DataFrame
    leaking_share: float


def divide(data: Dataset, test_share: float, seed: int) -> Partition:
    """Split images at random, without regard to groups, and take apart what leaks.

    Val is left out: it judges both trainings. A group is left out altogether where its leaked images would take the place of more
    than half of the other images of a diagnosis, so that neither model goes without a rare one.

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
    groups = _affordable(pool[~drawn & leaks], clean, rng)
    if not groups:
        raise DataRefused(
            f"{data.root}: an image split of its {len(pool):,} images of train and test would leak nothing that can be measured; "
            "the study needs lesions or patients with several images, and others of the same diagnoses"
        )
    chosen = pool["group_id"].isin(groups)
    leaked = pool[~drawn & chosen]
    places = [
        place
        for label, count in sorted(Counter(leaked["label"]).items())
        for place in rng.choice(clean.index[clean["label"] == label], count, replace=False)
    ]
    return Partition(
        test=pool[drawn & chosen].reset_index(drop=True),
        shared=clean.drop(index=places).reset_index(drop=True),
        other=clean.loc[sorted(places)].reset_index(drop=True),
        leaked=leaked.reset_index(drop=True),
        leaking_share=float((drawn & leaks).sum() / drawn.sum()),
    )


def _affordable(leaked: pd.DataFrame, clean: pd.DataFrame, rng: np.random.Generator) -> set[str]:
    """Groups, in an order drawn at random, as long as half of the clean images of each diagnosis can make room for theirs."""
    room = Counter({label: count // 2 for label, count in Counter(clean["label"]).items()})
    wanted = {str(group): Counter(labels) for group, labels in leaked.groupby("group_id")["label"]}
    groups: set[str] = set()
    for group in rng.permutation(sorted(wanted)).tolist():
        if wanted[group] <= room:
            groups.add(group)
            room -= wanted[group]
    return groups
