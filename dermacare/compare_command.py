"""`dermacare compare`: two runs, two versions of a model, or two versions of the data, side by side."""

import json
import sys
from dataclasses import asdict
from pathlib import Path
from typing import Any

from rich import box
from rich.markup import escape
from rich.table import Table

from components.compare import Comparison, report
from components.compare.comparison import Pair
from components.compare.markdown import write_markdown
from components.compare.sides import Side
from components.errors import RunError, VersionError
from dermacare.console import console
from dermacare.data_diff_command import show_diff
from pipelines.compare import Targets, compared
from pipelines.home import Home

_MOST_PARAMS = 20


def compare(a: str, b: str | None, *, markdown: bool, html: Path | None, as_json: bool) -> None:
    """Compare two of a kind and print what differs.

    Args:
        a: a run's id; a version: `7`, `production`, `lesion-segmenter/3`; a version of the data: the first digits of its digest, a
            git revision, a folder.
        b: another; None: the newest run or version besides A, or the data as it lies there.
        markdown: print it for a pull request.
        html: where to write the page with the images; None: nowhere.
        as_json: print it for scripts.

    Raises:
        RunError: one of the two is nothing that is known, or they are not of a kind.
        TrackingError: MLflow does not answer.
        BundleError, DatasetError, VersionError: what is compared is damaged.
    """
    targets = Targets(Home.here())
    first = targets.find(a)
    second = None if b is None else targets.find(b)
    if first is None and second is None:
        _compare_data(targets, a, b, markdown=markdown, html=html, as_json=as_json)
        return
    if first is None or (b is not None and second is None):
        raise RunError(f"{a if first is None else b}: is no run and no registered version, as the other is; {targets.known()}")
    with compared(targets, first, second or targets.newest(first)) as comparison:
        if as_json:
            print(json.dumps(_values(comparison), indent=1))
        elif markdown:
            print(write_markdown(comparison), end="")
        else:
            _show(comparison)
        if html is not None:
            _write_page(html, comparison)


def _write_page(html: Path, comparison: Comparison) -> None:
    from components.compare.page import write_page

    shown = write_page(html, comparison)
    # Not to where `--json` and `--markdown` go.
    print(f"{html}: {shown:,} images, those first on which the two differ", file=sys.stderr)


def _compare_data(targets: Targets, a: str, b: str | None, *, markdown: bool, html: Path | None, as_json: bool) -> None:
    folders = targets.data(a) or a, b and (targets.data(b) or b)
    try:
        show_diff(folders[0], folders[1], markdown=markdown, html=html, as_json=as_json)
    except VersionError as error:
        known = f"{a}: is no run and no registered version ({targets.known()})"
        raise RunError(f"{known}, and as versions of the data: {error}") from error


def _show(comparison: Comparison) -> None:
    for letter, side in (("A", comparison.first), ("B", comparison.second)):
        console.print(f"{letter}: {side.name}", style="bold", markup=False)
    for section in report.sections(comparison, _MOST_PARAMS):
        console.print()
        console.print(section.title, style="bold", markup=False)
        for sentence in section.sentences:
            console.print(sentence, markup=False)
        for table in section.tables:
            console.print(_table(table))
    if comparison.first.phantom or comparison.second.phantom:
        console.print("These images were drawn: the figures show that the pipeline works, and say nothing about skin.")


def _table(table: report.Table) -> Table:
    shown = Table(table.title, *table.columns[1:], box=box.SIMPLE_HEAD)
    for column in shown.columns[1:]:
        column.justify = "right" if table.figures else "left"
    for cells in table.rows:
        shown.add_row(*map(escape, cells))
    return shown


def _values(comparison: Comparison) -> dict[str, Any]:
    return {
        "a": _side(comparison.first),
        "b": _side(comparison.second),
        "facts": [asdict(one) for one in comparison.facts],
        "params": [asdict(one) for one in comparison.params],
        "pairs": [_pair(pair) for pair in comparison.pairs],
        "alone": {"a": comparison.alone[0], "b": comparison.alone[1]},
    }


def _side(side: Side) -> dict[str, Any]:
    return {
        "name": side.name,
        "phantom": side.phantom,
        "facts": dict(side.facts),
        "notes": list(side.notes),
        "models": [
            {"name": one.name, "task": one.task, "version": one.version, "chosen": one.chosen, "figures": dict(one.figures)}
            for one in side.models
        ],
    }


def _pair(pair: Pair) -> dict[str, Any]:
    return {
        "a": pair.first.name,
        "b": pair.second.name,
        "task": pair.task,
        "decisions": dict(pair.decisions),
        "paired": None if pair.paired is None else asdict(pair.paired),
    }
