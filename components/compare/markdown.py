"""A comparison as Markdown, for a pull request."""

import re
from collections.abc import Iterable, Sequence

from components.compare.comparison import Comparison
from components.compare.report import Section, sections

_MOST_PARAMS = 20
_DRAWN = "**Drawn images (phantom): these figures say nothing about skin.**"


def write_markdown(comparison: Comparison) -> str:
    """Write a comparison; the same for the same comparison."""
    drawn = comparison.first.phantom or comparison.second.phantom
    head = [f"## A: {_plain(comparison.first.name)}, B: {_plain(comparison.second.name)}", *([_DRAWN] if drawn else [])]
    parts = head + [part for section in sections(comparison, _MOST_PARAMS) for part in _section(section)]
    return "\n\n".join(parts) + "\n"


def table_of(columns: Sequence[str], rows: Iterable[Sequence[str]], *, figures: bool = True) -> str:
    """A table of text, all but its first column to the right where they are figures."""
    ruler = "|---|" + ("---:|" if figures else "---|") * (len(columns) - 1)
    return "\n".join([_row(columns), ruler, *map(_row, rows)])


def _section(section: Section) -> list[str]:
    said = [_plain(" ".join(section.sentences))] if section.sentences else []
    tables = [table_of((one.title, *one.columns[1:]), one.rows, figures=one.figures) for one in section.tables]
    return [f"### {_plain(section.title)}", *said, *tables]


def _row(cells: Sequence[str]) -> str:
    return f"| {' | '.join(map(_plain, cells))} |"


def _plain(text: str) -> str:
    """Text that Markdown shows as it is, in a table too."""
    return re.sub(r"([\\|<>`*\[\]])", r"\\\1", " ".join(text.split()))
