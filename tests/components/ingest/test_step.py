"""Ingest over whole folders: what is read, taken, stored and said."""

import hashlib
import zipfile
from pathlib import Path

import pytest

from components.dataset import data_version
from components.images import decode_image, decode_mask
from components.lesions import CODES
from tests.components.ingest.conftest import Run
from tests.isic_folder import FACTS, LABELS, IsicFolder, draw


@pytest.fixture
def folder(tmp_path: Path) -> IsicFolder:
    return IsicFolder(tmp_path / "clinic")


def sha256(path: Path) -> str:
    return hashlib.sha256(path.read_bytes()).hexdigest()


def test_a_row_says_what_the_files_say(folder: IsicFolder, run: Run) -> None:
    image = folder.image("ISIC_1", size=(60, 90))
    mask = folder.mask("ISIC_1", size=(60, 90))
    folder.row("ISIC_1", "BCC", age_approx="70", anatom_site_general="head/neck", lesion_id="L1", sex="male")
    folder.tables()
    done = run(folder.root)
    for task in ("classification", "segmentation"):
        row = done.row("ISIC_1", task)
        said = (row["label"], row["age_approx"], row["anatom_site_general"], row["lesion_id"], row["sex"], row["source"])
        assert said == ("BCC", 70.0, "head/neck", "L1", "male", "clinic")
        assert (row["height"], row["width"], row["sha256"]) == (60, 90, sha256(image))
        assert row[["licence", "patient_id", "group_id", "split", "skin_tone"]].isna().all()
        assert done.dataset.image_bytes(row) == image.read_bytes()
    assert done.row("ISIC_1", "segmentation")["mask_sha256"] == sha256(mask)
    assert done.dataset.mask_bytes(done.row("ISIC_1", "segmentation")) == mask.read_bytes()
    assert done.row("ISIC_1", "classification")[["mask", "mask_sha256"]].isna().all()


def test_files_are_found_wherever_they_lie_whatever_the_tables_are_called(folder: IsicFolder, run: Run) -> None:
    folder.image("ISIC_1", folder="a/b/c")
    folder.image("ISIC_2", folder=".", ending=".png")
    folder.image("ISIC_3", file="ISIC_3.JPG")
    folder.mask("ISIC_1", folder="elsewhere/deep")
    folder.table("x/rows.csv", LABELS, [["ISIC_1", *"100000000"], ["ISIC_2", *"010000000"], ["ISIC_3", *"000000010"]])
    folder.table("y/people.CSV", FACTS, [["ISIC_2", "30", "", "", "male"]])
    done = run(folder.root)
    assert done.dataset.manifest.set_index(["task", "image_id"])["label"].to_dict() == {
        ("classification", "ISIC_1"): "MEL",
        ("classification", "ISIC_2"): "NV",
        ("classification", "ISIC_3"): "SCC",
        ("segmentation", "ISIC_1"): "MEL",
    }
    assert done.row("ISIC_2", "classification")["age_approx"] == 30


@pytest.mark.parametrize(("newline", "encoding"), [("\r\n", "utf-8"), ("\n", "utf-8-sig"), ("\r\n", "utf-8-sig"), ("\r", "utf-8")])
def test_line_ends_and_byte_order_marks_make_no_difference(folder: IsicFolder, run: Run, newline: str, encoding: str) -> None:
    folder.fill(1)
    plain = run(folder.root, out="plain")
    folder.tables(newline=newline, encoding=encoding)
    assert run(folder.root, out="other").dataset.version == plain.dataset.version


def test_a_downsampled_name_is_the_same_image_in_both_tasks(folder: IsicFolder, run: Run) -> None:
    folder.image("ISIC_0000025", size=(48, 64), file="ISIC_0000025_downsampled.jpg", folder="classification")
    folder.image("ISIC_0000025", size=(96, 128), folder="task1")
    folder.mask("ISIC_0000025", size=(96, 128), folder="task1")
    folder.row("ISIC_0000025_downsampled", "MEL", lesion_id="L1")
    folder.tables()
    done = run(folder.root)
    assert done.ids("classification") == done.ids("segmentation") == ["ISIC_0000025"]
    assert done.row("ISIC_0000025", "segmentation")["lesion_id"] == "L1"


