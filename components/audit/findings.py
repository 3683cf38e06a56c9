"""What the audit says, typed; `audit.json` is written and read here alone.

schema_version   1
data_version     of the dataset
phantom          whether any image was drawn
images           images in all
headline         the sentence that matters most
findings         the worst first: key, family, severity, title, number, advice, how, measures (name → figure), tables, images (ids)
sound            what was checked and is as it should be, a sentence each
unchecked        what could not be checked, and why
"""

import json
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from enum import StrEnum
from pathlib import Path
from typing import Any

from components.errors import DataRefused, DatasetError
from components.files import write_text
from components.params import FailOn
from components.promotion.evidence import AuditCounts

AUDIT_FILE = "audit.json"
SCHEMA_VERSION = 1

SHOWN = 12
"""Most exhibits of a finding that the page shows; audit.json lists all images."""


class Severity(StrEnum):
    """How much a finding matters, the worst first."""

    CRITICAL = "critical"
    HIGH = "high"
    MEDIUM = "medium"
    LOW = "low"
    NOTE = "note"

    @property
    def rank(self) -> int:
        """0 for the worst."""
        return list(Severity).index(self)


class Family(StrEnum):
    """What a finding is about, in the order in which the page has them."""

    LEAKS = "Leaks"
    SHORTCUTS = "Shortcuts"
    LABELS = "Labels"
    QUALITY = "Quality"
    SKIN_TONE = "Skin tone"
    PEOPLE = "People"


@dataclass(frozen=True)
class Exhibit:
    """Images that are shown side by side.

    Attributes:
        images: their ids.
        caption: what is to be seen, one line.
        notes: what is said of each, beside its id; empty, or one an image.
        masks: draw their masks' outlines.
    """

    images: tuple[str, ...]
    caption: str
    notes: tuple[str, ...] = ()
    masks: bool = False


@dataclass(frozen=True)
class Table:
    """Figures of a finding, as text: a title, the names of the columns, the rows; the first cell of a row is its name."""

    title: str
    columns: tuple[str, ...]
    rows: Sequence[tuple[str, ...]]


@dataclass(frozen=True)
class Finding:
    """One thing that whoever trains on the data should know.

    Attributes:
        key: its name for programs, the same in every audit.
        family: what it is about.
        severity: how much it matters.
        title: the finding itself, a sentence without its full stop.
        number: the figure that shows how much, short.
        advice: what to do, a sentence.
        how: how it was found, and what that cannot tell.
        measures: its figures by name.
        images: ids of the images concerned, the most telling first.
        exhibits: what the page shows of them.
        tables: figures that the page shows.
        figure: name of its figure among the step's figures.
    """

    key: str
    family: Family
    severity: Severity
    title: str
    number: str
    advice: str
    how: str
    measures: Mapping[str, float] = field(default_factory=dict)
    images: Sequence[str] = ()
    exhibits: Sequence[Exhibit] = ()
    tables: Sequence[Table] = ()
    figure: str | None = None


@dataclass(frozen=True)
class Checked:
    """What a family of checks gives: findings, and sentences on what is as it should be and on what could not be checked."""

    findings: list[Finding] = field(default_factory=list)
    sound: list[str] = field(default_factory=list)
    unchecked: list[str] = field(default_factory=list)

    def add(self, other: "Checked") -> None:
        """Take over what another check gives."""
        self.findings.extend(other.findings)
        self.sound.extend(other.sound)
        self.unchecked.extend(other.unchecked)


