"""From the rows that passed to their groups, splits and folds."""

from collections.abc import Sequence

import pandas as pd

from components.errors import DataRefused
from components.groups import GroupLedger, ImageIdentity, Placement, assign_groups, fold_of, near_duplicates, split_of
from components.lesions import CODES, Split, Task
from components.params import ValidateParams
from components.validate.images import FileChecks
from components.validate.quarantine import Problem
from components.validate.report import RepeatedPair


def repeated_pairs(manifest: pd.DataFrame, files: FileChecks, params: ValidateParams) -> list[RepeatedPair]:
    """Pairs of images of different ids that show the same, in the manifest's order."""
    pictures = manifest.drop_duplicates(["shard", "row"])
    prints = [files.fingerprints[str(shard), int(row)] for shard, row in zip(pictures["shard"], pictures["row"], strict=True)]
    people = list(zip(pictures["image_id"], pictures["patient_id"], pictures["lesion_id"], strict=True))
    pairs: dict[tuple[str, str], RepeatedPair] = {}
    for pair in near_duplicates(prints, distance=params.hash_distance, correlation=params.correlation):
        (first, *ours), (second, *theirs) = people[pair.first], people[pair.second]
        if first != second:
            told = any(name and name == other for name, other in zip(ours, theirs, strict=True))
            pairs.setdefault((first, second), RepeatedPair(first, second, pair.distance, pair.correlation, told))
    return list(pairs.values())


def place(manifest: pd.DataFrame, pairs: Sequence[RepeatedPair], ledger: GroupLedger, params: ValidateParams) -> Placement:
    """Give every image of the manifest its group; see `components.groups.assign_groups`."""
    return assign_groups(
        _identities(manifest, params),
        [(pair.first, pair.second) for pair in pairs],
        known=ledger.known,
        split=lambda group: _split(group, params),
    )


def placed_rows(manifest: pd.DataFrame, placement: Placement, params: ValidateParams) -> pd.DataFrame:
    """The rows of images that have a group, with group_id, split, and for train and val the fold."""
    rows = manifest[manifest["image_id"].isin(placement.groups.keys())].copy()
    rows["group_id"] = rows["image_id"].map(placement.groups)
    by_hash = rows["group_id"].map(lambda group: _split(group, params).value)
    rows["split"] = rows["split"].fillna(by_hash) if params.split == "official" else by_hash
    folds = rows["group_id"].map(lambda group: fold_of(group, params.folds))
    rows["fold"] = folds.where(rows["split"] != Split.TEST.value).astype("Int32")
    return rows


def conflict_problems(manifest: pd.DataFrame, placement: Placement) -> list[Problem]:
    """Lines of quarantine.csv for images that are set aside."""
    sources = manifest.drop_duplicates("image_id").set_index("image_id")["source"]
    return [
        Problem(
            conflict.image_id,
            f"repeats images of group {conflict.groups[0]!r} in {conflict.splits[0]} and of group {conflict.groups[1]!r} in "
            f"{conflict.splits[1]}: in either split it would leak into the other",
            str(sources[conflict.image_id]),
            "group",
        )
        for conflict in placement.conflicts
    ]


def refuse_empty(raw: pd.DataFrame, manifest: pd.DataFrame) -> None:
    """Stop where there is nothing to train on, or nothing to measure with.

    Args:
        raw: the rows that came.
        manifest: the rows that are left, with their splits.

    Raises:
        DataRefused: no row is left; a class of `raw` has none left, or none in train; a task of `raw` has a split without rows.
    """
    if manifest.empty:
        raise DataRefused("no image is left that has a diagnosis or a mask; see quarantine.csv, and mend the images or add others")
    _refuse_empty_classes(*(frame[frame["task"] == Task.CLASSIFICATION.value] for frame in (raw, manifest)))
    for task in (task for task in Task if (raw["task"] == task.value).any()):
        rows = manifest[manifest["task"] == task.value]
        for split in Split:
            if not (rows["split"] == split.value).any():
                raise DataRefused(
                    f"{task}: {split} would be empty ({rows['group_id'].nunique():,} groups in all); add images of more lesions, "
                    "or change validate.test_share or validate.val_share"
                )


def _refuse_empty_classes(raw: pd.DataFrame, manifest: pd.DataFrame) -> None:
    for code, held in raw["label"].value_counts().reindex(CODES).dropna().items():
        splits = manifest[manifest["label"] == code]["split"].value_counts()
        if splits.empty:
            raise DataRefused(
                f"class {code} has {int(held):,} images in the tables and none is left; see quarantine.csv, and mend them or "
                "take them out of the tables"
            )
        if Split.TRAIN.value not in splits:
            where = ", ".join(f"{count:,} in {split}" for split, count in splits.items())
            raise DataRefused(
                f"class {code} has no image in train ({where}); add images of more lesions, or change validate.test_share or "
                "validate.val_share"
            )


def _split(group: str, params: ValidateParams) -> Split:
    return split_of(group, test_share=params.test_share, val_share=params.val_share)


def _identities(manifest: pd.DataFrame, params: ValidateParams) -> list[ImageIdentity]:
    identities = []
    for image, rows in manifest.groupby("image_id", sort=False):
        patient, lesion = (next((name for name in rows[column] if name), None) for column in ("patient_id", "lesion_id"))
        official = params.split == "official" and bool(rows["split"].notna().any())
        identities.append(ImageIdentity(str(image), tuple(dict.fromkeys(rows["sha256"])), patient, lesion, official))
    return identities
