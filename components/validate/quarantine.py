"""quarantine.csv: what is set aside, and why; nothing is dropped without a line here."""

import csv
import io
import re
from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path

from components.errors import DataRefused, DatasetError
from components.files import write_text

COLUMNS = ("image", "reason", "file", "field")


@dataclass(frozen=True, order=True)
class Problem:
    """Why something of an image is set aside: a line of quarantine.csv."""

    image: str
    reason: str
    file: str
    field: str

    @property
    def kind(self) -> str:
        """The reason without names and figures, so that equal reasons can be counted."""
        return re.sub(r"'[^']*'|[\w.-]*\d[\w.-]*", "…", self.reason.replace(self.image, "…"))


@dataclass(frozen=True)
class Finding:
    """A problem, and the rows of the manifest that it costs their place, by position."""

    problem: Problem
    rows: tuple[int, ...]


def read_quarantine(folder: Path) -> list[Problem]:
    """What the step before set aside; nothing where it wrote no quarantine.csv.

    Raises:
        DatasetError: the file is not a quarantine.csv.
    """
    path = folder / "quarantine.csv"
    if not path.exists():
        return []
    try:
        with path.open(encoding="utf-8", newline="") as handle:
            lines = list(csv.reader(handle))
    except (OSError, UnicodeDecodeError, csv.Error) as error:
        raise DatasetError(f"{path}: cannot be read ({error}); make the dataset again") from error
    if not lines or tuple(lines[0]) != COLUMNS or any(len(line) != len(COLUMNS) for line in lines):
        raise DatasetError(f"{path}: must have the columns {', '.join(COLUMNS)}; make the dataset again")
    return [Problem(*line) for line in lines[1:]]


def write_quarantine(folder: Path, problems: Iterable[Problem]) -> None:
    """Write quarantine.csv, sorted, each line once."""
    text = io.StringIO(newline="")
    writer = csv.writer(text, lineterminator="\n")
    writer.writerow(COLUMNS)
    writer.writerows((p.image, p.reason, p.file, p.field) for p in sorted(set(problems)))
    write_text(folder / "quarantine.csv", text.getvalue())


def count_kinds(problems: Iterable[Problem]) -> dict[str, int]:
    """How many lines each kind of reason has, most frequent first."""
    counts = Counter(problem.kind for problem in set(problems))
    return dict(sorted(counts.items(), key=lambda item: (-item[1], item[0])))


def refuse_too_many(bad: int, total: int, most: float, problems: Sequence[Problem], where: Path) -> None:
    """Stop where a larger share than `most` is bad.

    Args:
        bad: rows that are set aside as bad, those that ingest refused included.
        total: rows there were.
        most: `validate.max_quarantined`.
        problems: why; the first few are told.
        where: the quarantine.csv with all of them.

    Raises:
        DataRefused: bad / total is larger than `most`.
    """
    if bad <= most * total:
        return
    told = [f"{problem.file}: {problem.reason}" for problem in sorted(set(problems))]
    more = f" … and {len(told) - 3:,} more" if len(told) > 3 else ""
    raise DataRefused(
        f"{bad:,} of {total:,} rows are bad ({bad / total:.1%}; validate.max_quarantined allows {most:.1%}): "
        f"{'; '.join(told[:3])}{more}. All stand in {where}; mend them, leave them out, or raise validate.max_quarantined"
    )
