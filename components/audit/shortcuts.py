"""Shortcuts: what gives the diagnosis away without the lesion, and how much that matters; `clues.py` measures it."""

from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING

import pandas as pd

from components.audit.clues import ALL, CLUES, DRAWS, FEWEST_GROUPS, FOLDS, TECHNICAL, Clue, Measured, Told, features, measure
from components.audit.data import AuditedData
from components.audit.findings import Checked, Exhibit, Family, Finding, Severity, Table
from components.audit.words import listed
from components.lesions import CODES

if TYPE_CHECKING:
    from matplotlib.figure import Figure

# Lower end of the interval above chance, as a share of the way to certainty, from which a clue is high and medium. What is not
# plain may carry something of the lesion, so it must tell more before it counts the same.
_PLAIN = (0.05, 0.02)
_MIXED = (0.25, 0.10)
_FAINT = 0.02


def find_shortcuts(data: AuditedData, draw: "Callable[[str, Figure], object]") -> Checked:
    """Judge every clue alone, all technical ones together, and all together.

    Args:
        data: the dataset.
        draw: takes the figure under its name.
    """
    labelled = data.labelled
    groups = labelled.groupby("label")["group_id"].nunique() if len(labelled) else pd.Series(dtype=int)
    kept = [code for code in CODES if groups.get(code, 0) >= FEWEST_GROUPS]
    if len(kept) < 2:
        return Checked(unchecked=["Shortcuts were not looked for: fewer than two diagnoses have enough lesions to judge on."])
    rows = labelled[labelled["label"].isin(kept)].reset_index(drop=True)
    measured = measure(features(rows), rows["label"].tolist(), rows["group_id"].tolist())
    measured.left_out.extend(code for code in data.classes if code not in kept)
    draw("shortcuts", draw_shortcuts(measured))
    return _judge(measured, rows)


def _judge(measured: Measured, rows: pd.DataFrame) -> Checked:
    overview = _overview(measured)
    checked = Checked()
    single = [told for told in measured.told if told.clue in CLUES]
    for told in sorted((one for one in single if not one.clue.person), key=lambda one: (not one.clue.plain, -one.lower)):
        severity = _severity(told, measured)
        if severity is None:
            checked.sound.append(_sound(told, measured, rows))
        else:
            checked.findings.append(_technical(told, severity, measured, rows))
    checked.findings.append(_together(measured, overview))
    checked.findings.append(_person(single, measured))
    return checked


def _severity(told: Told, measured: Measured) -> Severity | None:
    """None: no more than chance."""
    gain = measured.gain(told.lower)
    if told.constant or gain <= 0:
        return None
    high, medium = _PLAIN if told.clue.plain else _MIXED
    if gain >= medium:
        return Severity.HIGH if gain >= high else Severity.MEDIUM
    return Severity.LOW if told.clue.plain or gain >= _FAINT else Severity.NOTE


def _sound(told: Told, measured: Measured, rows: pd.DataFrame) -> str:
    name = told.clue.name
    if not told.constant:
        return f"{name} tells the diagnosis no better than a guess ({_figures(told, measured)})."
    if told.clue.key == "resolution":
        return f"{name} cannot give the diagnosis away: all images are {rows['width'].iloc[0]} x {rows['height'].iloc[0]} pixels."
    return f"{name} cannot give the diagnosis away: it is the same for all images."


def _figures(told: Told, measured: Measured) -> str:
    return (
        f"balanced accuracy {told.balanced_accuracy:.2f}, 95 % interval {told.lower:.2f} to {told.upper:.2f}, "
        f"chance {measured.chance:.3g}"
    )


def _technical(told: Told, severity: Severity, measured: Measured, rows: pd.DataFrame) -> Finding:
    clue = told.clue
    verb = "gives the diagnosis away" if severity is Severity.HIGH else "tells something of the diagnosis"
    known = f"alone it reaches balanced accuracy {told.balanced_accuracy:.2f} (chance {measured.chance:.3g})"
    tables, title = [_recalls(told)], f"{clue.name} {verb}: {known}"
    if clue.key == "resolution":
        tables.insert(0, _sizes(rows))
        title += _one_sided(rows, measured.classes)
    if clue.key == "source":
        tables.insert(0, _cross(rows, rows["source"], "Images by source", "source"))
    return Finding(
        f"shortcut-{clue.key}",
        Family.SHORTCUTS,
        severity,
        title,
        f"{told.balanced_accuracy:.2f} ({told.lower:.2f} to {told.upper:.2f})",
        _ADVICE[clue.key],
        " ".join(filter(None, (clue.caution, _how(measured)))),
        measures={"balanced_accuracy": told.balanced_accuracy, "lower": told.lower, "upper": told.upper, "chance": measured.chance},
        tables=tables,
        exhibits=_extremes(clue, rows),
    )


