"""Validate ends with the audit, and stops where the parameter says so, its page written."""

import json
from pathlib import Path

import pytest

from components.errors import DataRefused
from tests.components.validate.conftest import run_step
from tests.components.validate.raw_data import RawData


@pytest.fixture
def raw(tmp_path: Path) -> RawData:
    """Sound images of two diagnoses, all on skin of one tone: who is missing is a finding of medium severity."""
    return RawData(tmp_path / "raw").fill()


def test_validate_leaves_audit_and_data_card_beside_the_dataset(raw: RawData, tmp_path: Path) -> None:
    validated = run_step(raw.write(), tmp_path / "out")
    assert {"audit.html", "audit.json", "card.html", "card.md", "figures"} <= {path.name for path in validated.out.iterdir()}
    document = json.loads((validated.out / "audit.json").read_text())
    assert document["data_version"] == validated.dataset.version
    assert any(document["headline"] in message for message in validated.messages)


def test_a_finding_that_the_parameter_does_not_let_through_stops_the_run_once_its_page_is_written(
    raw: RawData, tmp_path: Path
) -> None:
    folder, ledger = raw.write(), tmp_path / "groups.csv"
    with pytest.raises(DataRefused, match=r"audit_fail_on=medium does not let through: .*skin is missing.* \(medium\)") as error:
        run_step(folder, tmp_path / "out", ledger, audit_fail_on="medium")
    page = tmp_path / "out" / "audit.html"
    assert str(page) in str(error.value)
    assert "skin is missing" in page.read_text()
    assert not ledger.exists()
    run_step(folder, tmp_path / "out", ledger, audit_fail_on="high")
    assert ledger.exists()


def test_an_official_split_that_leaks_is_let_through_by_default_and_stopped_where_high_is_too_much(tmp_path: Path) -> None:
    raw = RawData(tmp_path / "raw").fill()
    # One lesion, two pictures, which its source put into test and train.
    raw.add("ISIC_1", label=None, lesion_id="L", mask=True, split="test").add(
        "ISIC_2", label=None, lesion_id="L", mask=True, split="train"
    )
    folder = raw.write()
    run_step(folder, tmp_path / "a", split="official")
    assert '"leak-groups"' in (tmp_path / "a/audit.json").read_text()
    with pytest.raises(DataRefused, match=r"1 group of images of one lesion or person lies in two splits.*\(high\)"):
        run_step(folder, tmp_path / "b", split="official", audit_fail_on="high")
