"""Leaks that were planted are found, with their severity; sound data gives none."""

import pytest

from components.audit.findings import Finding, Severity
from components.audit.leaks import find_leaks
from tests.components.audit.validated import Validated

TRAIN, OTHER_TRAIN, TEST = "T_MEL_000_0", "T_MEL_003_0", "T_MEL_002_0"


def found(validated: Validated) -> dict[str, Finding]:
    return {one.key: one for one in find_leaks(validated.read()).findings}


def test_sound_data_has_no_leak_and_the_audit_says_what_it_looked_at(validated: Validated) -> None:
    checked = find_leaks(validated.read())
    assert checked.findings == []
    assert checked.sound[0] == "None of the 48 groups (patients, lesions, near-duplicates) lies in two splits."
    assert len(checked.sound) == 6


@pytest.mark.parametrize(("official", "severity"), [(False, Severity.CRITICAL), (True, Severity.HIGH)])
def test_a_group_in_two_splits_is_critical_by_hash_and_high_where_a_source_split_it(
    validated: Validated, official: bool, severity: Severity
) -> None:
    validated.report["official_split"]["kept"] = official
    validated.set("T_MEL_000_1", {"split": "test", "fold": None})
    one = found(validated)["leak-groups"]
    assert one.severity is severity
    assert one.title.startswith("1 group of images of one lesion or person lies in two splits")
    assert one.measures == {"groups": 1, "images": 2}
    assert one.images == ["T_MEL_000_0", "T_MEL_000_1"]
    assert one.exhibits[0].notes == ("test", "train")


def test_a_group_that_two_tasks_split_apart_is_a_leak_too(validated: Validated) -> None:
    for image in ("T_MEL_000_0", "T_MEL_000_1"):
        validated.set(image, {"split": "test", "fold": None}, task="segmentation")
    assert found(validated)["leak-groups"].severity is Severity.CRITICAL


def test_exact_copies_under_two_groups_in_two_splits_are_found_by_pixels_alone(validated: Validated) -> None:
    validated.set(TEST, {"pixels_sha256": "0" * 64})
    validated.set(TRAIN, {"pixels_sha256": "0" * 64})
    one = found(validated)["leak-duplicates"]
    assert one.severity is Severity.CRITICAL
    assert one.number == "1 pair"
    assert (one.exhibits[0].images, one.exhibits[0].caption) == ((TRAIN, TEST), "the same pixels")
    assert one.exhibits[0].notes == ("MEL, train", "MEL, test")


def test_near_duplicates_in_two_splits_are_a_leak_and_in_one_split_under_one_group_a_small_thing(validated: Validated) -> None:
    validated.pair(TEST, TRAIN)
    assert found(validated)["leak-duplicates"].exhibits[0].caption == "hash distance 2, correlation 0.93"
    validated.report["near_duplicates"].clear()
    validated.pair(TRAIN, OTHER_TRAIN)
    (fold,) = set(validated.rows.loc[validated.rows["image_id"] == TRAIN, "fold"])
    validated.set(OTHER_TRAIN, {"group_id": "T_MEL_000", "fold": fold})
    validated.set("T_MEL_003_1", {"group_id": "T_MEL_000", "fold": fold})
    leaks = found(validated)
    assert set(leaks) == {"leak-untold-duplicates"}
    assert leaks["leak-untold-duplicates"].severity is Severity.LOW


def test_near_duplicates_in_two_folds_of_one_split_are_high(validated: Validated) -> None:
    validated.set(TRAIN, {"fold": 0})
    validated.set(OTHER_TRAIN, {"fold": 1})
    validated.pair(OTHER_TRAIN, TRAIN)
    one = found(validated)["leak-folds"]
    assert (one.severity, one.number, one.images) == (Severity.HIGH, "1 pair", [TRAIN, OTHER_TRAIN])
    assert one.title == "1 pair of images shows the same in different folds"
    validated.set(OTHER_TRAIN, {"fold": 0})
    assert "leak-folds" not in found(validated)


