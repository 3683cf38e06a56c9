"""The data card: what is in a dataset, whose it is, what it cannot tell, and how to get exactly it again (Gebru et al. 2021).

One content, two renderings: card.html and card.md; the same data gives the same bytes.
"""

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import pandas as pd

from components.audit.data import AuditedData
from components.audit.findings import Findings, Severity, Table
from components.audit.licences import ISIC_MASKS, Collection, collection_of, in_order
from components.audit.render import render
from components.files import write_text
from components.lesions import CODES, LESIONS, Diagnosis, Split
from components.skin_tone import GROUPS, UNKNOWN, tone_groups

_NONE = "not stated"
_SPLITS = tuple(split.value for split in Split)
_BANDS = ((0, 20, "under 20"), (20, 40, "20 to 39"), (40, 60, "40 to 59"), (60, 80, "60 to 79"), (80, 200, "80 and over"))
_SIZES = 12


@dataclass(frozen=True)
class Card:
    """What both renderings say.

    Attributes:
        title: of the card.
        phantom: it must be said that the images were drawn.
        version: the data version.
        facts: names and values, a line each.
        tables: counts.
        licences: source, images, licence as the data states it.
        collections: whose the images are, with the count of images of each.
        limits: what the audit found, worst first.
        again: how to find this version.
        command: what to type then.
    """

    title: str
    phantom: bool
    version: str
    facts: Sequence[tuple[str, str]]
    tables: Sequence[Table]
    licences: Table
    collections: Sequence[tuple[Collection, int]]
    limits: Sequence[tuple[str, str]]
    again: str
    command: str


def write_card(out: Path, findings: Findings, data: AuditedData) -> None:
    """Write card.html and card.md."""
    card = make_card(findings, data)
    for name in ("card.html", "card.md"):
        write_text(out / name, render(f"{name}.j2", card=card))


def make_card(findings: Findings, data: AuditedData) -> Card:
    """Bring the content of the card together."""
    sources = sorted(data.rows["source"].unique())
    facts = [
        ("Sources", ", ".join(sources)),
        ("Images", f"{len(data.pictures):,}"),
        ("Images with a diagnosis", f"{len(data.labelled):,}"),
        ("Images with a lesion mask", f"{len(data.masked):,}"),
        ("Groups (patients, lesions, near-duplicates)", f"{data.rows['group_id'].nunique():,}"),
        ("Split", "a source's own (official), the rest by hash of the group" if data.official_split else "by hash of the group"),
        ("Rows set aside", f"{len(set(data.problems)):,} (quarantine.csv)"),
        ("Data version", findings.data_version),
    ]
    limits = [(one.severity.value, f"{one.title}.") for one in findings.findings if one.severity is not Severity.NOTE]
    return Card(
        f"Data card: {', '.join(sources)}",
        findings.phantom,
        findings.data_version,
        facts,
        _tables(data),
        _licences(data),
        _collections(data),
        limits,
        f"`dermacare data log` names the commit whose data version begins with {findings.data_version[:8]}. With it:",
        "git checkout COMMIT\ndermacare data pull",
    )


def _tables(data: AuditedData) -> list[Table]:
    pictures = data.pictures
    by: list[tuple[str, str, pd.Series, Sequence[str]]] = [
        ("Source", "source", pictures["source"], sorted(pictures["source"].unique())),
        ("Age", "age", _bands(pictures["age_approx"]), [name for *_, name in _BANDS]),
        ("Sex", "sex", _stated(pictures["sex"]), sorted(pictures["sex"].dropna().unique())),
        ("Site", "site", _stated(pictures["anatom_site_general"]), sorted(pictures["anatom_site_general"].dropna().unique())),
        ("Skin tone, estimated", "group", tone_groups(pictures["skin_tone"]), [*GROUPS, UNKNOWN]),
    ]
    tables = [_diagnoses(data), _masks(data)] if len(data.masked) else [_diagnoses(data)]
    tables += [
        _by_split(f"Images by {title[0].lower()}{title[1:]} and split", name, pictures, values, order)
        for title, name, values, order in by
    ]
    return [*tables, _resolutions(data)]


def _bands(ages: pd.Series) -> pd.Series:
    def band(age: float) -> str:
        return next((name for least, below, name in _BANDS if least <= age < below), _NONE)

    return ages.map(band)


def _stated(values: pd.Series) -> pd.Series:
    return values.where(values.notna(), _NONE)


def _diagnoses(data: AuditedData) -> Table:
    rows = [_row(f"{code} · {LESIONS[Diagnosis(code)].name}", data.labelled[data.labelled["label"] == code]) for code in CODES]
    return Table("Images by diagnosis and split", ("diagnosis", *_SPLITS, "all"), [*rows, _row("all", data.labelled)])


def _masks(data: AuditedData) -> Table:
    return Table("Images with a lesion mask, by split", ("task", *_SPLITS, "all"), [_row("segmentation", data.masked)])


def _by_split(title: str, name: str, pictures: pd.DataFrame, values: pd.Series, order: Sequence[str]) -> Table:
    names = [*order, _NONE] if (values == _NONE).any() else list(order)
    return Table(title, (name, *_SPLITS, "all"), [_row(one, pictures[values == one]) for one in names])


def _resolutions(data: AuditedData) -> Table:
    sizes = data.rows["width"].astype(str) + " x " + data.rows["height"].astype(str)
    counts = sizes.value_counts()
    order = sorted(counts.index, key=lambda size: (-counts[size], size))
    rows = [_row(size, data.rows[sizes == size]) for size in order[:_SIZES]]
    if len(order) > _SIZES:
        rows.append(_row(f"{len(order) - _SIZES:,} other sizes", data.rows[sizes.isin(order[_SIZES:])]))
    return Table("Files by resolution and split (an image may have one a task)", ("width x height", *_SPLITS, "all"), rows)


def _row(name: str, rows: pd.DataFrame) -> tuple[str, ...]:
    counts = rows["split"].value_counts()
    return (name, *(f"{int(counts.get(split, 0)):,}" for split in _SPLITS), f"{len(rows):,}")


def _licences(data: AuditedData) -> Table:
    licence = data.pictures["licence"].where(data.pictures["licence"].notna(), _NONE)
    counts = Counter(zip(data.pictures["source"], licence, strict=True))
    rows = [(source, f"{number:,}", terms) for (source, terms), number in sorted(counts.items())]
    return Table("Licences as the sources state them", ("source", "images", "licence"), rows)


def _collections(data: AuditedData) -> list[tuple[Collection, int]]:
    pictures = data.pictures
    found = [collection_of(*row) for row in zip(pictures["image_id"], pictures["lesion_id"], pictures["source"], strict=True)]
    counts = {one: found.count(one) for one in in_order(found)}
    masked = [str(image) for image in data.masked["image_id"] if str(image).startswith("ISIC_")]
    return [*counts.items(), (ISIC_MASKS, len(masked))] if masked else list(counts.items())
