"""The list that keeps withdrawn images out."""

from dataclasses import replace
from pathlib import Path

import pytest

from components.errors import DatasetError
from components.project import project_file
from components.withdrawn import FILE, Withdrawal, Withdrawn, read_withdrawn, write_withdrawn

PATIENT = Withdrawal(
    "P1", "patient", "2026-11-25", 'she said "no", twice', 2, ("I1", "I2"), ("a" * 64,), ("v" * 64,), ("d.dir",), ("run 1", "x 2")
)
IMAGE = Withdrawal("I9", "image", "2026-11-26", "", 1, ("I9",), ("b" * 64,))


def test_what_is_written_is_read_again(tmp_path: Path) -> None:
    write_withdrawn(tmp_path / FILE, Withdrawn((PATIENT, IMAGE)))
    assert read_withdrawn(tmp_path / FILE) == Withdrawn((PATIENT, IMAGE))


@pytest.mark.parametrize(
    ("image", "known", "refused"),
    [
        ("I9", {}, IMAGE),
        ("I1", {}, PATIENT),  # its patient is not named by this source
        ("new", {"patient_id": "P1"}, PATIENT),
        ("new", {"lesion_id": "P1"}, None),  # a lesion of the same name is another thing
        ("renamed", {"sha256": "b" * 64}, IMAGE),
        ("other", {"sha256": "c" * 64, "lesion_id": "L", "patient_id": "P2"}, None),
    ],
)
def test_an_image_is_refused_by_id_lesion_patient_or_bytes(image: str, known: dict[str, str], refused: Withdrawal | None) -> None:
    assert Withdrawn((PATIENT, IMAGE)).refuses(image, **known) == refused


def test_the_digest_changes_with_what_is_refused_and_with_nothing_else() -> None:
    assert Withdrawn().digest == ""
    one = Withdrawn((IMAGE,)).digest
    assert Withdrawn((IMAGE, PATIENT)).digest == Withdrawn((PATIENT, IMAGE)).digest != one
    told = Withdrawal("I9", "image", "2030-01-01", "another reason", 1, ("I9",), ("b" * 64,), seen_by=("run 7",))
    assert Withdrawn((told,)).digest == one


@pytest.mark.parametrize(
    ("row", "lacking"),
    [
        (IMAGE, False),
        (replace(PATIENT, reason="another", when="2030-01-01"), False),
        (replace(PATIENT, image_ids=("I1", "I3")), True),
        (replace(PATIENT, sha256=("c" * 64,)), True),
        (replace(IMAGE, kind="lesion"), True),
    ],
)
def test_a_list_lacks_what_another_refuses_besides(row: Withdrawal, lacking: bool) -> None:
    assert Withdrawn((PATIENT, IMAGE)).lacks(Withdrawn((row,))) == ((row,) if lacking else ())


def test_two_lists_are_joined_row_by_row() -> None:
    more = replace(PATIENT, image_ids=("I2", "I3"), sha256=("c" * 64,), reason="")
    joined = Withdrawn((PATIENT,)).joined(Withdrawn((IMAGE, more)))
    assert joined.rows == (replace(PATIENT, images=3, image_ids=("I1", "I2", "I3"), sha256=("a" * 64, "c" * 64)), IMAGE)


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("", "first line is not id,kind"),
        ("id,kind\nx,image\n", "first line is not id,kind"),
        ("{head}\nI9,image,2026\n", "line 2: has 3 cells"),
        ("{head}\nI9,picture,2026-11-25,,1,I9,,,,\n", "line 2: kind is 'picture'"),
        ("{head}\nI9,image,2026-11-25,,many,I9,,,,\n", "line 2: images is 'many'"),
        ('{head}\n"I9,image', "cannot be read"),
    ],
)
def test_a_list_that_cannot_be_read_lets_nothing_pass(text: str, said: str, tmp_path: Path) -> None:
    head = "id,kind,when,reason,images,image_ids,sha256,versions,folders,seen_by"
    (tmp_path / FILE).write_text(text.replace("{head}", head))
    with pytest.raises(DatasetError, match=said):
        read_withdrawn(tmp_path / FILE)


def test_a_list_that_is_no_text_or_not_there_is_refused(tmp_path: Path) -> None:
    (tmp_path / FILE).write_bytes(b"\xff\xfe\x00")
    with pytest.raises(DatasetError, match="cannot be read"):
        read_withdrawn(tmp_path / FILE)
    with pytest.raises(DatasetError, match="cannot be read"):
        read_withdrawn(tmp_path / "nosuch.csv")


def test_the_list_of_the_working_directory_holds_else_the_packaged_one(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    assert read_withdrawn() == read_withdrawn(project_file(FILE))
    write_withdrawn(tmp_path / FILE, Withdrawn((IMAGE,)))
    assert read_withdrawn() == Withdrawn((IMAGE,))
