"""Skin tone: on whose skin a model is trained and judged.

The individual typology angle, ITA = arctan((L* - 50) / b*), sorts skin into six groups (Chardon et al. 1991; Del Bino and Bernerd
2013). From a photograph it is an estimate: light and white balance shift it, so the groups describe a collection, not a person.
"""

from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING

import pandas as pd

from components.audit.data import AuditedData
from components.audit.findings import Checked, Family, Finding, Severity, Table
from components.audit.words import listed, percent
from components.lesions import Split
from components.skin_tone import GROUPS, UNKNOWN, tone_groups

if TYPE_CHECKING:
    from matplotlib.figure import Figure

# Ordered in lightness, so that they can be told apart without colour.
_COLOURS = ("#F8E4D0", "#E8BF98", "#CC9560", "#A06A3A", "#6B4226", "#2E1B10")
_MISSING = 0.01
_FEW = 10
_HIDDEN = 0.05


def find_skin_tone(data: AuditedData, draw: "Callable[[str, Figure], object]") -> Checked:
    """Who is on the pictures, by diagnosis and split.

    Args:
        data: the dataset.
        draw: takes the figure under its name.
    """
    pictures = data.pictures
    groups = tone_groups(pictures["skin_tone"])
    known = groups != UNKNOWN
    if not known.any():
        return Checked(unchecked=["Skin tone was not measured: no image shows enough skin beside its lesion."])
    counts = {group: int((groups == group).sum()) for group in GROUPS}
    total = int(known.sum())
    test = {group: int(((groups == group) & (pictures["split"] == Split.TEST.value)).sum()) for group in GROUPS}
    missing = [group for group in GROUPS if counts[group] < _MISSING * total]
    few = [group for group in GROUPS if group not in missing and test[group] < _FEW]
    shares = _shares(pictures, groups, data.classes)
    draw("skin_tone", draw_skin_tone(shares, total, _sentence(counts, total, missing)))
    severity = Severity.MEDIUM if missing else Severity.LOW if few else Severity.NOTE
    advice = (
        "Say so wherever the model is used, and judge it by group before it is used on people who are missing here."
        if missing
        else ""
    )
    if few:
        advice += f" Test has fewer than {_FEW} images of {listed(few)} skin each, too few for figures by group: add some."
    finding = Finding(
        "skin-tone",
        Family.SKIN_TONE,
        severity,
        _sentence(counts, total, missing),
        f"{percent(sum(counts[group] for group in missing) / total)}" if missing else f"{total:,} images",
        advice.strip() or "Report figures by group: all have enough images in test.",
        f"{__doc__.split(chr(10), 2)[2].strip().replace(chr(10), ' ')} Measured on {total:,} of {len(pictures):,} images; "
        "shares of every group by diagnosis and split stand in the table.",
        measures={f"share/{group.replace(' ', '_')}": counts[group] / total for group in GROUPS},
        images=pictures["image_id"][groups.isin(missing)].tolist() if missing else [],
        tables=[_table(pictures, groups, data.classes)],
        figure="skin_tone",
    )
    return Checked([finding, *_hidden(pictures, known)])


def _hidden(pictures: pd.DataFrame, known: "pd.Series[bool]") -> list[Finding]:
    """Images whose colours say nothing of the skin."""
    number = int((~known).sum())
    if number < _HIDDEN * len(pictures):
        return []
    return [
        Finding(
            "skin-tone-hidden",
            Family.SKIN_TONE,
            Severity.LOW,
            f"Skin tone cannot be told on {number:,} of {len(pictures):,} images ({percent(number / len(pictures))})",
            percent(number / len(pictures)),
            "Balance the camera's white against a grey card; what is said of skin tone holds for the other images alone.",
            "Their skin is shown with a b* below 5, which no skin has (8 to 25), or hardly any skin is on the picture.",
            measures={"share": number / len(pictures)},
            images=pictures["image_id"][~known].tolist(),
        )
    ]


def _sentence(counts: Mapping[str, int], total: int, missing: list[str]) -> str:
    if not missing:
        least = min(counts, key=lambda group: counts[group])
        return f"All six groups of skin tone are there; the rarest is {least}, {percent(counts[least] / total)} of {total:,} images"
    number = sum(counts[group] for group in missing)
    how = "is missing" if number == 0 else "is nearly missing"
    return f"{listed(missing).capitalize()} skin {how}: {number:,} of {total:,} images ({percent(number / total)})"


def _parts(pictures: pd.DataFrame, classes: list[str]) -> "dict[str, pd.Series[bool]]":
    parts = {"all": pd.Series(True, index=pictures.index)}
    parts |= {split.value: pictures["split"] == split.value for split in Split}
    return parts | {code: pictures["label"] == code for code in classes}


def _shares(pictures: pd.DataFrame, groups: "pd.Series[str]", classes: list[str]) -> dict[str, tuple[int, list[float]]]:
    shares = {}
    for name, part in _parts(pictures, classes).items():
        here = groups[part & (groups != UNKNOWN)]
        if len(here):
            shares[name] = len(here), [float((here == group).mean()) for group in GROUPS]
    return shares


def _table(pictures: pd.DataFrame, groups: "pd.Series[str]", classes: list[str]) -> Table:
    rows = []
    for name, part in _parts(pictures, classes).items():
        here = groups[part]
        rows.append((name, *(f"{int((here == group).sum()):,}" for group in (*GROUPS, UNKNOWN))))
    return Table("Images by group of skin tone", ("part", *GROUPS, UNKNOWN), rows)


def draw_skin_tone(shares: Mapping[str, tuple[int, list[float]]], total: int, finding: str) -> "Figure":
    """Share of each group in all images, each split and each diagnosis; narrow, so that a phone shows it readable."""
    from matplotlib.figure import Figure

    figure = Figure(figsize=(5.4, 2.4 + 0.4 * len(shares)), layout="constrained")
    axes = figure.subplots()
    for place, (_, row) in enumerate(shares.values()):
        left = 0.0
        for group, colour, share in zip(GROUPS, _COLOURS, row, strict=True):
            label = group if place == 0 else None
            axes.barh(place, share, left=left, color=colour, edgecolor="#333333", linewidth=0.6, height=0.76, label=label)
            if share >= 0.09:
                ink = "white" if _COLOURS.index(colour) >= 3 else "#222222"
                axes.text(left + share / 2, place, f"{share:.0%}", ha="center", va="center", fontsize=10, color=ink)
            left += share
    axes.set_yticks(range(len(shares)), [f"{name}  n = {number:,}" for name, (number, _) in shares.items()], fontsize=11)
    axes.invert_yaxis()
    axes.set_xlim(0, 1)
    axes.set_xticks([0, 0.5, 1], ["0 %", "50 %", "100 %"], fontsize=11)
    axes.set_xlabel("share of images", fontsize=12)
    for side in ("top", "right"):
        axes.spines[side].set_visible(False)
    figure.legend(loc="outside lower center", ncols=3, fontsize=11, frameon=False, title="from very light to dark (ITA)")
    figure.suptitle(_wrapped(finding), fontsize=13, fontweight="bold")
    return figure


def _wrapped(text: str) -> str:
    import textwrap

    return "\n".join(textwrap.wrap(text, 46))
