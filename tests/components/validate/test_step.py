import csv
import hashlib
import json
import os
import random
import signal
import subprocess
import sys
import time
from pathlib import Path

import cv2
import numpy as np
import numpy.typing as npt
import pandas as pd
import pytest

import components.validate.images as validate_images
from components.dataset import Dataset
from components.errors import DataRefused, DatasetError
from components.files import sha256_bytes
from components.groups import fold_of, split_of
from components.images import decode_mask_checked
from components.lesions import Split, Task
from components.measures import read_measures
from components.near_duplicates import fingerprint
from components.validate.quarantine import Problem
from tests.components.validate.conftest import Run
from tests.components.validate.raw_data import RawData, groups_in, jpeg, mask_of, picture, png


def contents(folder: Path) -> dict[str, str]:
    """Every file of an output but metrics.jsonl, which tells the time → its digest."""
    files = (path for path in folder.rglob("*") if path.is_file() and path.name != "metrics.jsonl")
    return {str(path.relative_to(folder)): hashlib.sha256(path.read_bytes()).hexdigest() for path in files}


def test_good_rows_come_through_with_group_split_and_fold_and_their_bytes(raw: RawData, run: Run) -> None:
    folder = raw.fill().write()
    result = run(folder)
    assert len(result.manifest) == len(Dataset(folder).manifest) == 32
    assert result.quarantine == []
    for row in result.manifest.itertuples():
        assert row.group_id == row.lesion_id
        assert row.split == split_of(row.lesion_id, test_share=0.15, val_share=0.15)
        assert pd.isna(row.fold) == (row.split == "test")
    for task in Task:
        for _, row in result.dataset.rows(task).iterrows():
            assert sha256_bytes(result.dataset.image_bytes(row)) == row["sha256"]
            if task is Task.SEGMENTATION:
                assert sha256_bytes(result.dataset.mask_bytes(row)) == row["mask_sha256"]


def test_shards_are_not_copied_but_linked(raw: RawData, run: Run) -> None:
    folder = raw.fill().write()
    result = run(folder)
    for shard in (folder / "shards").iterdir():
        assert shard.stat().st_ino == (result.out / "shards" / shard.name).stat().st_ino