def test_a_mask_may_be_scaled_against_its_image(folder: IsicFolder, run: Run) -> None:
    folder.image("ISIC_1", size=(150, 200))  # as HAM10000 at a third: 200 x 150 with masks of 600 x 450
    folder.mask("ISIC_1", size=(450, 600))
    done = run(folder.root)
    row = done.row("ISIC_1", "segmentation")
    assert (row["height"], row["width"]) == (150, 200)
    assert decode_mask(done.dataset.mask_bytes(row), "m").shape == (450, 600)


def test_of_two_sizes_the_larger_is_taken(folder: IsicFolder, run: Run) -> None:
    folder.image("ISIC_1", size=(48, 64), folder="a")
    large = folder.image("ISIC_1", size=(96, 128), folder="b")
    folder.image("ISIC_1", size=(60, 80), folder="c")
    folder.row("ISIC_1", "NV")
    folder.tables()
    done = run(folder.root)
    assert done.row("ISIC_1", "classification")["sha256"] == sha256(large)


def test_segmentation_takes_the_largest_copy_that_has_the_mask_s_shape(folder: IsicFolder, run: Run) -> None:
    original = folder.image("ISIC_1", size=(96, 128), folder="classification")
    crop = folder.image("ISIC_1", size=(64, 64), folder="task1")
    folder.image("ISIC_1", size=(32, 32), folder="small")
    folder.mask("ISIC_1", size=(64, 64), folder="task1")
    folder.row("ISIC_1", "NV")
    folder.tables()
    done = run(folder.root)
    assert done.row("ISIC_1", "classification")["sha256"] == sha256(original)
    assert done.row("ISIC_1", "segmentation")["sha256"] == sha256(crop)


@pytest.mark.parametrize(("width", "taken"), [(510, True), (511, False)])
def test_shapes_may_differ_by_two_percent(folder: IsicFolder, run: Run, width: int, taken: bool) -> None:
    folder.image("ISIC_1", size=(500, width))  # 510 / 500 = 1.02
    folder.mask("ISIC_1", size=(500, 500))
    done = run(folder.root)
    assert done.ids("segmentation") == (["ISIC_1"] if taken else [])


def test_a_size_is_that_of_the_upright_image(folder: IsicFolder, run: Run) -> None:
    from PIL import Image

    exif = Image.Exif()
    exif[0x0112] = 6  # a camera held upright
    (folder.root / "images").mkdir()
    Image.fromarray(draw("ISIC_1", (48, 64))[0]).save(folder.root / "images/ISIC_1.jpg", exif=exif)
    folder.mask("ISIC_1", size=(64, 48))
    row = run(folder.root).row("ISIC_1", "segmentation")
    assert (row["height"], row["width"]) == (64, 48)


def test_an_image_that_serves_both_tasks_is_stored_once(folder: IsicFolder, run: Run) -> None:
    folder.fill(2)
    folder.image("ISIC_LONE")
    folder.row("ISIC_LONE", "NV")
    folder.tables()
    done = run(folder.root)
    names = [name for shard in (done.out / "shards").iterdir() for name in zipfile.ZipFile(shard).namelist()]
    assert len(names) == len(set(names)) == 16 + 16 + 1
    for _, row in done.dataset.manifest.iterrows():
        assert hashlib.sha256(done.dataset.image_bytes(row)).hexdigest() == row["sha256"]


def test_a_shard_holds_at_most_512_images_and_the_order_is_that_of_ids(folder: IsicFolder, run: Run) -> None:
    for number in range(1300):
        folder.image(f"ISIC_{number:04}", size=(8, 8))
        folder.row(f"ISIC_{number:04}", "NV")
    folder.tables()
    done = run(folder.root)
    contents = [zipfile.ZipFile(shard).namelist() for shard in (done.out / "shards").iterdir()]
    assert max(map(len, contents)) <= 512
    assert [name for names in sorted(contents) for name in names] == [f"ISIC_{number:04}.jpg" for number in range(1300)]


def test_several_tables_that_repeat_rows_are_one(folder: IsicFolder, run: Run) -> None:
    folder.fill(2)
    once = run(folder.root, out="once")
    folder.tables("full", newline="\r\n")
    again = run(folder.root, out="again")
    assert again.dataset.version == once.dataset.version
    assert again.quarantine == []