@dataclass(frozen=True)
class Findings:
    """All that an audit found.

    Attributes:
        data_version: of the dataset.
        phantom: whether any image was drawn.
        images: how many images there are.
        findings: the worst first.
        sound: what was checked and is as it should be.
        unchecked: what could not be checked, and why.
    """

    data_version: str
    phantom: bool
    images: int
    findings: Sequence[Finding]
    sound: Sequence[str]
    unchecked: Sequence[str]

    @classmethod
    def of(cls, checked: Iterable[Checked], *, data_version: str, phantom: bool, images: int) -> "Findings":
        """Bring the families together: by severity, and within it in the order given."""
        together = Checked()
        for family in checked:
            together.add(family)
        findings = sorted(together.findings, key=lambda one: one.severity.rank)
        return cls(data_version, phantom, images, findings, together.sound, together.unchecked)

    @property
    def headline(self) -> str:
        """The one sentence that matters most."""
        worst = next(iter(self.findings), None)
        if worst is None or worst.severity is Severity.NOTE:
            return f"Nothing in these {self.images:,} images would flatter or mislead a model, as far as this audit can tell."
        if worst.severity is Severity.LOW:
            small = worst.title[0].lower() + worst.title[1:]
            return f"Nothing serious was found in {self.images:,} images; first of the small things: {small}."
        return f"{worst.title}."

    def count(self, severity: Severity) -> int:
        """Findings of a severity."""
        return sum(one.severity is severity for one in self.findings)

    def metrics(self) -> dict[str, float]:
        """Findings by severity, and each one's figures: `audit/critical`, `audit/shortcut-resolution/balanced_accuracy`."""
        counts = {f"audit/{severity}": float(self.count(severity)) for severity in Severity}
        return counts | {f"audit/{one.key}/{name}": float(value) for one in self.findings for name, value in one.measures.items()}

    def refuse(self, fail_on: FailOn, page: Path) -> None:
        """Stop where a finding is as bad as `fail_on`, or worse.

        Args:
            fail_on: `validate.audit_fail_on`.
            page: the page that shows the findings.

        Raises:
            DataRefused: there is one.
        """
        if fail_on == "never":
            return
        bad = [one for one in self.findings if one.severity.rank <= Severity(fail_on).rank]
        if bad:
            told = "; ".join(f"{one.title} ({one.severity})" for one in bad[:3]) + (
                f" … and {len(bad) - 3} more" if len(bad) > 3 else ""
            )
            raise DataRefused(
                f"the audit found what validate.audit_fail_on={fail_on} does not let through: {told}. {page} shows it; "
                "mend the data, or set validate.audit_fail_on to never and answer for it"
            )

    def write(self, folder: Path) -> None:
        """Write audit.json; equal findings give equal bytes."""
        document = {
            "schema_version": SCHEMA_VERSION,
            "data_version": self.data_version,
            "phantom": self.phantom,
            "images": self.images,
            "headline": self.headline,
            "findings": [_plain(one) for one in self.findings],
            "sound": list(self.sound),
            "unchecked": list(self.unchecked),
        }
        write_text(folder / AUDIT_FILE, json.dumps(document, indent=1, ensure_ascii=False) + "\n")


def _plain(finding: Finding) -> dict[str, Any]:
    tables = [{"title": t.title, "columns": list(t.columns), "rows": [list(row) for row in t.rows]} for t in finding.tables]
    return {
        "key": finding.key,
        "family": finding.family.value,
        "severity": finding.severity.value,
        "title": finding.title,
        "number": finding.number,
        "advice": finding.advice,
        "how": finding.how,
        "measures": {name: round(float(value), 6) for name, value in finding.measures.items()},
        "tables": tables,
        "images": list(finding.images),
    }


def read_counts(folder: Path) -> AuditCounts | None:
    """The first line and the numbers of findings of an output of validate; None where it has no audit.

    Raises:
        DatasetError: audit.json is not what `write` writes.
    """
    path = folder / AUDIT_FILE
    if not path.exists():
        return None
    try:
        document = json.loads(path.read_text(encoding="utf-8"))
        severities = [str(finding["severity"]) for finding in document["findings"]]
        return AuditCounts(str(document["headline"]), {one.value: severities.count(one.value) for one in Severity})
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise DatasetError(f"{path}: cannot be read ({error!r}); validate the data again") from error
