"""What changed between two manifests, on tables small enough to see."""

from collections import Counter

import pandas as pd
import pytest

from components.dataset import COLUMNS
from pipelines.data.diff import UNLABELLED, DataDiff, Field, Kind, Move, compare


def row(image: str, task: str = "classification", **cells: object) -> dict[str, object]:
    base: dict[str, object] = dict.fromkeys(COLUMNS) | {
        "image_id": image,
        "task": task,
        "label": "NV",
        "lesion_id": f"L{image}",
        "group_id": f"L{image}",
        "source": "vienna",
        "sha256": f"bytes of {image}",
        "width": 600,
        "height": 450,
        "split": "train",
        "fold": 1,
        "shard": "shards/a.zip",
        "row": 0,
    }
    return base | cells


def masked(image: str, **cells: object) -> dict[str, object]:
    return row(image, "segmentation", mask=f"shards/a.zip/{image}.png", mask_sha256=f"mask of {image}", **cells)


def manifest(*rows: dict[str, object]) -> pd.DataFrame:
    return pd.DataFrame(list(rows), columns=list(COLUMNS))


def kinds(diff: DataDiff) -> dict[str, set[str]]:
    return {change.image_id: set(change.kinds) for change in diff.changes}


def test_equal_manifests_do_not_differ_whatever_the_order_and_the_place_of_pixels() -> None:
    before = manifest(row("1"), masked("1"), row("2"))
    after = manifest(row("2", shard="shards/b.zip", row=7), masked("1") | {"mask": "shards/c.zip/1.png"}, row("1"))
    diff = compare(before, after)
    assert diff.changes == ()
    assert diff.moves == ()
    assert diff.verdict == "no lesion and no image moved between splits: figures on the test images can be compared"


def test_each_change_is_named() -> None:
    before = manifest(row("1"), row("2"), row("3"), masked("4"), row("5"), row("6", age_approx=30.0), row("7"))
    after = manifest(
        row("1"),
        row("3", label="MEL"),
        masked("4") | {"mask_sha256": "another"},
        row("5", sha256="other bytes"),
        row("6", age_approx=35.0),
        row("7", group_id="L1", fold=2),
        row("8", source="barcelona"),
    )
    assert kinds(compare(before, after)) == {
        "2": {"removed"},
        "3": {"relabelled"},
        "4": {"remasked"},
        "5": {"replaced"},
        "6": {"metadata"},
        "7": {"regrouped"},
        "8": {"added"},
    }


def test_a_change_says_what_stood_there_and_what_stands_there_now() -> None:
    (change,) = compare(manifest(row("1", sex=None)), manifest(row("1", sex="female", label="MEL"))).changes
    assert {(f.column, f.before, f.after) for f in change.fields} == {("sex", None, "female"), ("label", "NV", "MEL")}
    assert change.kinds == {Kind.METADATA, Kind.RELABELLED}
    assert change.label == "MEL"


def test_an_image_of_both_tasks_counts_once() -> None:
    diff = compare(manifest(row("1"), masked("1")), manifest())
    assert diff.count(Kind.REMOVED) == 1
    assert diff.before == Counter({("NV", "train"): 1})


def test_a_mask_that_comes_is_a_remasking_of_an_image_that_stays() -> None:
    (change,) = compare(manifest(row("1")), manifest(row("1"), masked("1"))).changes
    assert change.kinds == {Kind.REMASKED}
    assert change.fields[0].before is None
    assert change.fields[0].after == "mask of 1"


def test_counts_by_class_and_by_source() -> None:
    before = manifest(row("1"), row("2", label="MEL"), row("3", source="graz"))
    after = manifest(row("1", label="MEL"), row("3", source="graz"), row("4", source="graz", label="MEL"), masked("5", label=None))
    diff = compare(before, after)
    assert [diff.count(Kind.RELABELLED, label=label) for label in ("MEL", "NV")] == [1, 0]
    assert diff.relabelled == Counter({("NV", "MEL"): 1})
    assert [diff.count(Kind.ADDED, source=source) for source in ("graz", "vienna")] == [1, 1]
    assert diff.count(Kind.ADDED, label=UNLABELLED) == 1
    assert diff.classes == ["MEL", "NV", UNLABELLED]
    assert diff.after == Counter({("MEL", "train"): 2, ("NV", "train"): 1, (UNLABELLED, "train"): 1})
    assert diff.sources_before == Counter(vienna=2, graz=1)


def test_new_images_move_nothing() -> None:
    diff = compare(manifest(row("1", split="test")), manifest(row("1", split="test"), row("2"), row("3", split="test")))
    assert diff.moves == ()
    assert "no lesion and no image moved" in diff.verdict


def test_a_test_lesion_that_goes_to_train_is_said_loudly() -> None:
    diff = compare(manifest(row("1", split="test"), row("2")), manifest(row("1"), row("2")))
    assert diff.moves == (Move("L1", ("test",), ("train",)),)
    assert diff.test_moves == list(diff.moves)
    assert diff.verdict.startswith("1 TEST LESION MOVED (L1): figures on the test images cannot be compared")


def test_a_new_image_of_a_test_lesion_in_train_is_a_move_of_the_lesion_though_no_image_moved() -> None:
    before = manifest(row("1", lesion_id="L", split="test"))
    diff = compare(before, manifest(row("1", lesion_id="L", split="test"), row("2", lesion_id="L", split="train")))
    assert diff.moves == (Move("L", ("test",), ("test", "train")),)
    assert diff.count(Kind.MOVED) == 0
    assert "TEST LESION MOVED" in diff.verdict


def test_a_move_between_train_and_val_is_said_with_less_noise() -> None:
    diff = compare(manifest(row("1"), row("2")), manifest(row("1", split="val"), row("2")))
    assert diff.verdict == "1 lesion in a split that did not hold it before, 1 image moved; no test lesion is among them"


def test_a_lesion_that_a_source_tore_apart_and_that_lost_an_image_did_not_move() -> None:
    before = manifest(row("1", lesion_id="L", split="test"), row("2", lesion_id="L"))
    assert compare(before, manifest(row("2", lesion_id="L"))).moves == ()


def test_an_image_without_lesion_is_its_own() -> None:
    diff = compare(
        manifest(row("1", lesion_id=None, group_id=None)), manifest(row("1", lesion_id=None, group_id=None, split="test"))
    )
    assert diff.moves == (Move("1", ("train",), ("test",)),)


def test_versions_without_splits_say_nothing_of_moves() -> None:
    assert "nothing can be said" in compare(manifest(row("1", split=None)), manifest(row("1"))).verdict


@pytest.mark.parametrize("empty", [None, float("nan"), pd.NA])
def test_an_empty_cell_is_an_empty_cell_however_it_is_written(empty: object) -> None:
    assert compare(manifest(row("1", fold=None)), manifest(row("1", fold=empty))).changes == ()
    (change,) = compare(manifest(row("1", fold=empty)), manifest(row("1", fold=3))).changes
    assert change.fields[0] == Field(change.fields[0].task, "fold", None, 3)