def test_a_cell_that_one_table_leaves_empty_is_filled_by_another(folder: IsicFolder, run: Run) -> None:
    folder.image("ISIC_1")
    folder.row("ISIC_1", "NV", age_approx="", sex="")
    folder.tables()
    folder.table("groups.csv", ("image", "lesion_id", "patient_id", "remark"), [["ISIC_1", "L1", "P1", "seen twice"]])
    row = run(folder.root).row("ISIC_1", "classification")
    assert (row["lesion_id"], row["patient_id"]) == ("L1", "P1")
    assert row[["age_approx", "sex"]].isna().all()


def test_rows_without_image_and_images_without_row_are_counted_in_a_line(folder: IsicFolder, run: Run) -> None:
    folder.fill(1)
    for number in range(1234):
        folder.row(f"ISIC_ABSENT_{number}", "NV")
    folder.tables()
    folder.image("ISIC_LOOSE_1")
    folder.image("ISIC_LOOSE_2")
    folder.image("ISIC_MEL_0", ending=".png", file="ISIC_MEL_0_superpixels.png")
    folder.mask("ISIC_UNSEEN")
    folder.table("HAM10000_metadata.csv", ("lesion_id", "image_id", "dx", "dx_type", "age", "sex", "localization"), [])
    done = run(folder.root)
    assert done.messages == [
        "clinic: no table like ISIC 2019's, left out: HAM10000_metadata.csv",
        "left out: images that tables name but that do not lie there: 1,234",
        "left out: images with neither a diagnosis in a table nor a mask: 2",
        "left out: pictures drawn from other images, such as <image>_superpixels.png: 1",
        "left out: masks without image: 1",
        "8 images to classify: MEL 1, NV 1, BCC 1, AK 1, BKL 1, DF 1, VASC 1, SCC 1",
        "8 images to segment",
    ]
    assert done.quarantine == []


def test_a_source_of_one_task_says_that_the_other_is_missing(folder: IsicFolder, run: Run) -> None:
    folder.image("ISIC_1")
    folder.row("ISIC_1", "NV")
    folder.tables()
    assert any("no image has a mask" in message for message in run(folder.root).messages)
    other = IsicFolder(folder.root.parent / "masks-only")
    other.image("ISIC_2")
    other.mask("ISIC_2")
    done = run(other.root, out="other")
    assert any("no image has a diagnosis" in message for message in done.messages)
    assert done.ids("classification") == []


def test_task_1_s_folders_tell_the_official_split(folder: IsicFolder, run: Run) -> None:
    for name, split in (("Training", "train"), ("Validation", "val"), ("Test", "test")):
        folder.image(f"ISIC_{split}", folder=f"ISIC2018_Task1-2_{name}_Input")
        folder.mask(f"ISIC_{split}", folder=f"ISIC2018_Task1_{name}_GroundTruth")
        folder.row(f"ISIC_{split}", "NV")
    folder.image("ISIC_none")
    folder.mask("ISIC_none")
    folder.tables()
    done = run(folder.root)
    splits = done.dataset.manifest.set_index(["task", "image_id"])["split"]
    assert splits["segmentation"].dropna().to_dict() == {f"ISIC_{split}": split for split in ("train", "val", "test")}
    assert splits["classification"].isna().all()


def test_of_two_sources_the_larger_copy_is_taken_and_named(folder: IsicFolder, run: Run) -> None:
    folder.image("ISIC_1", size=(48, 64))
    folder.row("ISIC_1", "NV")
    folder.tables()
    other = IsicFolder(folder.root.parent / "archive")
    large = other.image("ISIC_1", size=(96, 128))
    row = run(folder.root, other.root).row("ISIC_1", "classification")
    assert (row["source"], row["sha256"], row["label"]) == ("archive", sha256(large), "NV")


def test_images_and_tables_may_be_two_sources(folder: IsicFolder, run: Run) -> None:
    folder.image("ISIC_1")
    tables = IsicFolder(folder.root.parent / "tables")
    tables.row("ISIC_1", "NV")
    tables.tables()
    assert run(folder.root, tables.root).ids("classification") == ["ISIC_1"]