def test_where_links_are_not_allowed_shards_are_copied(raw: RawData, run: Run, monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(*_: object) -> None:
        raise PermissionError(1, "Operation not permitted")

    monkeypatch.setattr(os, "link", refuse)
    folder = raw.fill().write()
    result = run(folder)
    for shard in (folder / "shards").iterdir():
        copy = result.out / "shards" / shard.name
        assert copy.read_bytes() == shard.read_bytes()
        assert copy.stat().st_ino != shard.stat().st_ino


def test_an_image_has_one_split_and_one_group_in_both_tasks_though_its_files_differ(raw: RawData, run: Run) -> None:
    folder = raw.fill().add("crop", label="NV", lesion_id=groups_in(Split.VAL, 9)[8]).add("crop", label=None, mask=True).write()
    result = run(folder)
    assert len(set(result.of("crop", "sha256"))) == 2
    assert result.of("crop", "split") == ["val", "val"]
    assert len(set(result.of("crop", "group_id"))) == 1


def test_near_duplicates_of_different_lesions_share_a_split(raw: RawData, run: Run) -> None:
    train, test = groups_in(Split.TRAIN, 1, "T")[0], groups_in(Split.TEST, 1, "S")[0]
    shot = picture(1000)
    raw.fill().add("first", lesion_id=train, image=shot).add("second", lesion_id=test, image=(shot * 0.7).astype(np.uint8))
    result = run(raw.write())
    assert result.of("first", "group_id") == result.of("second", "group_id") == [train]
    assert result.of("second", "split") == ["train"]
    (pair,) = result.report["near_duplicates"]
    assert (pair["first"], pair["second"], pair["told"]) == ("first", "second", False)
    assert any("1 pairs of images show the same lesion" in line for line in result.messages)


def test_two_lesions_that_a_near_duplicate_shows_to_be_one_are_one_group_in_one_fold(raw: RawData, run: Run) -> None:
    first, *rest = groups_in(Split.TRAIN, 20, "T")
    second = next(lesion for lesion in rest if fold_of(lesion, 5) != fold_of(first, 5))
    shot = picture(1000)
    raw.fill().add("a1", lesion_id=first, image=shot).add("b1", lesion_id=second)
    result = run(raw.add("b2", lesion_id=second, image=shot[1:, 1:]).write())
    for image in ("a1", "b1", "b2"):
        assert result.of(image, "group_id") == [first]
        assert result.of(image, "split") == ["train"]
        assert result.of(image, "fold") == [fold_of(first, 5)]
    assert result.report["counts"]["images_set_aside"] == 0


def test_a_near_duplicate_of_a_known_image_joins_it_though_a_copy_of_that_one_was_compared(tmp_path: Path, run: Run) -> None:
    shot, ledger = picture(1000), tmp_path / "groups.csv"
    copy, test = png(shot_of(jpeg(shot))), groups_in(Split.TEST, 1, "S")[0]
    train = groups_in(Split.TRAIN, 1, "T")[0]
    old = RawData(tmp_path / "old").fill().add("x", lesion_id=train, image=shot).write()
    new = RawData(tmp_path / "new").fill().add("x", lesion_id=train, image=shot)
    new.add("f", image=copy).add("a", lesion_id=test, image=shot[1:, 1:])
    run(old, out=tmp_path / "out1", known_groups=ledger)
    result = run(new.write(), out=tmp_path / "out2", known_groups=ledger)
    assert (result.of("a", "split"), result.of("x", "split")) == (["train"], ["train"])
    assert result.report["counts"]["images_set_aside"] == 0
    assert [(pair["first"], pair["second"]) for pair in result.report["near_duplicates"]] == [("a", "x")]


def test_a_pair_is_told_by_the_name_of_the_copy_that_stays_where_the_other_was_set_aside(raw: RawData, run: Run) -> None:
    train, test = groups_in(Split.TRAIN, 1, "T")[0], groups_in(Split.TEST, 1, "S")[0]
    shot = picture(1000)
    raw.fill().add("a", lesion_id=train, image=shot[1:, 1:]).add("b", lesion_id=test)
    raw.add("f", lesion_id=test, image=png(shot_of(jpeg(shot)))).add("x", lesion_id=train, image=shot)
    result = run(raw.write())
    assert [problem.image for problem in result.quarantine] == ["f"]
    assert [(pair["first"], pair["second"], pair["told"]) for pair in result.report["near_duplicates"]] == [("a", "x", True)]


def test_an_image_between_two_splits_is_set_aside_with_its_reason_and_is_not_bad(raw: RawData, run: Run) -> None:
    train, test = groups_in(Split.TRAIN, 1, "T")[0], groups_in(Split.TEST, 1, "S")[0]
    shot = picture(1000)
    raw.fill().add("a", lesion_id=train, image=shot).add("b", lesion_id=test).add("c", lesion_id=test, image=shot[1:, 1:])
    result = run(raw.write(), max_quarantined=0.0)
    assert result.of("c", "group_id") == []
    (problem,) = result.quarantine
    assert (problem.image, problem.field, problem.file) == ("c", "group", "clinic")
    assert problem.reason.startswith(f"belongs to group '{test}' in test and to group '{train}' in train")
    assert (result.report["counts"]["bad_rows"], result.report["counts"]["images_set_aside"]) == (0, 1)


def test_nothing_moves_when_data_is_added_in_any_order_with_a_ledger(tmp_path: Path, run: Run) -> None:
    shuffle = random.Random(7)
    shots = [picture(2000 + number) for number in range(6)]
    extra = [
        (f"X{n:02d}", f"lesion{shuffle.randrange(9)}", shots[n % 6] // 20 * (20 - n // 6) if n % 3 else None) for n in range(18)
    ]
    shuffle.shuffle(extra)
    ledger = tmp_path / "home" / "groups.csv"
    before: dict[str, tuple[str, str]] = {}
    for step, count in enumerate((3, 9, 14, 18)):
        raw = RawData(tmp_path / f"raw{step}").fill(train=2, others=1)
        for name, lesion, shot in extra[:count]:
            raw.add(name, lesion_id=lesion, image=shot, mask=True)
        (tmp_path / f"out{step}").mkdir()
        manifest = run(raw.write(), out=tmp_path / f"out{step}", known_groups=ledger).manifest
        now = {row.image_id: (row.split, row.group_id) for row in manifest.itertuples()}
        assert {name: now[name][0] for name in before} == {name: split for name, (split, _) in before.items()}
        # Groups may turn out to be one; none falls apart.
        assert len({(group, now[name][1]) for name, (_, group) in before.items()}) == len({group for _, group in before.values()})
        for row in manifest[manifest["split"] != "test"].itertuples():
            assert row.fold == fold_of(row.group_id, 5)
        by_shot = {n % 6: set() for n in range(18)}  # type: ignore[var-annotated]
        for name, (split, group) in now.items():
            if name.startswith("X") and int(name[1:]) % 3:
                by_shot[int(name[1:]) % 6].add((split, group))
        assert all(len(groups) <= 1 for groups in by_shot.values())
        before = now
    lines = list(csv.reader(ledger.open(encoding="utf-8")))
    assert len({tuple(line) for line in lines}) == len(lines) == 1 + sum(1 for _ in before)


def test_without_a_ledger_a_later_near_duplicate_would_have_moved_an_image_that_the_ledger_holds(tmp_path: Path, run: Run) -> None:
    train, test = groups_in(Split.TRAIN, 1, "T")[0], groups_in(Split.TEST, 1, "S")[0]
    shot = picture(1000)
    old = RawData(tmp_path / "old").fill().add("m", lesion_id=test, image=shot).write()
    new = (
        RawData(tmp_path / "new").fill().add("a", lesion_id=train, image=shot[1:, 1:]).add("m", lesion_id=test, image=shot).write()
    )
    results = {}
    for name, ledger in (("with", tmp_path / "groups.csv"), ("without", None)):
        for part, folder in (("old", old), ("new", new)):
            (tmp_path / name / part).mkdir(parents=True)
            results[name, part] = run(folder, out=tmp_path / name / part, known_groups=ledger)
    assert [results["with", part].of("m", "split") for part in ("old", "new")] == [["test"], ["test"]]
    assert results["with", "new"].of("a", "group_id") == [test]
    assert [results["without", part].of("m", "split") for part in ("old", "new")] == [["test"], ["train"]]


def test_the_ledger_is_not_touched_by_a_run_that_is_refused(raw: RawData, run: Run, tmp_path: Path) -> None:
    with pytest.raises(DataRefused):
        run(raw.fill(others=0).write(), known_groups=tmp_path / "groups.csv")
    assert not (tmp_path / "groups.csv").exists()


def test_an_official_split_is_kept_the_rest_goes_by_hash_and_torn_groups_are_told(raw: RawData, run: Run) -> None:
    train = groups_in(Split.TRAIN, 2, "T")
    raw.fill().add("official", lesion_id=train[0], split="test", mask=True).add("by hash", lesion_id=train[0], mask=True)
    folder = raw.write()
    result = run(folder, split="official")
    assert result.of("official", "split") == ["test", "test"]
    assert all(pd.isna(fold) for fold in result.of("official", "fold"))
    assert result.of("by hash", "split") == ["train", "train"]
    assert result.report["torn_groups"] == {train[0]: ["test", "train"]}
    assert any(f"tears 1 groups apart, so figures on it are too good: {train[0]}" in line for line in result.messages)


def test_by_hash_an_official_split_is_not_looked_at(raw: RawData, run: Run) -> None:
    train = groups_in(Split.TRAIN, 1, "T")[0]
    result = run(raw.fill().add("official", lesion_id=train, split="test").write(), split="hash")
    assert result.of("official", "split") == ["train"]
    assert result.report["torn_groups"] == {}


def test_what_ingest_refused_is_taken_over_and_counted(raw: RawData, run: Run) -> None:
    refused = [Problem("ISIC_9", "is neither a JPEG nor a PNG; convert it", "clinic/ISIC_9.jpg", "image")]
    result = run(raw.fill().write(refused), max_quarantined=0.05)
    assert result.quarantine == refused
    assert result.report["counts"]["bad_rows"] == 1
    assert "1 of 33 rows are bad: quarantine.csv names each with its reason" in result.messages


def test_more_than_the_allowed_share_stops_the_run_and_says_what_and_where(raw: RawData, run: Run, tmp_path: Path) -> None:
    raw.fill(mask=False)  # 16 rows
    for number in range(4):
        raw.add(f"bad{number}", age_approx=130.0 + number)
    with pytest.raises(DataRefused) as error:
        run(raw.write(), max_quarantined=0.15)
    text = str(error.value)
    assert text.startswith("4 of 20 rows are bad (20.0%; validate.max_quarantined allows 15.0%): ")
    assert "age_approx is 130; it must lie between 0 and 120" in text
    assert "and 1 more" in text
    where = tmp_path / "out" / "quarantine.csv"
    assert str(where) in text
    assert len(where.read_text().splitlines()) == 5


def test_exactly_the_allowed_share_passes(raw: RawData, run: Run) -> None:
    raw.fill(mask=False)
    for number in range(4):
        raw.add(f"bad{number}", age_approx=130.0)
    assert len(run(raw.write(), max_quarantined=0.2).manifest) == 16


def test_a_class_that_loses_all_its_images_stops_the_run(raw: RawData, run: Run) -> None:
    raw.fill().add("only", label="DF", sex="unknown")
    with pytest.raises(DataRefused, match="class DF has 1 images in the tables and none is left"):
        run(raw.write(), max_quarantined=0.5)


def test_a_class_without_an_image_in_train_stops_the_run(raw: RawData, run: Run) -> None:
    for lesion in groups_in(Split.TEST, 2, "only"):
        raw.add(f"I{lesion}", label="DF", lesion_id=lesion)
    with pytest.raises(DataRefused, match=r"class DF has no image in train \(2 in test\)"):
        run(raw.fill().write())


def test_a_split_without_rows_of_a_task_stops_the_run(raw: RawData, run: Run) -> None:
    raw.fill(mask=False)
    for lesion in groups_in(Split.TRAIN, 3, "M") + groups_in(Split.TEST, 1, "M"):
        raw.add(f"I{lesion}", label=None, lesion_id=lesion, mask=True)
    with pytest.raises(DataRefused, match=r"segmentation: val would be empty \(4 groups in all\)"):
        run(raw.write())


def test_a_source_of_which_nothing_is_left_stops_the_run(raw: RawData, run: Run) -> None:
    refused = [Problem("ISIC_9", "two classes in one row: MEL, NV", "clinic/GroundTruth.csv", "label")]
    with pytest.raises(DataRefused, match="no image is left"):
        run(raw.write(refused), max_quarantined=1.0)


def test_classes_that_no_table_holds_are_told_and_no_error(raw: RawData, run: Run) -> None:
    result = run(raw.fill("MEL NV BCC AK BKL DF").write())
    assert result.report["absent_classes"] == ["VASC", "SCC"]
    assert any("no image of VASC, SCC is there" in line for line in result.messages)


def test_few_images_of_a_class_in_val_or_test_are_told_and_no_error(raw: RawData, run: Run) -> None:
    result = run(raw.fill("MEL", others=12, mask=False).fill("NV", others=3, mask=False).write())
    told = [line for line in result.messages if "fewer than 10" in line]
    assert [line.split(":")[1] for line in told] == [" NV 3", " NV 3"]


def test_one_task_alone_is_enough(raw: RawData, run: Run, tmp_path: Path) -> None:
    only_masks = RawData(tmp_path / "masks")
    for split in Split:
        for lesion in groups_in(split, 2):
            only_masks.add(f"I{lesion}", label=None, lesion_id=lesion, mask=True)
    assert run(only_masks.write(), out=tmp_path / "out1").dataset.tasks() == [Task.SEGMENTATION]
    assert run(raw.fill(mask=False).write(), out=tmp_path / "out2").dataset.tasks() == [Task.CLASSIFICATION]


def test_the_report_counts_by_task_split_and_class(raw: RawData, run: Run) -> None:
    report = run(raw.fill("MEL NV", train=4, others=2).write()).report
    assert report["rows"]["segmentation"] == {"train": 8, "val": 4, "test": 4}
    assert {code: n for code, n in report["rows"]["classification"]["val"].items() if n} == {"MEL": 2, "NV": 2}
    assert {k: report["counts"][k] for k in ("images", "groups", "rows_classification")} == {
        "images": 16,
        "groups": 16,
        "rows_classification": 16,
    }


def test_repaired_masks_lie_in_a_shard_of_their_own_and_the_others_stay(raw: RawData, run: Run) -> None:
    odd = np.where(mask_of() > 0, np.uint8(200), np.uint8(7))
    lesions = groups_in(Split.TRAIN, 2, "R")
    raw.fill().add("odd", lesion_id=lesions[0], mask=odd).add("even", lesion_id=lesions[1], mask=True)
    result = run(raw.write())
    rows = result.dataset.rows(Task.SEGMENTATION).set_index("image_id")
    assert Path(rows.loc["odd", "mask"]).parent != Path(rows.loc["odd", "shard"])
    assert Path(rows.loc["even", "mask"]).parent == Path(rows.loc["even", "shard"])
    repaired = result.dataset.mask_bytes(rows.loc["odd"])
    np.testing.assert_array_equal(decode_mask_checked(repaired, "odd")[0], mask_of())
    assert decode_mask_checked(repaired, "odd")[1] is False
    assert rows.loc["odd", "mask_sha256"] == sha256_bytes(repaired)
    assert result.report["repaired_masks"] == ["odd"]
    assert "1 masks held other values than 0 and 255 and were repaired" in result.messages


def test_the_output_is_the_same_whoever_makes_it_and_holds_no_path_and_no_time(tmp_path: Path, run: Run) -> None:
    outs = []
    for number in range(2):
        raw = RawData(tmp_path / f"place{number}" / "raw").fill()
        raw.add("odd", lesion_id="R1", mask=np.where(mask_of() > 0, np.uint8(200), np.uint8(0))).add("old", age_approx=130.0)
        out = tmp_path / f"place{number}" / "out"
        outs.append(contents(run(raw.write(), out=out, max_quarantined=0.1).out))
        for path in (p for p in out.rglob("*") if p.suffix in (".html", ".json", ".csv", ".parquet")):
            assert str(tmp_path).encode() not in path.read_bytes()
            assert time.strftime("%Y%m%d").encode() not in path.read_bytes()
        time.sleep(1.1)
    assert outs[0] == outs[1]


def test_a_killed_step_goes_on_without_decoding_again_and_gives_the_same(
    raw: RawData, run: Run, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    raw.fill().add("broken", image=jpeg(picture(1))[:900], mask=True, lesion_id="K1")
    raw.add("odd", lesion_id="R1", mask=np.where(mask_of() > 0, np.uint8(200), np.uint8(0)))
    folder = raw.write()
    whole = contents(run(folder, out=tmp_path / "whole", max_quarantined=0.1).out)
    decode = validate_images.decode_image
    decoded: list[str] = []

    def interrupted(data: bytes, name: str) -> object:
        decoded.append(name)
        if len(decoded) == 13:
            raise KeyboardInterrupt
        return decode(data, name)

    monkeypatch.setattr(validate_images, "decode_image", interrupted)
    with pytest.raises(KeyboardInterrupt):
        run(folder, out=tmp_path / "killed", max_quarantined=0.1)
    first = set(decoded)
    decoded.clear()
    monkeypatch.setattr(validate_images, "decode_image", lambda data, name: decoded.append(name) or decode(data, name))
    assert contents(run(folder, out=tmp_path / "killed", max_quarantined=0.1).out) == whole
    assert len(set(decoded)) < 18
    assert len(first | set(decoded)) == 18


def test_a_step_that_died_after_extending_the_ledger_gives_the_same_when_repeated(raw: RawData, run: Run, tmp_path: Path) -> None:
    train, test = groups_in(Split.TRAIN, 1, "T")[0], groups_in(Split.TEST, 1, "S")[0]
    shot = picture(1000)
    raw.fill().add("a", lesion_id=train, image=shot).add("b", lesion_id=test).add("c", lesion_id=test, image=shot[1:, 1:])
    folder = raw.write()
    first = contents(run(folder, known_groups=tmp_path / "groups.csv").out)
    assert contents(run(folder, known_groups=tmp_path / "groups.csv").out) == first


@pytest.mark.slow
def test_a_killed_process_leaves_nothing_that_a_second_one_cannot_finish(raw: RawData, run: Run, tmp_path: Path) -> None:
    folder = raw.fill("MEL NV BCC AK", train=30, others=10).write()
    whole = contents(run(folder, out=tmp_path / "whole", known_groups=tmp_path / "whole.csv").out)
    program = (
        "import sys; from pathlib import Path; from components.reporter import Reporter; from components.store import Store\n"
        "from components.validate import validate; from tests.components.validate.raw_data import params\n"
        "raw, home, ledger = map(Path, sys.argv[1:])\n"
        "work = lambda out: validate(raw, out, params(), Reporter(out, 'validate'), ledger)\n"
        "print(Store(home).execute('validate', 'key', work).out)"
    )
    command = [sys.executable, "-c", program, str(folder), str(tmp_path / "home"), str(tmp_path / "killed.csv")]
    for delay in (3.0, 4.0, 5.0, 5.5, 6.0, 7.0):
        process = subprocess.Popen(command)
        time.sleep(delay)
        process.send_signal(signal.SIGKILL)
        process.wait()
    finished = subprocess.run(command, check=True, capture_output=True, text=True)
    left = contents(Path(finished.stdout.splitlines()[-1]))
    assert left.pop("step.json")
    assert left == whole
    assert (tmp_path / "killed.csv").read_bytes() == (tmp_path / "whole.csv").read_bytes()


def test_a_foreign_quarantine_file_is_refused(raw: RawData, run: Run) -> None:
    folder = raw.fill().write()
    (folder / "quarantine.csv").write_text("a,b\n1,2\n")
    with pytest.raises(DatasetError, match=r"quarantine\.csv: must have the columns image, reason, file, field"):
        run(folder)


def test_the_same_pixels_under_two_ids_are_taken_once_a_task_and_the_first_by_id_stays(raw: RawData, run: Run) -> None:
    lesion, other = groups_in(Split.TRAIN, 2, "T")
    shot = picture(1000)
    raw.fill().add("b", lesion_id=lesion, image=shot, mask=True)
    raw.add("a", lesion_id=lesion, image=png(shot_of(jpeg(shot))), mask=True, age_approx=60.0)
    raw.add("c", label=None, lesion_id=other, image=png(shot_of(jpeg(shot))), mask=True)
    result = run(raw.write(), max_quarantined=0.0)
    assert (result.of("a", "task"), result.of("b", "task"), result.of("c", "task")) == (["classification", "segmentation"], [], [])
    assert {(p.image, p.reason, p.field) for p in result.quarantine} == {
        (name, "has the same pixels as a, which stays", "image") for name in "bc"
    }
    assert (result.report["counts"]["bad_rows"], result.report["counts"]["exact_duplicates"]) == (0, 2)
    (repeat,) = [one for one in result.report["exact_duplicates"] if one["task"] == "classification"]
    assert repeat == {"image": "b", "same_as": "a", "task": "classification", "differ": {"age_approx": [60.0, 50.0]}}
    assert "2 images have the pixels of another and were left out, 2 of them with other metadata" in result.messages


def test_of_the_same_pixels_the_image_that_the_ledger_knows_stays(tmp_path: Path, run: Run) -> None:
    shot, ledger = picture(1000), tmp_path / "groups.csv"
    old = RawData(tmp_path / "old").fill().add("z", image=shot).write()
    new = RawData(tmp_path / "new").fill().add("z", image=shot).add("a", image=png(shot_of(jpeg(shot)))).write()
    before = run(old, out=tmp_path / "out1", known_groups=ledger)
    after = run(new, out=tmp_path / "out2", known_groups=ledger)
    assert after.of("a", "task") == []
    assert after.of("z", "group_id") == before.of("z", "group_id") == ["z"]
    assert [problem.reason for problem in after.quarantine] == ["has the same pixels as z, which stays"]


def test_the_same_pixels_with_two_labels_are_set_aside_for_classification_and_keep_a_mask(raw: RawData, run: Run) -> None:
    shot = picture(1000)
    raw.fill().add("a", label="MEL", image=shot, mask=True).add("b", label="NV", image=png(shot_of(jpeg(shot))), mask=True)
    result = run(raw.write(), max_quarantined=0.0)
    assert (result.of("a", "task"), result.of("b", "task")) == (["segmentation"], [])
    two = [problem for problem in result.quarantine if problem.field == "label"]
    assert [problem.image for problem in two] == ["a", "b"]
    assert all("the same pixels have two labels: MEL (a) and NV (b)" in problem.reason for problem in two)
    assert (result.report["two_labels"], result.report["counts"]["bad_rows"]) == (["a", "b"], 0)


def test_an_image_that_is_left_out_still_says_that_its_lesion_and_the_others_are_one(raw: RawData, run: Run) -> None:
    train, test = groups_in(Split.TRAIN, 1, "T")[0], groups_in(Split.TEST, 1, "S")[0]
    shot = picture(1000)
    raw.fill().add("a", lesion_id=train, image=shot).add("b", lesion_id=test, image=png(shot_of(jpeg(shot)))).add(
        "c", lesion_id=test
    )
    result = run(raw.write())
    assert result.of("b", "task") == []
    assert result.of("c", "group_id") == result.of("a", "group_id") == [train]


def test_a_smaller_copy_stays_in_the_group_of_the_larger(raw: RawData, run: Run) -> None:
    shot = picture(1000, (180, 240))
    small = cv2.resize(shot, (120, 90), interpolation=cv2.INTER_AREA)
    result = run(raw.fill().add("a", image=shot, lesion_id="T0").add("b", image=small[:, ::-1], lesion_id="S0").write())
    assert result.of("a", "group_id") == result.of("b", "group_id") == ["T0"]
    (pair,) = result.report["near_duplicates"]
    assert (pair["first"], pair["second"], pair["turn"]) == ("a", "b", 1)


def test_every_row_has_its_measures_and_the_manifest_its_skin_tone(raw: RawData, run: Run) -> None:
    folder = raw.fill().add("mole", mask=True, image=picture(777), lesion_id=groups_in(Split.TRAIN, 1, "M")[0]).write()
    result = run(folder)
    measures = read_measures(result.out)
    assert measures[["image_id", "task"]].values.tolist() == result.manifest[["image_id", "task"]].values.tolist()
    np.testing.assert_array_equal(measures["skin_tone"], result.manifest["skin_tone"])
    row = measures[(measures["image_id"] == "mole") & (measures["task"] == "segmentation")].iloc[0]
    pixels = shot_of(jpeg(picture(777)))
    assert row["pixels_sha256"] == sha256_bytes(b"90x120:" + pixels[:, :, ::-1].tobytes())
    assert row["bytes"] == len(jpeg(picture(777)))
    assert (row["mask_components"], row["mask_share"]) == (1, np.mean(mask_of() > 0))
    np.testing.assert_array_equal(row["hash"], fingerprint(cv2.cvtColor(pixels, cv2.COLOR_BGR2GRAY)).hashes)
    assert measures[measures["task"] == "classification"]["mask_share"].isna().all()


def test_only_what_is_new_is_decoded_and_the_output_is_as_if_all_was(
    tmp_path: Path, run: Run, monkeypatch: pytest.MonkeyPatch
) -> None:
    odd = np.where(mask_of() > 0, np.uint8(200), np.uint8(7))
    first = RawData(tmp_path / "first").fill().add("odd", lesion_id="R1", mask=odd)
    before = run(first.write(), out=tmp_path / "before")
    # One image more, and another label for one that was there, in tables alone.
    second = RawData(tmp_path / "second").fill().add("odd", lesion_id="R1", mask=odd, label="MEL")
    folder = second.add("new", lesion_id="R2", mask=True).write()
    decode, decoded = validate_images.decode_image, []
    whole = contents(run(folder, out=tmp_path / "whole").out)
    monkeypatch.setattr(validate_images, "decode_image", lambda data, name: decoded.append(name) or decode(data, name))
    again = run(folder, out=tmp_path / "again", earlier=[tmp_path / "nothing", before.out])
    assert contents(again.out) == whole
    # The new image and what lies beside it in its shard.
    assert "new.jpg" in decoded
    assert len(decoded) < 8
    shared = [path for path in (again.out / "measures").iterdir() if path.stat().st_nlink > 1]
    assert len(shared) == 2


def test_repaired_masks_of_a_shard_that_stays_are_not_made_again(tmp_path: Path, run: Run, monkeypatch: pytest.MonkeyPatch) -> None:
    odd = np.where(mask_of() > 0, np.uint8(200), np.uint8(7))
    folder = RawData(tmp_path / "raw").fill().add("odd", lesion_id="R1", mask=odd).write()
    before = run(folder, out=tmp_path / "before")

    def refuse(*_: object) -> None:
        raise AssertionError("a mask was decoded again")

    monkeypatch.setattr(validate_images, "decode_mask", refuse)
    monkeypatch.setattr(validate_images, "decode_mask_checked", refuse)
    assert contents(run(folder, out=tmp_path / "after", earlier=[before.out]).out) == contents(before.out)


def test_what_ingest_dropped_of_people_is_taken_along(raw: RawData, run: Run) -> None:
    folder = raw.fill().write()
    (folder / "personal.csv").write_text("image,field\nISIC_1,GPSLatitude\n")
    assert (run(folder).out / "personal.csv").read_bytes() == (folder / "personal.csv").read_bytes()


def shot_of(data: bytes) -> npt.NDArray[np.uint8]:
    """The pixels of an encoded picture, BGR, as `png` takes them."""
    return np.asarray(cv2.imdecode(np.frombuffer(data, np.uint8), cv2.IMREAD_COLOR), np.uint8)


def test_the_main_counts_are_metrics(raw: RawData, run: Run) -> None:
    result = run(raw.fill().write())
    lines = [json.loads(text) for text in (result.out / "metrics.jsonl").read_text().splitlines()]
    values = {name: value for line in lines for name, value in line["values"].items()}
    assert (values["images"], values["near_duplicate_pairs"], values["exact_duplicates"]) == (16, 0, 0)
