"""From the rows that passed to their groups, splits and folds."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace

import numpy as np
import pandas as pd

from components.errors import DataRefused
from components.groups import ImageFile, KnownFile, Placement, assign_groups, fold_of, split_of
from components.lesions import CODES, Split, Task
from components.near_duplicates import NearDuplicate, near_duplicates
from components.params import ValidateParams
from components.validate.images import Checked
from components.validate.quarantine import Problem
from components.validate.report import RepeatedPair


@dataclass(frozen=True)
class Placed:
    """Rows with group, split and fold; pairs that show the same; rows that were set aside, and why."""

    manifest: pd.DataFrame
    pairs: list[RepeatedPair]
    problems: list[Problem]
    lines: list[KnownFile]


def find_duplicates(manifest: pd.DataFrame, checked: Checked, params: ValidateParams) -> list[NearDuplicate]:
    """Pairs of files that show the same, by their places in the order of the manifest, each file once.

    Files with the same pixels are searched as one, for which the first stands, and each of the others is a pair with the first.
    """
    files = manifest.drop_duplicates(["image_id", "sha256"]).index
    pixels = checked.measures["pixels_sha256"].loc[files]
    _, first, picture_of = np.unique(pixels.to_numpy(str), return_index=True, return_inverse=True)
    first = np.sort(first)
    numbers = checked.numbers[files[first]]
    found = near_duplicates(
        checked.hashes[numbers],
        lambda places: checked.textures(numbers[places]),
        distance=params.hash_distance,
        correlation=params.correlation,
    )
    pairs = [replace(pair, first=int(first[pair.first]), second=int(first[pair.second])) for pair in found]
    place_of_picture = dict(zip(picture_of[first].tolist(), first.tolist(), strict=True))
    for place, picture in enumerate(picture_of.tolist()):
        if place_of_picture[picture] != place:
            pairs.append(NearDuplicate(place_of_picture[picture], place, 0, 1.0, 0))
    return sorted(pairs, key=lambda pair: (pair.first, pair.second))


def place(
    manifest: pd.DataFrame,
    pixels: "pd.Series[str]",
    duplicates: Sequence[NearDuplicate],
    known: Sequence[KnownFile],
    params: ValidateParams,
) -> Placed:
    """Give every row its group, split and, in train and val, its fold.

    Args:
        manifest: the rows that passed.
        pixels: digest of each row's pixels, by the manifest's index.
        duplicates: what `find_duplicates` finds in it.
        known: the groups that were given out before.
        params: shares; whether official splits are kept.
    """
    files = _files(manifest, pixels, params)
    placement = assign_groups(
        list(files.values()),
        [(pair.first, pair.second) for pair in duplicates],
        known=known,
        split=lambda group: _split(group, params),
    )
    groups = [placement.groups.get(files[key]) for key in _file_keys(manifest)]
    rows = _placed_rows(manifest, groups, placement.joined, params)
    pairs = _repeated_pairs(list(files.values()), duplicates)
    return Placed(rows, pairs, _problems(manifest, placement), placement.lines)


def _file_keys(manifest: pd.DataFrame) -> list[tuple[str, str]]:
    return list(zip(manifest["image_id"], manifest["sha256"], strict=True))


def _files(manifest: pd.DataFrame, pixels: "pd.Series[str]", params: ValidateParams) -> dict[tuple[str, str], ImageFile]:
    """Each file once, in the order of the manifest; one that serves both tasks is official where one of them says so."""
    given = manifest["split"].notna() if params.split == "official" else pd.Series(False, index=manifest.index)
    official = {key for key, is_given in zip(_file_keys(manifest), given, strict=True) if is_given}
    facts = zip(_file_keys(manifest), manifest["patient_id"], manifest["lesion_id"], pixels.loc[manifest.index], strict=True)
    files: dict[tuple[str, str], ImageFile] = {}
    for key, patient, lesion, picture in facts:
        files.setdefault(key, ImageFile(*key, patient, lesion, key in official, picture))
    return files


def _placed_rows(
    manifest: pd.DataFrame, groups: Sequence[str | None], joined: Mapping[str, str], params: ValidateParams
) -> pd.DataFrame:
    rows = manifest.assign(group_id=pd.Series(groups, index=manifest.index, dtype=object))
    rows = rows[rows["group_id"].notna()]
    splits = {group: _split(group, params).value for group in rows["group_id"].unique()}
    by_hash = rows["group_id"].map(splits)
    split = rows["split"].fillna(by_hash) if params.split == "official" else by_hash
    together = rows["group_id"].map(joined)
    folds = together.map(lambda group: fold_of(group, params.folds))
    return rows.assign(group_id=together, split=split, fold=folds.where(split != Split.TEST.value).astype("Int32"))


def _repeated_pairs(files: Sequence[ImageFile], duplicates: Iterable[NearDuplicate]) -> list[RepeatedPair]:
    pairs: dict[tuple[str, str], RepeatedPair] = {}
    for pair in duplicates:
        first, second = files[pair.first], files[pair.second]
        if first.image_id != second.image_id:
            claims = zip((first.patient_id, first.lesion_id), (second.patient_id, second.lesion_id), strict=True)
            told = any(one and one == other for one, other in claims)
            names = first.image_id, second.image_id
            pairs.setdefault(names, RepeatedPair(*names, pair.distance, pair.correlation, pair.turn, told))
    return list(pairs.values())


def _problems(manifest: pd.DataFrame, placement: Placement) -> list[Problem]:
    sources = dict(zip(manifest["image_id"], manifest["source"], strict=True))
    return [
        Problem(
            conflict.image_id,
            f"belongs to group {conflict.groups[0]!r} in {conflict.splits[0]} and to group {conflict.groups[1]!r} in "
            f"{conflict.splits[1]}, by its lesion or by what it repeats: in either split it would leak into the other",
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