def test_only_drawn_images_are_called_phantom(tmp_path: Path, run: Run) -> None:
    folder = IsicFolder(tmp_path / "mine" / "phantom").fill(1)
    done = run(folder.root)
    assert set(done.dataset.manifest["source"]) == {"mine/phantom"}
    assert not done.dataset.phantom


def test_the_output_is_the_same_wherever_the_source_lies_and_holds_no_path_of_it(tmp_path: Path, run: Run) -> None:
    first = run(IsicFolder(tmp_path / "one" / "clinic").fill(2).root, out="first")
    second = run(IsicFolder(tmp_path / "two" / "clinic").fill(2).root, out="second")
    files = sorted(path.relative_to(first.out) for path in first.out.rglob("*") if path.is_file())
    assert [(first.out / file).read_bytes() for file in files] == [(second.out / file).read_bytes() for file in files]
    assert not any(str(tmp_path).encode() in (first.out / file).read_bytes() for file in files)
    assert first.dataset.version == data_version(second.dataset.manifest)


def test_a_link_inside_the_folder_is_read_and_one_that_leaves_it_is_not(folder: IsicFolder, run: Run) -> None:
    folder.image("ISIC_1")
    (folder.root / "ISIC_2.jpg").symlink_to(folder.image("ISIC_2", file="ISIC_2.raw").relative_to(folder.root))
    outside = IsicFolder(folder.root.parent / "private")
    (folder.root / "ISIC_3.jpg").symlink_to(outside.image("ISIC_3"))
    (folder.root / "more").symlink_to(outside.root, target_is_directory=True)
    for number in (1, 2, 3):
        folder.row(f"ISIC_{number}", "NV")
    folder.tables()
    done = run(folder.root)
    assert done.ids("classification") == ["ISIC_1", "ISIC_2"]
    assert [(row["image"], row["file"]) for row in done.quarantine] == [("ISIC_3", "clinic/ISIC_3.jpg")]


def test_what_a_mac_leaves_in_archives_is_no_image(folder: IsicFolder, run: Run) -> None:
    folder.fill(1)
    folder.raw("images/._ISIC_MEL_0.jpg", b"\x00\x05\x16\x07")
    folder.raw("__MACOSX/images/ISIC_NV_0.jpg", b"\x00\x05\x16\x07")
    done = run(folder.root)
    assert len(done.ids("classification")) == 8
    assert not any("left out" in message for message in done.messages)


def test_phantoms_are_read_as_isic_files_are(run: Run) -> None:
    done = run("phantom")
    manifest = done.dataset.manifest
    assert manifest.groupby(["task", "label"]).size().unstack().eq(2).all(axis=None)
    assert set(zip(manifest["source"], manifest["licence"], strict=True)) == {("phantom", "CC0-1.0")}
    assert done.dataset.phantom
    assert sorted(path.name for path in done.out.iterdir()) == [
        "index.parquet",
        "manifest.parquet",
        "personal.csv",
        "quarantine.csv",
        "shards",
        "sources.json",
    ]
    row = done.row(manifest["image_id"].iloc[0], "segmentation")
    assert decode_image(done.dataset.image_bytes(row), "x").shape == (48, 64, 3)


@pytest.mark.slow
def test_the_real_folders_are_read_as_they_are(real_data: Path, run: Run) -> None:
    isic = run(real_data / "isic", out="isic")
    labels = isic.dataset.manifest.query("task == 'classification'")["label"].value_counts().to_dict()
    # Worked out from the tables and the file names by hand: 3,199 + 2,144 images of Task 1, 1,211 of which are the same.
    assert labels == {"MEL": 680, "NV": 2053, "BCC": 411, "AK": 104, "BKL": 520, "DF": 92, "VASC": 114, "SCC": 158}
    assert len(isic.ids("segmentation")) == 2_145 + 96
    assert isic.quarantine == []
    ham = run(real_data / "ham10000", out="ham10000")
    # ISIC_0024366 and ISIC_0024777 lie there twice, byte for byte, under other ids.
    assert len(ham.ids("classification")) == len(ham.ids("segmentation")) == 8_380 - 2
    assert ham.quarantine == []
    assert set(labels) == set(CODES)