_ADVICE = {
    "resolution": "Do not trust accuracy on this data before it holds within one resolution: judge each size by itself, train on "
    "images of one size, or add images of the other diagnoses in each size.",
    "source": "Judge each source by itself, and keep a whole source for the test; add the diagnoses that a source lacks.",
    "file-size": "Encode all images alike (size, JPEG quality) before you compare; preprocessing to one size removes most of it.",
    "border": "Crop or mask the dark border before training, or judge images with and without it apart.",
    "hair": "Keep preprocess.remove_hair on, and compare figures on images with much and with little hair.",
}


def _how(measured: Measured) -> str:
    out = f" Left out for too few lesions: {listed(measured.left_out)}." if measured.left_out else ""
    return (
        f"A class-balanced tree sees the clue alone (a random forest, where there are several), {FOLDS} folds by group, "
        f"{measured.images:,} images of {measured.groups:,} groups; interval by bootstrap over groups ({DRAWS:,} draws).{out}"
    )


def _recalls(told: Told) -> Table:
    shares = (f"{recall:.0%}".replace("%", " %") for recall in told.recalls.values())
    return Table("Share of each diagnosis that is told from it alone", ("", *told.recalls), [("told", *shares)])


def _size_names(rows: pd.DataFrame) -> pd.Series:
    return rows["width"].astype(str) + " x " + rows["height"].astype(str)


def _sizes(rows: pd.DataFrame) -> Table:
    return _cross(rows, _size_names(rows), "Images by size", "width x height")


def _cross(rows: pd.DataFrame, by: pd.Series, title: str, name: str, most: int = 8) -> Table:
    counts = pd.crosstab(by, rows["label"]).reindex(columns=[code for code in CODES if code in set(rows["label"])], fill_value=0)
    counts = counts.loc[counts.sum(axis=1).sort_values(ascending=False, kind="stable").index]
    lines = [
        (str(value), *(f"{int(cell):,}" for cell in line))
        for value, line in zip(counts.index[:most], counts.to_numpy(), strict=False)
    ]
    if len(counts) > most:
        lines.append((f"{len(counts) - most:,} others", *(f"{int(cell):,}" for cell in counts.iloc[most:].sum())))
    return Table(title, (name, *counts.columns), lines)


def _one_sided(rows: pd.DataFrame, classes: Sequence[str]) -> str:
    """The most frequent size at which a diagnosis is missing, in words."""
    counts = pd.crosstab(_size_names(rows), rows["label"])
    counts = counts.loc[counts.sum(axis=1).sort_values(ascending=False, kind="stable").index]
    for size, line in counts.iterrows():
        present = [code for code in classes if line.get(code, 0)]
        if int(line.sum()) >= 100 and len(present) < len(classes):
            return f", and the {int(line.sum()):,} images of {size} show {listed(present)} alone"
    return ""


def _extremes(clue: Clue, rows: pd.DataFrame) -> list[Exhibit]:
    """Images with most and least of a measured clue, so that the reader sees what it is."""
    if clue.plain:
        return []
    values = features(rows)[clue.columns[0]]
    order = values.sort_values(kind="stable").index
    shown = [("least", place) for place in order[:4]] + [("most", place) for place in order[::-1][:4]]
    return [
        Exhibit((str(rows["image_id"][place]),), f"{word}: {clue.shown.format(values[place])}", (rows["label"][place],))
        for word, place in shown
    ]


def _overview(measured: Measured) -> Table:
    rows = [
        (
            told.clue.name + (" (the same for all)" if told.constant else ""),
            f"{told.balanced_accuracy:.3f}",
            "" if told.constant else f"{told.lower:.3f} to {told.upper:.3f}",
            "prior knowledge" if told.clue.person else "" if told.clue is ALL else "technical",
        )
        for told in measured.told
    ]
    return Table(
        f"What tells the diagnosis, chance {measured.chance:.3g}", ("clue", "balanced accuracy", "95 % interval", "kind"), rows
    )


