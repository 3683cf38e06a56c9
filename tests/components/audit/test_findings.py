"""What is said, in which order, and what stops a run."""

import json
from pathlib import Path

import pytest

from components.audit.findings import Checked, Family, Finding, Findings, Severity
from components.errors import DataRefused
from components.params import FailOn


def finding(severity: Severity, title: str = "Something is wrong", family: Family = Family.LEAKS) -> Finding:
    return Finding(
        f"key-{severity}", family, severity, title, "3 images", "Mend it.", "By looking.", measures={"images": 3}, images=["a", "b"]
    )


def together(*found: Finding) -> Findings:
    return Findings.of([Checked(list(found))], data_version="0" * 64, phantom=False, images=1234)


def test_the_worst_comes_first_and_is_the_headline_and_families_keep_their_order_within_a_severity() -> None:
    first = Checked([finding(Severity.LOW, "A"), finding(Severity.HIGH, "B")])
    second = Checked([finding(Severity.HIGH, "C"), finding(Severity.CRITICAL, "D")])
    findings = Findings.of([first, second], data_version="0" * 64, phantom=False, images=1)
    assert [one.title for one in findings.findings] == ["D", "B", "C", "A"]
    assert findings.headline == "D."


def test_small_things_and_notes_do_not_pass_for_alarms() -> None:
    assert together(finding(Severity.LOW)).headline == (
        "Nothing serious was found in 1,234 images; first of the small things: something is wrong."
    )
    assert together(finding(Severity.NOTE)).headline.startswith("Nothing in these 1,234 images would flatter or mislead a model")
    assert together().headline == together(finding(Severity.NOTE)).headline


@pytest.mark.parametrize(
    ("fail_on", "refused"),
    [
        ("never", []),
        ("critical", [Severity.CRITICAL]),
        ("high", [Severity.CRITICAL, Severity.HIGH]),
        ("medium", [Severity.CRITICAL, Severity.HIGH, Severity.MEDIUM]),
    ],
)
def test_a_run_stops_at_what_is_as_bad_as_the_parameter_says_or_worse(fail_on: FailOn, refused: list[Severity]) -> None:
    for severity in Severity:
        findings = together(finding(severity))
        if severity in refused:
            with pytest.raises(DataRefused, match=rf"Something is wrong \({severity}\)\. /a/audit\.html shows it"):
                findings.refuse(fail_on, Path("/a/audit.html"))
        else:
            findings.refuse(fail_on, Path("/a/audit.html"))


def test_a_refusal_names_three_findings_and_counts_the_rest() -> None:
    with pytest.raises(DataRefused, match=r"; Something is wrong \(high\) … and 2 more\."):
        together(*[finding(Severity.HIGH)] * 5).refuse("high", Path("audit.html"))


def test_audit_json_holds_all_that_a_program_needs(tmp_path: Path) -> None:
    together(finding(Severity.HIGH), finding(Severity.NOTE)).write(tmp_path)
    document = json.loads((tmp_path / "audit.json").read_text())
    assert document["schema_version"] == 1
    assert document["headline"] == "Something is wrong."
    assert [one["severity"] for one in document["findings"]] == ["high", "note"]
    assert document["findings"][0] == {
        "key": "key-high",
        "family": "Leaks",
        "severity": "high",
        "title": "Something is wrong",
        "number": "3 images",
        "advice": "Mend it.",
        "how": "By looking.",
        "measures": {"images": 3.0},
        "tables": [],
        "images": ["a", "b"],
    }


def test_metrics_count_severities_and_carry_every_figure() -> None:
    metrics = together(finding(Severity.HIGH), finding(Severity.NOTE)).metrics()
    assert (metrics["audit/high"], metrics["audit/critical"], metrics["audit/note"]) == (1, 0, 1)
    assert metrics["audit/key-high/images"] == 3
