"""Quality: pictures and masks that are far from what the others are."""

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
import pandas as pd

from components.audit.data import AuditedData
from components.audit.findings import SHOWN, Checked, Exhibit, Family, Finding, Severity
from components.audit.words import count, percent

# Robust z: distance from the median in units of the median absolute deviation, scaled so that it is a standard deviation for a
# normal distribution (Iglewicz and Hoaglin 1993 call 3.5 an outlier).
_OUTLIER = 3.5
_MAD = 1.4826
# Sharpness depends on how far a picture was scaled up: images of one size are compared with each other where there are so many.
_ENOUGH = 50
_MANY = 0.05


@dataclass(frozen=True)
class Rule:
    """What makes an image or a mask stand out.

    Attributes:
        key: its name for programs.
        what: of how many it is said: `picture is blurred`, singular and plural.
        rule: it in words, as the page states it.
        masks: it is about masks.
        doubt: takes the rows and gives how bad each is; above 0 it stands out.
        value: column that the captions show.
        shown: how they show it.
        advice: what to do.
        natural: it comes of how lesions are, so many of them are no defect.
    """

    key: str
    what: tuple[str, str]
    rule: str
    masks: bool
    doubt: "Callable[[pd.DataFrame], pd.Series[float]]"
    value: str
    shown: str
    advice: str
    natural: bool = False


def _z(values: "pd.Series[float]") -> "pd.Series[float]":
    centre = values.median()
    spread = _MAD * float((values - centre).abs().median())
    return (values - centre) / spread if spread > 0 else values * 0.0


def _within_size(rows: pd.DataFrame, values: "pd.Series[float]") -> "pd.Series[float]":
    sizes = rows["width"].astype(str) + "x" + rows["height"].astype(str)
    frequent = sizes.where(sizes.map(sizes.value_counts()) >= _ENOUGH, "other")
    return values.groupby(frequent).transform(_z)


def _blurred(rows: pd.DataFrame) -> "pd.Series[float]":
    return -_within_size(rows, np.log(rows["sharpness"] + 1e-6)) - _OUTLIER


def _dark(rows: pd.DataFrame) -> "pd.Series[float]":
    return -_z(rows["lightness"]) - _OUTLIER


def _bright(rows: pd.DataFrame) -> "pd.Series[float]":
    return (_z(rows["lightness"]) - _OUTLIER).combine((rows["bright_share"] - 0.05) * 100, max)


def _above(column: str, limit: float) -> "Callable[[pd.DataFrame], pd.Series[float]]":
    return lambda rows: rows[column].astype(float) - limit


def _below(column: str, limit: float) -> "Callable[[pd.DataFrame], pd.Series[float]]":
    return lambda rows: limit - rows[column].astype(float)


RULES: tuple[Rule, ...] = (
    Rule(
        "mask-contrast",
        ("mask does not fit its lesion's colours", "masks do not fit their lesions' colours"),
        "no colour axis tells the pixels inside the mask from the skin around it with an AUC of 0.70 or more (0.5: no difference)",
        True,
        _below("mask_contrast", 0.70),
        "mask_contrast",
        "AUC {:.2f}",
        "Look at the outlines; draw again those that lie beside the lesion. Pale lesions may be right all the same.",
    ),
    Rule(
        "blurred",
        ("picture is blurred", "pictures are blurred"),
        "the logarithm of its sharpness (variance of the Laplacian at 512 pixels) lies more than 3.5 robust standard deviations "
        "below the median of the images of its size",
        False,
        _blurred,
        "sharpness",
        "sharpness {:.1f}",
        "Look at them, and leave out those on which structures cannot be made out.",
    ),
    Rule(
        "dark",
        ("picture is very dark", "pictures are very dark"),
        "its mean lightness lies more than 3.5 robust standard deviations below the median",
        False,
        _dark,
        "lightness",
        "lightness {:.0f} of 100",
        "Look at them: a dark lesion that fills the picture is no fault; a black frame, a lens cap or a failed flash is.",
    ),
    Rule(
        "bright",
        ("picture is overexposed", "pictures are overexposed"),
        "more than 5 % of its pixels are clipped at the bright end, or its mean lightness lies more than 3.5 robust standard "
        "deviations above the median",
        False,
        _bright,
        "bright_share",
        "{:.1%} clipped",
        "Look at them: what is clipped cannot be brought back.",
    ),
    Rule(
        "mask-small",
        ("mask covers next to nothing", "masks cover next to nothing"),
        "less than 1 % of the picture is lesion",
        True,
        _below("mask_share", 0.01),
        "mask_share",
        "{:.1%} is lesion",
        "Look at them: after scaling to the model's input a few pixels are left of such a lesion.",
    ),
    Rule(
        "mask-large",
        ("mask covers nearly all of its picture", "masks cover nearly all of their pictures"),
        "more than 90 % of the picture is lesion",
        True,
        _above("mask_share", 0.90),
        "mask_share",
        "{:.1%} is lesion",
        "Look at them: there is hardly any skin left to compare with.",
    ),
    Rule(
        "cut-off",
        ("lesion is cut off by the picture's rim", "lesions are cut off by the picture's rim"),
        "more than 10 % of the picture's rim is lesion",
        True,
        _above("mask_rim", 0.10),
        "mask_rim",
        "{:.0%} of the rim is lesion",
        "Nothing must be done; border criteria (asymmetry, sharpness) cannot be judged on them.",
        natural=True,
    ),
    Rule(
        "components",
        ("mask falls into several parts", "masks fall into several parts"),
        "the lesion is not one connected area",
        True,
        _above("mask_components", 1.0),
        "mask_components",
        "{:.0f} parts",
        "Specks beside the lesion are slips of the pen or traces of scaling; several true parts are rare.",
        natural=True,
    ),
)


def find_quality(data: AuditedData) -> Checked:
    """Apply every rule: to each image once, or to each mask."""
    checked = Checked()
    for rule in RULES:
        rows = data.masked if rule.masks else data.pictures
        if rows.empty:
            continue
        doubt = rule.doubt(rows).fillna(-1.0)
        bad = (
            rows[doubt > 0]
            .assign(doubt=doubt[doubt > 0])
            .sort_values(["doubt", "image_id"], ascending=[False, True], kind="stable")
        )
        if bad.empty:
            checked.sound.append(
                f"Of {count(len(rows), 'mask' if rule.masks else 'picture')}, none stands out by this rule: {rule.rule}."
            )
        else:
            checked.findings.append(_finding(rule, bad, len(rows)))
    if data.masked.empty:
        checked.unchecked.append("There are no masks, so whether lesions are cut off or outlined well was not checked.")
    return checked


def _finding(rule: Rule, bad: pd.DataFrame, total: int) -> Finding:
    share = len(bad) / total
    severity = Severity.NOTE if rule.natural else Severity.MEDIUM if share >= _MANY else Severity.LOW
    exhibits = [
        Exhibit(
            (row["image_id"],),
            rule.shown.format(float(row[rule.value])),
            (f"{row['label'] or 'no diagnosis'}, {row['split']}",),
            rule.masks,
        )
        for row in bad.head(SHOWN).to_dict("records")
    ]
    return Finding(
        f"quality-{rule.key}",
        Family.QUALITY,
        severity,
        f"{len(bad):,} {rule.what[len(bad) != 1]} ({percent(share)} of {total:,})",
        f"{len(bad):,}",
        rule.advice,
        f"The rule: {rule.rule}.",
        measures={"images": len(bad), "share": share},
        images=bad["image_id"].tolist(),
        exhibits=exhibits,
    )
