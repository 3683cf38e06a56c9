"""Leaks: what lets a model see in training what it is tested on, or tells it two things of one picture."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import pandas as pd

from components.audit.data import AuditedData
from components.audit.findings import SHOWN, Checked, Exhibit, Family, Finding, Severity, Table
from components.audit.words import count, unique, verb
from components.lesions import Split


@dataclass(frozen=True)
class Pair:
    """Two images that show the same, and why this is known; `same_pixels`: to the last bit."""

    first: str
    second: str
    same_pixels: bool
    told: bool
    how: str


def find_leaks(data: AuditedData) -> Checked:
    """Groups in two splits, pictures that repeat each other (in two splits, in two folds), pictures with two labels, official tests
    that are trained on.

    A leak is critical where the split was by hash, which promises that there is none, and high where a source's own split was
    kept, as that is what it is known for.
    """
    pairs = _pairs(data)
    facts = _Facts(data.pictures.set_index("image_id"), data.rows)
    checked = Checked()
    for part in (
        _torn_groups(data),
        _pairs_across_splits(data, pairs, facts),
        _pairs_across_folds(pairs, facts),
        _pairs_of_two_labels(pairs, facts),
        _two_labels_in_the_tables(data),
        _official_test(data),
        _untold_pairs(pairs, facts),
        _set_aside(data),
        _copies(data),
    ):
        checked.add(part)
    return checked


class _Facts:
    """What is known of an image, by its id."""

    def __init__(self, pictures: pd.DataFrame, rows: pd.DataFrame) -> None:
        self._pictures = pictures.to_dict("index")
        self._splits: dict[str, list[str]] = {}
        for image, split in sorted(set(zip(rows["image_id"], rows["split"], strict=True))):
            self._splits.setdefault(image, []).append(split)
        folds = rows[rows["fold"].notna()]
        self._folds = dict(zip(folds["image_id"], folds["fold"].astype(int), strict=True))

    def splits(self, image: str) -> list[str]:
        return self._splits[image]

    def fold(self, image: str) -> int | None:
        return self._folds.get(image)

    def label(self, image: str) -> str | None:
        return self._pictures[image]["label"] or None

    def group(self, image: str) -> str:
        return str(self._pictures[image]["group_id"])

    def exhibit(self, pair: Pair) -> Exhibit:
        images = pair.first, pair.second
        notes = tuple(f"{self.label(image) or 'no diagnosis'}, {'/'.join(self.splits(image))}" for image in images)
        return Exhibit(images, pair.how, notes)


def _pairs(data: AuditedData) -> list[Pair]:
    """Pairs with the same pixels first, then those that validate found to show the same; each once."""
    found: dict[tuple[str, str], Pair] = {}
    ids = data.rows.drop_duplicates(["image_id", "pixels_sha256"])
    for _, same in ids[ids["pixels_sha256"].duplicated(keep=False)].groupby("pixels_sha256", sort=True):
        first, *others = sorted(same.to_dict("records"), key=lambda row: str(row["image_id"]))
        for other in others:
            told = _told(first, other)
            key = str(first["image_id"]), str(other["image_id"])
            found.setdefault(key, Pair(*key, True, told, "the same pixels"))
    there = set(data.rows["image_id"])
    for one in sorted(data.report.get("near_duplicates", []), key=lambda one: (-one["correlation"], one["first"], one["second"])):
        key = min(one["first"], one["second"]), max(one["first"], one["second"])
        if there.issuperset(key):
            turned = ", turned or mirrored" if one["turn"] else ""
            how = f"hash distance {one['distance']}, correlation {one['correlation']:.2f}{turned}"
            found.setdefault(key, Pair(*key, False, one["told"], how))
    return list(found.values())


def _told(first: Mapping[Any, Any], second: Mapping[Any, Any]) -> bool:
    return any(first[name] and first[name] == second[name] for name in ("patient_id", "lesion_id"))


def _worst(data: AuditedData) -> Severity:
    return Severity.HIGH if data.official_split else Severity.CRITICAL


def _mend(data: AuditedData) -> str:
    if data.official_split:
        return (
            "Figures on this split are too good: use it to reproduce published ones alone, and validate.split: hash for your own."
        )
    return (
        "Do not train on it. The split by hash lets no group into two splits, so the folder was changed: validate the data again."
    )


def _torn_groups(data: AuditedData) -> Checked:
    splits: dict[str, list[str]] = {}
    for group, split in sorted(set(zip(data.rows["group_id"], data.rows["split"], strict=True))):
        splits.setdefault(group, []).append(split)
    torn = {group: found for group, found in splits.items() if len(found) > 1}
    if not torn:
        return Checked(sound=[f"None of the {len(splits):,} groups (patients, lesions, near-duplicates) lies in two splits."])
    rows = data.rows[data.rows["group_id"].isin(list(torn))]
    ids = unique(rows["image_id"])
    exhibits = []
    for group, found in torn.items():
        members = rows[rows["group_id"] == group]
        shown = unique(str(members[members["split"] == split].iloc[0]["image_id"]) for split in found)
        exhibits.append(Exhibit(tuple(shown), group, tuple(found)))
    finding = Finding(
        "leak-groups",
        Family.LEAKS,
        _worst(data),
        f"{count(len(torn), 'group')} of images of one lesion or person {verb(len(torn), 'lies', 'lie')} in two splits, "
        "so a model is tested on what it has seen",
        f"{count(len(torn), 'group')}, {count(len(ids), 'image')}",
        _mend(data),
        "A group is a patient where known, else a lesion, else an image, joined with near-duplicates. Both tasks count: a test "
        "image of one task that the other trains on is seen by a model that is fed by both.",
        measures={"groups": len(torn), "images": len(ids)},
        images=ids,
        exhibits=exhibits,
    )
    return Checked([finding])


def _pairs_across_splits(data: AuditedData, pairs: Sequence[Pair], facts: _Facts) -> Checked:
    across = [pair for pair in pairs if set(facts.splits(pair.first)) != set(facts.splits(pair.second))]
    # Torn groups are told above; what is left was not known to show the same.
    across = [pair for pair in across if facts.group(pair.first) != facts.group(pair.second)]
    if not across:
        return Checked(sound=["No exact copy and no near-duplicate of an image lies in another split under another group."])
    title = f"{count(len(across), 'pair')} of images {verb(len(across), 'shows', 'show')} the same in different splits"
    return _of_pairs("leak-duplicates", _worst(data), title, _mend(data), across, facts)


def _pairs_across_folds(pairs: Sequence[Pair], facts: _Facts) -> Checked:
    # Those in two splits are told above.
    inside = [pair for pair in pairs if facts.splits(pair.first) == facts.splits(pair.second)]
    across = [pair for pair in inside if facts.fold(pair.first) != facts.fold(pair.second)]
    if not across:
        return Checked(sound=["No exact copy and no near-duplicate of an image lies in another fold of its split."])
    title = f"{count(len(across), 'pair')} of images {verb(len(across), 'shows', 'show')} the same in different folds"
    advice = "Do not train with folds on it, out-of-fold figures would be too good; validate the data again, which joins them."
    return _of_pairs("leak-folds", Severity.HIGH, title, advice, across, facts)


def _pairs_of_two_labels(pairs: Sequence[Pair], facts: _Facts) -> Checked:
    two = [p for p in pairs if facts.label(p.first) and facts.label(p.second) and facts.label(p.first) != facts.label(p.second)]
    if not two:
        return Checked(sound=["No two images that show the same carry different diagnoses."])
    title = f"{count(len(two), 'pair')} of images {verb(len(two), 'shows', 'show')} the same under two diagnoses; one is wrong"
    advice = "Look at the pairs, find out which diagnosis holds, and correct or withdraw the other."
    return _of_pairs("leak-two-labels", Severity.HIGH, title, advice, two, facts)


def _of_pairs(key: str, severity: Severity, title: str, advice: str, pairs: Sequence[Pair], facts: _Facts) -> Checked:
    ids = unique(image for pair in pairs for image in (pair.first, pair.second))
    finding = Finding(
        key,
        Family.LEAKS,
        severity,
        title,
        count(len(pairs), "pair"),
        advice,
        _HOW_PAIRS,
        measures={"pairs": len(pairs), "images": len(ids)},
        images=ids,
        exhibits=[facts.exhibit(pair) for pair in pairs],
    )
    return Checked([finding])


def _two_labels_in_the_tables(data: AuditedData) -> Checked:
    said = [p for p in data.problems if p.field == "label" and ("two labels" in p.reason or "different labels" in p.reason)]
    if not said:
        return Checked(sound=["The tables give no image and no lesion two diagnoses."])
    ids = unique(problem.image for problem in said)
    return Checked(
        [
            Finding(
                "leak-contradictions",
                Family.LEAKS,
                Severity.MEDIUM,
                f"The tables give {count(len(ids), 'image')}, or {verb(len(ids), 'its lesion or copy', 'their lesions or copies')},"
                " two diagnoses; set aside, nothing is trained on them",
                count(len(ids), "image"),
                "Correct the tables: which diagnosis is wrong cannot be told, and the rarer one may be the melanoma.",
                "quarantine.csv names each with its file.",
                measures={"images": len(ids)},
                images=ids,
                tables=[Table("The first of them", ("image", "reason", "file"), [(p.image, p.reason, p.file) for p in said[:12]])],
            )
        ]
    )


def _official_test(data: AuditedData) -> Checked:
    test = set(data.official_test)
    if not test:
        return Checked()
    labelled = data.labelled[data.labelled["image_id"].isin(test)]
    seen = labelled[labelled["split"].isin([Split.TRAIN.value, Split.VAL.value])]
    ids = seen["image_id"].tolist()
    shares = f"{len(labelled):,} of the {len(test):,} images of the official test are classification images too"
    if not len(labelled):
        return Checked(sound=[f"None of the {len(test):,} images of the official test is a classification image."])
    if not data.official_split:
        title = (
            f"The official split would leak: {shares}, and {len(ids):,} of them are trained on here; the split by hash keeps each "
            "image in one split for both tasks"
        )
        advice = "Nothing, as long as validate.split stays hash. Do not mix figures of this data with figures on the official test."
        severity = Severity.NOTE
    else:
        title = f"{count(len(ids), 'image')} of the official test {'is' if len(ids) == 1 else 'are'} trained on for classification"
        advice = _mend(data)
        severity = Severity.HIGH
    if not ids and data.official_split:
        return Checked(sound=[f"{shares}, and none of them is trained on."])
    how = (
        "ISIC 2018 Task 1 has a test split of its own, and nearly all of its images are ISIC 2019 images too. A classifier that "
        "has seen them, used with a segmenter that is judged on them, flatters whatever joins the two."
    )
    measures = {"official_test": len(test), "also_classified": len(labelled), "trained_on": len(ids)}
    exhibits = [
        Exhibit((image,), f"{image}: test for masks, {split} for diagnosis")
        for image, split in zip(ids, seen["split"], strict=True)
    ]
    number = f"{len(ids):,} of {len(test):,}"
    return Checked(
        [
            Finding(
                "leak-official-test",
                Family.LEAKS,
                severity,
                title,
                number,
                advice,
                how,
                measures,
                ids,
                exhibits if data.official_split else (),
            )
        ]
    )


def _untold_pairs(pairs: Sequence[Pair], facts: _Facts) -> Checked:
    together = [p for p in pairs if facts.group(p.first) == facts.group(p.second)]
    untold = [p for p in together if not p.told]
    if not untold:
        return Checked(
            sound=[f"{count(len(together), 'pair')} of images show the same, and the tables say so of each."] if together else []
        )
    exact = sum(pair.same_pixels for pair in untold)
    ids = unique(image for pair in untold for image in (pair.first, pair.second))
    return Checked(
        [
            Finding(
                "leak-untold-duplicates",
                Family.LEAKS,
                Severity.LOW,
                f"{count(len(untold), 'pair')} of images {verb(len(untold), 'shows', 'show')} the same though the tables name "
                "different lesions; each was kept in one split",
                count(len(untold), "pair"),
                "Nothing must be done: no pair leaks. Look at them all the same, since a table that misses these may miss more.",
                _HOW_PAIRS,
                measures={"pairs": len(untold), "same_pixels": exact, "told_pairs": len(together) - len(untold)},
                images=ids,
                exhibits=[facts.exhibit(pair) for pair in untold],
            )
        ]
    )


def _set_aside(data: AuditedData) -> Checked:
    ids = unique(problem.image for problem in data.problems if problem.field == "group")
    if not ids:
        return Checked()
    return Checked(
        [
            Finding(
                "leak-set-aside",
                Family.LEAKS,
                Severity.LOW,
                f"{count(len(ids), 'image')} {verb(len(ids), 'repeats', 'repeat')} images of two splits and "
                f"{verb(len(ids), 'was', 'were')} set aside, to leak into neither",
                count(len(ids), "image"),
                "Nothing must be done; quarantine.csv names each with its groups.",
                "Splits of groups that are known stay for ever, so that no image moves when data is added.",
                measures={"images": len(ids)},
                images=ids,
            )
        ]
    )


def _copies(data: AuditedData) -> Checked:
    """Images that were taken once, since another has the same pixels."""
    copies = data.report.get("exact_duplicates", [])
    ids = unique(copy["image"] for copy in copies)
    if not ids:
        return Checked(sound=["No two images of a task have the same pixels."])
    differ = {copy["image"]: copy for copy in copies if copy["differ"]}
    rows = [(name, str(copy["same_as"]), _contradictions(copy["differ"])) for name, copy in differ.items()]
    title = f"{count(len(ids), 'image')} {verb(len(ids), 'has', 'have')} the pixels of another; each picture is taken once"
    if differ:
        title += f", and {len(differ):,} {verb(len(differ), 'contradicts', 'contradict')} the other's metadata"
    return Checked(
        [
            Finding(
                "leak-copies",
                Family.LEAKS,
                Severity.LOW if differ else Severity.NOTE,
                title,
                count(len(ids), "image"),
                "Find out which metadata are right, and correct the tables." if differ else "Nothing must be done.",
                "quarantine.csv names each with the image that stays; report.json has what differs.",
                measures={"images": len(ids), "differ": len(differ)},
                images=ids,
                tables=[Table("The first that contradict", ("image", "same pixels as", "what each says"), rows[:SHOWN])]
                if rows
                else [],
            )
        ]
    )


def _contradictions(differ: Mapping[str, Sequence[Any]]) -> str:
    return "; ".join(f"{column}: {there} there, {here} here" for column, (there, here) in differ.items())


_HOW_PAIRS = (
    "Exact copies have the same pixels, whatever their files. Near-duplicates are found by perceptual hash over all turns and "
    "mirrorings and confirmed by the correlation of fine textures; report.json lists each pair with both figures."
)
