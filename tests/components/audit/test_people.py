"""What named people is counted, never shown."""

from components.audit.people import find_people
from tests.components.audit.validated import Validated


def test_dropped_fields_are_counted_by_kind_and_image(validated: Validated) -> None:
    validated.personal = [("T_MEL_000_0", "GPS position"), ("T_MEL_000_0", "artist"), ("T_NV_000_0", "artist")]
    (finding,) = find_people(validated.read()).findings
    assert finding.title == "2 files held fields that name a person, a place or a device; they were dropped at ingest"
    assert list(finding.tables[0].rows) == [("artist", "2"), ("GPS position", "1")]
    assert finding.measures == {"images": 2, "fields": 3}


def test_nothing_found_and_nothing_looked_for_are_not_the_same(validated: Validated) -> None:
    assert find_people(validated.read()).sound == ["No file held a field that names a person, a place or a device."]
    (validated.root / "personal.csv").unlink()
    validated.personal = None
    checked = find_people(validated.read())
    assert (checked.findings, checked.sound) == ([], [])
    assert checked.unchecked[0].startswith("Whether files name people was not looked for")