def test_pairs_that_the_tables_tell_are_no_finding(validated: Validated) -> None:
    validated.pair("T_MEL_000_0", "T_MEL_000_1", told=True)
    checked = find_leaks(validated.read())
    assert checked.findings == []
    assert "1 pair of images show the same, and the tables say so of each." in checked.sound


def test_one_picture_under_two_diagnoses_is_high_wherever_it_lies(validated: Validated) -> None:
    validated.pair("T_MEL_000_0", "T_NV_000_0")
    one = found(validated)["leak-two-labels"]
    assert one.severity is Severity.HIGH
    assert one.exhibits[0].notes == ("MEL, train", "NV, train")


def test_pairs_without_a_diagnosis_contradict_nobody(validated: Validated) -> None:
    images = ["T_MEL_000_0", "T_NV_000_0"]
    bare = validated.rows["image_id"].isin(images)
    validated.rows = validated.rows[~bare | (validated.rows["task"] == "segmentation")].reset_index(drop=True)
    validated.rows.loc[validated.rows["image_id"].isin(images), "label"] = None
    validated.pair(*images)
    validated.set("T_NV_000_0", {"split": "test", "fold": None})
    leaks = found(validated)
    assert "leak-two-labels" not in leaks
    assert leaks["leak-duplicates"].exhibits[0].notes == ("no diagnosis, train", "no diagnosis, test")


def test_contradictions_that_were_set_aside_are_counted_by_image(validated: Validated) -> None:
    validated.problems = [
        ("X_1", "two labels: MEL and NV", "a.csv", "label"),
        ("X_1", "two labels: MEL and NV", "b.csv", "label"),
        ("X_2", "label is NV, but lesion_id 'L' has 2 different labels; a lesion has one diagnosis", "tables of isic", "label"),
        ("X_3", "has no label; add it", "a.csv", "label"),
        ("X_4", "belongs to group 'A' in train and to group 'B' in test", "isic", "group"),
    ]
    leaks = found(validated)
    assert leaks["leak-contradictions"].images == ["X_1", "X_2"]
    assert leaks["leak-contradictions"].severity is Severity.MEDIUM
    assert leaks["leak-set-aside"].images == ["X_4"]


def test_copies_that_were_taken_once_are_counted_and_their_contradictions_shown(validated: Validated) -> None:
    copy = {"image": "X_1", "same_as": TRAIN, "task": "classification", "differ": {}}
    validated.report["exact_duplicates"] = [copy, {**copy, "task": "segmentation"}]
    one = found(validated)["leak-copies"]
    assert (one.severity, one.images) == (Severity.NOTE, ["X_1"])
    assert one.title == "1 image has the pixels of another; each picture is taken once"
    validated.report["exact_duplicates"].append({**copy, "image": "X_2", "differ": {"age_approx": [45.0, 50.0]}})
    one = found(validated)["leak-copies"]
    assert one.severity is Severity.LOW
    assert one.tables[0].rows == [("X_2", TRAIN, "age_approx: 45.0 there, 50.0 here")]


def test_a_turned_copy_is_said_to_be_turned(validated: Validated) -> None:
    validated.pair(TEST, TRAIN)
    validated.report["near_duplicates"][0]["turn"] = 3
    assert found(validated)["leak-duplicates"].exhibits[0].caption == "hash distance 2, correlation 0.93, turned or mirrored"


def test_official_test_images_that_are_trained_on_are_high_where_that_split_is_kept_and_a_note_where_not(
    validated: Validated,
) -> None:
    validated.report["official_split"] = {"kept": False, "test": [TRAIN, TEST, "ISIC_9"]}
    one = found(validated)["leak-official-test"]
    assert one.severity is Severity.NOTE
    assert one.title.startswith(
        "The official split would leak: 2 of the 3 images of the official test are classification images too"
    )
    assert one.measures == {"official_test": 3, "also_classified": 2, "trained_on": 1}
    validated.report["official_split"]["kept"] = True
    one = found(validated)["leak-official-test"]
    assert (one.severity, one.images) == (Severity.HIGH, [TRAIN])
    assert one.title == "1 image of the official test is trained on for classification"
