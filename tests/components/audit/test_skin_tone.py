"""Who is on the pictures."""

from typing import Any

import numpy as np
import pandas as pd
import pytest

from components.audit.findings import Finding, Severity
from components.audit.skin_tone import find_skin_tone
from components.skin_tone import GROUPS, tone_groups
from tests.components.audit.validated import Validated


def only(validated: Validated) -> tuple[Finding, dict[str, Any]]:
    figures: dict[str, Any] = {}
    (finding,) = find_skin_tone(validated.read(), figures.__setitem__).findings
    return finding, figures


@pytest.mark.parametrize(
    ("angle", "group"),
    [
        (90, "very light"),
        (55.01, "very light"),
        (55, "light"),
        (41.01, "light"),
        (41, "intermediate"),
        (28, "tan"),
        (10, "brown"),
        (-29.9, "brown"),
        (-30, "dark"),
        (-90, "dark"),
        (np.nan, "not measured"),
    ],
)
def test_groups_are_those_of_chardon_and_del_bino(angle: float, group: str) -> None:
    assert tone_groups(pd.Series([angle])).tolist() == [group]


def test_where_all_six_groups_are_there_it_is_said_which_is_rarest_and_which_test_cannot_tell(validated: Validated) -> None:
    finding, figures = only(validated)
    assert finding.title == "All six groups of skin tone are there; the rarest is very light, 16.7 % of 96 images"
    assert finding.severity is Severity.LOW
    assert "Test has fewer than 10 images of very light, light, intermediate, tan, brown and dark skin each" in finding.advice
    assert set(figures) == {"skin_tone"}


def test_who_is_missing_is_said_in_plain_words(validated: Validated) -> None:
    validated.rows["skin_tone"] = validated.rows["skin_tone"].replace({-40.0: 20.0, -10.0: 48.0})
    finding, _ = only(validated)
    assert finding.severity is Severity.MEDIUM
    assert finding.title == "Brown and dark skin is missing: 0 of 96 images (0 %)"


def test_the_table_counts_each_image_once_by_split_and_diagnosis(validated: Validated) -> None:
    validated.rows.loc[validated.rows["label"] == "MEL", "skin_tone"] = 60.0
    validated.set("T_MEL_000_0", {"skin_tone": np.nan})
    finding, _ = only(validated)
    rows = {row[0]: row[1:] for row in finding.tables[0].rows}
    assert rows["MEL"] == ("11", "0", "0", "0", "0", "0", "1")
    assert [sum(int(rows[split][n]) for split in ("train", "val", "test")) for n in range(7)] == [int(cell) for cell in rows["all"]]
    assert sum(int(cell) for cell in rows["all"]) == 96
    assert len(finding.tables[0].columns) == 1 + len(GROUPS) + 1


def test_where_no_skin_could_be_measured_nothing_is_claimed(validated: Validated) -> None:
    validated.rows["skin_tone"] = np.nan
    checked = find_skin_tone(validated.read(), lambda name, figure: None)
    assert checked.findings == []
    assert checked.unchecked == ["Skin tone was not measured: no image shows enough skin beside its lesion."]
