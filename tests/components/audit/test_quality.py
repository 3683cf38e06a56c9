"""Each rule finds what was planted for it, and nothing in sound data."""

from pathlib import Path
from typing import Any

import pytest

from components.audit.findings import Severity
from components.audit.quality import RULES, find_quality
from tests.components.audit.validated import Validated

IMAGE = "T_NV_001_0"


def test_nothing_stands_out_in_sound_data_and_every_rule_is_stated(validated: Validated) -> None:
    checked = find_quality(validated.read())
    assert checked.findings == []
    assert len(checked.sound) == len(RULES)
    assert all(any(rule.rule in line for line in checked.sound) for rule in RULES)


@pytest.mark.parametrize(
    ("key", "values"),
    [
        ("blurred", {"sharpness": 20.0}),
        ("dark", {"lightness": 30.0}),
        ("bright", {"lightness": 90.0}),
        ("bright", {"bright_share": 0.06}),
        ("mask-small", {"mask_share": 0.009}),
        ("mask-large", {"mask_share": 0.91}),
        ("cut-off", {"mask_rim": 0.11}),
        ("components", {"mask_components": 2}),
        ("mask-contrast", {"mask_contrast": 0.69}),
    ],
)
def test_a_rule_finds_the_one_image_that_breaks_it(validated: Validated, key: str, values: dict[str, Any]) -> None:
    task = "segmentation" if next(iter(values)).startswith("mask") else None
    validated.set(IMAGE, values, task=task)
    (finding,) = find_quality(validated.read()).findings
    assert finding.key == f"quality-{key}"
    assert list(finding.images) == [IMAGE]
    assert finding.severity is (Severity.NOTE if key in ("cut-off", "components") else Severity.LOW)
    assert finding.exhibits[0].masks == (task == "segmentation")


def test_limits_themselves_do_not_stand_out(validated: Validated) -> None:
    validated.set(IMAGE, {"mask_share": 0.01, "mask_rim": 0.10, "mask_contrast": 0.70}, task="segmentation")
    assert find_quality(validated.read()).findings == []


def test_the_worst_comes_first(validated: Validated) -> None:
    for image, contrast in (("T_NV_001_0", 0.65), ("T_NV_002_0", 0.52), ("T_NV_003_0", 0.60)):
        validated.set(image, {"mask_contrast": contrast}, task="segmentation")
    (finding,) = find_quality(validated.read()).findings
    assert list(finding.images) == ["T_NV_002_0", "T_NV_003_0", "T_NV_001_0"]
    assert finding.title == "3 masks do not fit their lesions' colours (3.1 % of 96)"


def test_sharpness_is_compared_within_a_size_so_that_pictures_scaled_up_are_not_all_blurred(tmp_path: Path) -> None:
    validated = Validated(tmp_path / "validated", per_class=8)
    small = validated.rows["image_id"].str.endswith("_1")
    validated.rows.loc[small, "width"] = 32
    validated.rows.loc[small, "sharpness"] /= 10
    assert not find_quality(validated.read()).findings
    # As sharp as the small ones are, and so blurred for a large one.
    validated.set("T_NV_001_0", {"sharpness": 10.0})
    (finding,) = find_quality(validated.read()).findings
    assert list(finding.images) == ["T_NV_001_0"]


def test_without_masks_it_is_said_that_masks_were_not_checked(validated: Validated) -> None:
    validated.rows = validated.rows[validated.rows["task"] == "classification"].reset_index(drop=True)
    checked = find_quality(validated.read())
    assert checked.unchecked == ["There are no masks, so whether lesions are cut off or outlined well was not checked."]
