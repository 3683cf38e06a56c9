"""The same pixels under several ids: taken once a task; where their labels contradict each other, not at all."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import pandas as pd

from components.groups import KnownFile
from components.lesions import Task
from components.validate.quarantine import Problem

_FACTS = ("patient_id", "lesion_id", "age_approx", "sex", "anatom_site_general", "mask_sha256")


@dataclass(frozen=True)
class Repeat:
    """An image that was left out, since another has the same pixels.

    Attributes:
        image: its id.
        same_as: id of the image that stays.
        task: for which of them.
        differ: metadata in which they contradict each other: column → what each says, the one that stays first.
    """

    image: str
    same_as: str
    task: str
    differ: Mapping[str, tuple[Any, Any]]


@dataclass(frozen=True)
class TakenOnce:
    """The rows that stay, what was left out for one that stays, and why each row was set aside."""

    manifest: pd.DataFrame
    repeats: list[Repeat] = field(default_factory=list)
    problems: list[Problem] = field(default_factory=list)


def take_once(manifest: pd.DataFrame, pixels: "pd.Series[str]", known: Sequence[KnownFile]) -> TakenOnce:
    """Keep one row of those with the same pixels in a task: the one that the ledger knew first, else the first by id.

    Rows for classification whose labels contradict each other are all left out: which label is right cannot be told, and the rarer
    one may be the melanoma.

    Args:
        manifest: rows with their groups. What is left out has had its say in them: its lesion and the other's are one.
        pixels: digest of each row's pixels, by the manifest's index.
        known: the ledger's lines before these rows were placed.
    """
    rows = manifest.assign(pixels=pixels.loc[manifest.index])
    rows = rows[rows.duplicated(["task", "pixels"], keep=False)]
    if rows.empty:
        return TakenOnce(manifest)
    lines = {(line.sha256, line.image_id): number for number, line in enumerate(known)}
    files = zip(rows["sha256"], rows["image_id"], strict=True)
    rows = rows.assign(line=[lines.get(file, len(lines)) for file in files]).sort_values(["line", "image_id"], kind="stable")
    left_out: list[Any] = []
    taken = TakenOnce(manifest)
    for (task, _), same in rows.groupby(["task", "pixels"], sort=True):
        contradictory = task == Task.CLASSIFICATION.value and same["label"].nunique() > 1
        left_out += (same if contradictory else same.iloc[1:]).index.tolist()
        (_set_all_aside if contradictory else _leave_out)(same.to_dict("records"), taken)
    return TakenOnce(manifest.drop(index=left_out), taken.repeats, taken.problems)


def _set_all_aside(same: Sequence[Mapping[Any, Any]], taken: TakenOnce) -> None:
    labels = {row["label"]: row["image_id"] for row in reversed(same)}
    said = " and ".join(f"{label} ({labels[label]})" for label in sorted(labels))
    reason = f"the same pixels have two labels: {said}; which is right cannot be told: correct one, or leave both out"
    taken.problems.extend(Problem(str(row["image_id"]), reason, str(row["source"]), "label") for row in same)


def _leave_out(same: Sequence[Mapping[Any, Any]], taken: TakenOnce) -> None:
    stays, *others = same
    for row in others:
        facts = {name: (stays[name], row[name]) for name in _FACTS}
        differ = {name: pair for name, pair in facts.items() if not any(map(pd.isna, pair)) and pair[0] != pair[1]}
        taken.repeats.append(Repeat(str(row["image_id"]), str(stays["image_id"]), str(row["task"]), differ))
        reason = f"has the same pixels as {stays['image_id']}, which stays"
        taken.problems.append(Problem(str(row["image_id"]), reason, str(row["source"]), "image"))