def _together(measured: Measured, overview: Table) -> Finding:
    technical, everything = measured.told[-2:]
    gain = measured.gain(technical.lower)
    severity = Severity.MEDIUM if gain >= _MIXED[1] else Severity.LOW if gain >= _FAINT else Severity.NOTE
    return Finding(
        "shortcut-all",
        Family.SHORTCUTS,
        severity,
        f"Without the lesion, all technical clues together reach balanced accuracy {technical.balanced_accuracy:.2f} (chance "
        f"{measured.chance:.3g}), and {everything.balanced_accuracy:.2f} with age, sex and site",
        f"{technical.balanced_accuracy:.2f} and {everything.balanced_accuracy:.2f}",
        f"Hold every classifier's balanced accuracy against {max(technical.upper, everything.upper):.2f}, not against "
        f"{measured.chance:.3g}: below it, a model may know nothing about skin.",
        _how(measured),
        measures={
            "technical": technical.balanced_accuracy,
            "technical_lower": technical.lower,
            "all": everything.balanced_accuracy,
            "all_lower": everything.lower,
            "chance": measured.chance,
        },
        tables=[overview],
        figure="shortcuts",
    )


def _person(single: Sequence[Told], measured: Measured) -> Finding:
    person = sorted((told for told in single if told.clue.person), key=lambda told: -told.balanced_accuracy)
    said = ", ".join(f"{told.clue.name.lower()} {told.balanced_accuracy:.2f}" for told in person)
    return Finding(
        "shortcut-person",
        Family.SHORTCUTS,
        Severity.NOTE,
        f"Who the patient is tells something of the diagnosis, as in any clinic ({said}; chance {measured.chance:.3g})",
        f"{person[0].balanced_accuracy:.2f}",
        "Nothing must be done: this is prior knowledge and no defect, as long as the model is used on people like these.",
        "Age, sex and site go with diagnoses in truth. They become a shortcut where a collection was put together by "
        "them. " + _how(measured),
        measures={told.clue.key: told.balanced_accuracy for told in person},
        tables=[_recalls(told) for told in person[:1] if not told.constant],
    )


def draw_shortcuts(measured: Measured) -> "Figure":
    """Balanced accuracy of each clue with its interval, against chance; narrow, so that a phone shows it readable."""
    from matplotlib.figure import Figure

    told = [one for one in measured.told if not one.constant][::-1]
    figure = Figure(figsize=(5.4, 1.9 + 0.42 * len(told)), layout="constrained")
    axes = figure.subplots()
    for place, one in enumerate(told):
        colour = "#332288" if one.clue.person else "#117733" if one.clue is ALL else "#882255"
        axes.plot([one.lower, one.upper], [place, place], color=colour, linewidth=3, solid_capstyle="round", alpha=0.45)
        marker = "s" if one.clue.person else "D" if one.clue is ALL else "o"
        axes.plot(one.balanced_accuracy, place, marker, color=colour, markersize=8)
        axes.text(one.upper + 0.012, place, f"{one.balanced_accuracy:.2f}", va="center", fontsize=12)
    axes.axvline(measured.chance, color="#555555", linestyle="--", linewidth=1.4)
    axes.text(measured.chance + 0.008, len(told) - 0.5, f"chance {measured.chance:.3g}", va="center", fontsize=11, color="#444444")
    axes.set_yticks(range(len(told)), [one.clue.name.replace(" clues together", "\ntogether") for one in told], fontsize=12)
    axes.set_xlim(0, min(1.0, max(one.upper for one in told) + 0.12))
    axes.set_ylim(-0.6, len(told))
    for side in ("top", "right"):
        axes.spines[side].set_visible(False)
    axes.set_xlabel("balanced accuracy, 95 % interval over groups", fontsize=12)
    axes.tick_params(axis="x", labelsize=11)
    axes.grid(axis="x", color="#DDDDDD", linewidth=0.6)
    axes.set_axisbelow(True)
    technical = next(one for one in measured.told if one.clue is TECHNICAL)
    figure.suptitle(
        f"The diagnosis without the lesion:\ntechnical clues together reach {technical.balanced_accuracy:.2f}",
        fontsize=13,
        fontweight="bold",
    )
    figure.supxlabel(
        f"circles technical, squares the patient, diamond all\nn = {measured.images:,} images of {measured.groups:,} groups",
        fontsize=11,
        color="#444444",
    )
    return figure
