"""What the audit makes of the clues."""

from pathlib import Path
from typing import Any

import pytest

from components.audit.findings import Checked, Severity
from components.audit.shortcuts import find_shortcuts
from components.lesions import CODES
from tests.components.audit.validated import Validated


@pytest.fixture
def many(tmp_path: Path) -> Validated:
    """12 lesions of each diagnosis: enough to judge on."""
    return Validated(tmp_path / "many", per_class=12)


def judged(validated: Validated) -> tuple[Checked, dict[str, Any]]:
    figures: dict[str, Any] = {}
    return find_shortcuts(validated.read(), figures.__setitem__), figures


def test_a_resolution_that_goes_with_the_diagnosis_is_high_and_names_what_a_size_shows_alone(many: Validated) -> None:
    rare = many.rows["label"].isin(["AK", "DF", "VASC", "SCC", "BCC"])
    many.rows.loc[~rare, ["width", "height"]] = 512
    checked, figures = judged(many)
    worst = min(checked.findings, key=lambda one: one.severity.rank)
    assert (worst.key, worst.severity) == ("shortcut-resolution", Severity.HIGH)
    assert worst.title.startswith("Resolution gives the diagnosis away: alone it reaches balanced accuracy 0.2")
    assert worst.title.endswith("(chance 0.125), and the 120 images of 64 x 48 show BCC, AK, DF, VASC and SCC alone")
    assert worst.measures["balanced_accuracy"] == pytest.approx(2 / 8, abs=0.03)
    assert worst.tables[0].rows[1] == ("512 x 512", "24", "24", "0", "0", "24", "0", "0", "0")
    assert set(figures) == {"shortcuts"}


def test_a_size_that_shows_few_diagnoses_is_said_where_it_has_a_hundred_images(many: Validated) -> None:
    many.rows.loc[many.rows["label"] != "MEL", ["width", "height"]] = 512
    checked, _ = judged(many)
    assert checked.findings[0].title.endswith("and the 168 images of 512 x 512 show NV, BCC, AK, BKL, DF, VASC and SCC alone")


def test_one_size_and_one_source_cannot_give_anything_away(many: Validated) -> None:
    checked, _ = judged(many)
    assert "Resolution cannot give the diagnosis away: all images are 64 x 48 pixels." in checked.sound
    assert "Source cannot give the diagnosis away: it is the same for all images." in checked.sound
    assert not any(one.severity in (Severity.CRITICAL, Severity.HIGH) for one in checked.findings)


def test_what_may_carry_something_of_the_lesion_must_tell_more_before_it_counts_the_same(many: Validated) -> None:
    # The same in both: three values, so three diagnoses of eight, 0.375 of balanced accuracy.
    value = many.rows["label"].map(dict(zip(CODES, [0, 0, 0, 1, 1, 1, 2, 2], strict=True)))
    many.rows["hair_share"] = value / 2
    many.rows["source"] = value.map({0: "clinic", 1: "practice", 2: "ward"})
    checked, _ = judged(many)
    severities = {one.key: one.severity for one in checked.findings}
    assert severities["shortcut-source"] is Severity.HIGH
    assert severities["shortcut-hair"] is Severity.MEDIUM


def test_age_sex_and_site_are_prior_knowledge_and_only_a_note(many: Validated) -> None:
    many.rows["age_approx"] = many.rows["label"].map({code: 10.0 * n for n, code in enumerate(sorted(set(many.rows["label"])))})
    checked, _ = judged(many)
    person = next(one for one in checked.findings if one.key == "shortcut-person")
    assert person.severity is Severity.NOTE
    assert person.measures["age"] == 1
    assert "prior knowledge and no defect" in person.advice


def test_a_diagnosis_of_few_lesions_is_left_out_and_named(many: Validated) -> None:
    few = many.rows["lesion_id"].str.startswith("T_DF") & ~many.rows["lesion_id"].isin([f"T_DF_{n:03d}" for n in range(3)])
    many.rows = many.rows[~few].reset_index(drop=True)
    checked, _ = judged(many)
    together = next(one for one in checked.findings if one.key == "shortcut-all")
    assert "Left out for too few lesions: DF." in together.how
    assert together.measures["chance"] == pytest.approx(1 / 7)


def test_data_that_is_too_small_is_said_to_be_unchecked(validated: Validated) -> None:
    checked, figures = judged(validated)
    assert checked.findings == []
    assert checked.unchecked == ["Shortcuts were not looked for: fewer than two diagnoses have enough lesions to judge on."]
    assert figures == {}
