"""One picture under several ids, and several sources that say different things of one picture."""

import shutil
from pathlib import Path

import pytest

from tests.components.ingest.conftest import Run
from tests.isic_folder import FACTS, LABELS, IsicFolder


@pytest.fixture
def clinic(tmp_path: Path) -> IsicFolder:
    return IsicFolder(tmp_path / "clinic").fill(1)


@pytest.fixture
def archive(clinic: IsicFolder, tmp_path: Path) -> IsicFolder:
    """Another source that has ISIC_NV_0 of the clinic under an id of its own, and one more picture."""
    archive = IsicFolder(tmp_path / "archive")
    for kind, name, target in (
        ("images", "ISIC_NV_0.jpg", "A_7.jpg"),
        ("masks", "ISIC_NV_0_segmentation.png", "A_7_segmentation.png"),
    ):
        (archive.root / kind).mkdir()
        shutil.copyfile(clinic.root / kind / name, archive.root / kind / target)
    archive.image("A_8")
    archive.row("A_8", "DF")
    return archive


def test_a_picture_under_two_ids_is_taken_once_a_task_from_the_first_source(
    clinic: IsicFolder, archive: IsicFolder, run: Run
) -> None:
    archive.row("A_7", "NV", lesion_id="L_NV_0")
    archive.tables()
    done = run(clinic.root, archive.root)
    assert "A_7" not in done.ids("classification") + done.ids("segmentation")
    assert done.ids("classification").count("ISIC_NV_0") == 1
    assert done.quarantine == []
    assert "1 images repeat another byte for byte under another id, and are taken once: A_7" in done.messages
    assert not any(name.startswith("A_7") for name in done.members())
    assert set(run(archive.root, clinic.root, out="turned").dataset.manifest["image_id"]) >= {"A_7", "A_8"}


def test_what_one_table_leaves_empty_of_a_picture_another_fills(clinic: IsicFolder, archive: IsicFolder, run: Run) -> None:
    clinic.facts[1][FACTS.index("age_approx")] = ""
    clinic.tables()
    archive.row("A_7", "NV", age_approx="61", lesion_id="L_NV_0")
    archive.tables()
    assert run(clinic.root, archive.root).row("ISIC_NV_0", "classification")["age_approx"] == 61


def test_two_labels_of_one_picture_cost_both_ids_their_place_in_classification(
    clinic: IsicFolder, archive: IsicFolder, run: Run
) -> None:
    archive.row("A_7", "MEL", lesion_id="L_NV_0")
    archive.tables()
    done = run(clinic.root, archive.root)
    assert [(row["image"], row["field"]) for row in done.quarantine] == [("A_7", "label"), ("ISIC_NV_0", "label")]
    assert done.quarantine[0]["reason"] == "two labels: NV and MEL, for one picture under the ids ISIC_NV_0, A_7"
    assert done.quarantine[0]["file"] == "archive/images/A_7.jpg"
    assert not {"A_7", "ISIC_NV_0"} & set(done.ids("classification"))
    assert "ISIC_NV_0" in done.ids("segmentation")
    assert any("2 set aside in quarantine.csv" in message for message in done.messages)


def test_two_lesions_of_one_picture_cost_both_ids_their_places(clinic: IsicFolder, archive: IsicFolder, run: Run) -> None:
    archive.row("A_7", "NV", lesion_id="another")
    archive.tables()
    done = run(clinic.root, archive.root)
    assert {(row["image"], row["field"]) for row in done.quarantine} == {("A_7", "lesion_id"), ("ISIC_NV_0", "lesion_id")}
    assert not {"A_7", "ISIC_NV_0"} & {*done.ids("classification"), *done.ids("segmentation")}
    assert not any(name.startswith(("A_7", "ISIC_NV_0")) for name in done.members())


def test_one_id_with_two_labels_in_two_sources_is_set_aside_and_names_both_tables(
    clinic: IsicFolder, tmp_path: Path, run: Run
) -> None:
    other = IsicFolder(tmp_path / "other")
    other.image("ISIC_NV_0", size=(96, 128))
    other.table("GroundTruth.csv", LABELS, [["ISIC_NV_0", *"100000000"]])
    done = run(clinic.root, other.root)
    assert [(row["image"], row["reason"], row["file"]) for row in done.quarantine] == [
        ("ISIC_NV_0", "two labels: NV and MEL", "clinic/GroundTruth.csv and other/GroundTruth.csv")
    ]
