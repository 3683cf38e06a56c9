import os
import re
import socket
from html.parser import HTMLParser
from pathlib import Path
from typing import Any

import pytest

from components.lesions import Split
from tests.components.validate.conftest import Run, Validated, run_step
from tests.components.validate.raw_data import RawData, groups_in

# id → cells of its row, the field that its reason names, and how the reason begins.
BAD_CELLS: dict[str, tuple[dict[str, Any], str, str]] = {
    "older": ({"age_approx": 121.0}, "age_approx", "age_approx is 121; it must lie between 0 and 120"),
    "unborn": ({"age_approx": -5.0}, "age_approx", "age_approx is -5; it must lie between 0 and 120"),
    "initial": ({"sex": "F"}, "sex", "sex is 'F'; it must be male or female, or empty"),
    "code": ({"label": "XYZ"}, "label", "label is 'XYZ', which is no code"),
    "digest": ({"sha256": "abc"}, "image", "sha256 is 'abc'"),
    "markup": ({"sex": "<script>alert(1)</script>"}, "sex", "sex is '<script>alert(1)</script>'"),
}
FINE_CELLS: dict[str, dict[str, Any]] = {
    "ageless": {"age_approx": None},
    "sexless": {"sex": None},
    "newborn": {"age_approx": 0.0},
    "oldest": {"age_approx": 120.0},
    "man": {"sex": "male"},
    "lesionless_mole": {"lesion_id": None},
    "lesionless_melanoma": {"lesion_id": None, "label": "MEL"},
}


@pytest.fixture(scope="module")
def judged(tmp_path_factory: pytest.TempPathFactory) -> Validated:
    """One run over every kind of cell above."""
    folder = tmp_path_factory.mktemp("tables")
    lesions = iter(groups_in(Split.TRAIN, 40, "B"))
    raw = RawData(folder / "raw").fill()
    for name, (cells, _, _) in BAD_CELLS.items():
        raw.add(name, lesion_id=next(lesions), **cells)
    for name, cells in FINE_CELLS.items():
        raw.add(name, **{"lesion_id": next(lesions)} | cells)
    return run_step(raw.write(), folder / "out", max_quarantined=0.5)


@pytest.mark.parametrize("name", BAD_CELLS)
def test_a_bad_cell_costs_its_row(judged: Validated, name: str) -> None:
    _, field, reason = BAD_CELLS[name]
    assert judged.of(name, "task") == []
    (problem,) = [problem for problem in judged.quarantine if problem.image == name]
    assert (problem.file, problem.field) == ("tables of clinic", field)
    assert problem.reason.startswith(reason)


@pytest.mark.parametrize("name", FINE_CELLS)
def test_empty_cells_and_the_ends_of_the_range_are_fine(judged: Validated, name: str) -> None:
    assert judged.of(name, "task") == ["classification"]


def test_reasons_are_counted_by_kind_in_the_report(judged: Validated) -> None:
    kinds = judged.report["quarantined"]
    assert kinds["age_approx is …; it must lie between … and …"] == 2
    assert sum(kinds.values()) == len(BAD_CELLS)


def test_a_bad_cell_of_an_image_of_both_tasks_is_told_once_and_costs_both_rows(raw: RawData, run: Run) -> None:
    result = run(raw.fill().add("bad", age_approx=300.0, mask=True).write(), max_quarantined=0.1)
    assert len(result.quarantine) == 1
    assert result.report["counts"]["bad_rows"] == 2


def test_a_lesion_with_two_labels_loses_all_its_rows_for_classification_and_keeps_its_masks(raw: RawData, run: Run) -> None:
    lesion = groups_in(Split.TRAIN, 1, "two")[0]
    for number, label in enumerate(("NV", "NV", "MEL")):
        raw.add(f"two{number}", label=label, lesion_id=lesion, mask=True)
    result = run(raw.fill().write(), max_quarantined=0.1)
    assert [result.of(f"two{number}", "task") for number in range(3)] == [["segmentation"]] * 3
    assert [(problem.image, problem.field) for problem in result.quarantine] == [(f"two{number}", "label") for number in range(3)]
    assert f"lesion_id '{lesion}' has 2 different labels" in result.quarantine[0].reason
    assert "label is MEL" in result.quarantine[2].reason


class Links(HTMLParser):
    """Collects where a page points to."""

    def __init__(self, text: str) -> None:
        super().__init__()
        self.found: list[str] = []
        self.tags: set[str] = set()
        self.text: list[str] = []
        self.feed(text)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.add(tag)
        self.found += [value or "" for name, value in attrs if name in ("href", "src")]

    def handle_data(self, data: str) -> None:
        self.text.append(data)


def words(page: Path) -> str:
    return " ".join(" ".join(Links(page.read_text(encoding="utf-8")).text).split())


def test_the_pages_open_from_a_disk_without_a_network(judged: Validated) -> None:
    docs = judged.out / "data_docs"
    assert {page.name for page in docs.iterdir()} == {"index.html", "classification.html", "segmentation.html"}
    for page in docs.iterdir():
        text = page.read_text(encoding="utf-8")
        links = Links(text)
        assert "script" not in links.tags
        assert not re.search(r"https?://|url\(|@import", text)
        for link in links.found:
            assert link.startswith("#") or (docs / link).exists()


def test_the_pages_tell_what_was_expected_and_what_broke_it(judged: Validated) -> None:
    page = words(judged.out / "data_docs/classification.html")
    for expected in ("age_approx", "labels_of_lesion", "sha256", "values must be unique", "121", "<script>alert(1)</script>"):
        assert expected in page


def test_the_index_counts_expectations_met_and_not_met(judged: Validated) -> None:
    index = words(judged.out / "data_docs/index.html")
    assert "classification 8 4 4" in index
    assert "segmentation 6 6 0" in index


def test_great_expectations_calls_nobody(raw: RawData, run: Run, monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(*_: object, **__: object) -> None:
        raise AssertionError("the step went on the network")

    folder = raw.fill().write()
    monkeypatch.setattr(socket.socket, "connect", refuse)
    run(folder)
    assert os.environ["GX_ANALYTICS_ENABLED"] == "false"
