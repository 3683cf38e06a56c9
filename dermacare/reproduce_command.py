"""`dermacare reproduce`: a training repeated, and what came out beside what was recorded."""

import json
import sys
from collections.abc import Sequence

import typer
from rich import box
from rich.table import Table

from components.errors import RunError
from dermacare.console import console
from pipelines.home import Home
from pipelines.reproduce import Compared, Reproduction
from pipelines.trace import Chains

_EQUAL = {True: "equal", False: "DIFFERS", None: "not known"}


def reproduce(run: str, model: str | None, sources: Sequence[str], *, as_json: bool) -> int:
    """Repeat the training of a run's model, or of its best models.

    Args:
        run: the run's id.
        model: which; None: those that it registered.
        sources: where the images lie now; empty: where they lay.
        as_json: print what was compared for scripts.

    Returns:
        0; 1 where something differs.

    Raises:
        RunError: it cannot be repeated here; the text says why, and the way out.
        TrackingError, LedgerError: MLflow or the ledger does not answer.
        DermaCareError: a step's own errors.
    """
    home = Home.here()
    chains = Chains(home)
    models = [model] if model else chains.models_of(run)
    if not models:
        raise RunError(f"{run}: registered no model; name one of its models with --model")
    found = {name: _repeat(Reproduction(home, chains.of_model(run, name), sources), name) for name in models}
    if as_json:
        values = {
            name: [{"name": r.name, "recorded": r.recorded, "repeated": r.repeated, "equal": r.is_equal} for r in rows]
            for name, rows in found.items()
        }
        typer.echo(json.dumps(values, indent=1))
    else:
        for name, rows in found.items():
            console.print(_table(name, rows))
    return 1 if any(row.is_equal is False for rows in found.values() for row in rows) else 0


def _repeat(reproduction: Reproduction, name: str) -> list[Compared]:
    _tell(f"{name}: repeated in {reproduction.root}")
    for remark in reproduction.remarks():
        _tell(f"{remark}.")
    return reproduction.repeat(_tell)


def _tell(line: str) -> None:
    print(line, file=sys.stderr)  # not to where --json goes


def _table(name: str, rows: Sequence[Compared]) -> Table:
    table = Table("", "recorded", "repeated", "", title=name, box=box.SIMPLE_HEAD, title_justify="left")
    for row in rows:
        table.add_row(row.name, (row.recorded or "unknown")[:16], row.repeated[:16], _EQUAL[row.is_equal])
    return table
