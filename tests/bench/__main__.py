"""`python -m tests.bench`: measure every row, write $DERMACARE_HOME/bench.json, print a table."""

import importlib
import json
import pkgutil
from collections.abc import Iterator
from dataclasses import asdict
from pathlib import Path

from rich.console import Console
from rich.table import Table

from components.files import write_text
from pipelines.home import Home
from tests.bench import rows
from tests.bench.row import Row


def main() -> None:
    """Measure, write, print."""
    console = Console()
    measured = []
    for row in _measure_all():
        console.print(f"{row.name}: {row.ratio:.2f}")
        measured.append(row)
    path = write_rows(Home.here().root, measured)
    console.print(_table(measured))
    console.print(f"written to {path}")


def write_rows(home: Path, measured: list[Row]) -> Path:
    """Write bench.json, the rows as a list, and return its path."""
    path = home / "bench.json"
    write_text(path, json.dumps([asdict(row) for row in measured], indent=1) + "\n")
    return path


def _measure_all() -> Iterator[Row]:
    for module in sorted(pkgutil.iter_modules(rows.__path__), key=lambda module: module.name):
        yield from importlib.import_module(f"{rows.__name__}.{module.name}").measure()


def _table(measured: list[Row]) -> Table:
    table = Table(title="ours against theirs; a ratio above 1: ours is better")
    for heading in ("", "ours", "theirs", "unit", "ratio"):
        table.add_column(heading, justify="left" if heading in ("", "unit") else "right")
    for row in measured:
        table.add_row(row.name, f"{row.ours:.4g}", f"{row.theirs:.4g}", row.unit, f"{row.ratio:.2f}")
    return table


if __name__ == "__main__":
    main()
