"""`dermacare data diff`: what changed between two versions of the data, on one screen."""

import json
from collections import Counter
from pathlib import Path

from rich import box
from rich.table import Table
from rich.text import Text

from components.lesions import Split
from dermacare.console import console
from pipelines.data.diff import DataDiff, Kind, compare
from pipelines.data.versions import Version, open_version

_SHOWN = (Kind.ADDED, Kind.REMOVED, Kind.RELABELLED, Kind.REMASKED, Kind.REPLACED, Kind.METADATA)


def show_diff(a: str, b: str | None, *, markdown: bool, html: Path | None, as_json: bool) -> None:
    """Compare two versions and print what changed.

    Args:
        a: a git revision, or a folder that holds a dataset.
        b: another; None: data/validate as it lies there.
        markdown: print it for a pull request.
        html: where to write the page with the changed images; None: nowhere.
        as_json: print it for scripts.

    Raises:
        VersionError: a version is not there.
        DatasetError: a dataset is damaged.
    """
    before, after = open_version(a), open_version(b)
    diff = compare(before.dataset.manifest, after.dataset.manifest)
    if as_json:
        print(json.dumps(_values(diff, before, after), indent=1, default=str))
    elif markdown:
        print(write_markdown(diff, before, after))
    else:
        _show(diff, before, after)
    if html is not None:
        from pipelines.data.page import write_page

        drawn, of = write_page(html, diff, before, after)
        console.print(f"{html}: {drawn:,} of {of:,} changed images, before and after", markup=False)


def _show(diff: DataDiff, before: Version, after: Version) -> None:
    console.print(_names(before, after), markup=False)
    grave = bool(diff.test_moves)
    style = "bold white on red" if grave else "yellow" if diff.moves else "green" if diff.has_splits else ""
    console.print(Text(("!!! " if grave else "") + diff.verdict, style=style))
    if not diff.changes:
        console.print("nothing differs")
        return
    console.print(_table(diff))
    console.print(_splits(diff))
    if diff.relabelled:
        console.print(_relabelled(diff), markup=False)


def write_markdown(diff: DataDiff, before: Version, after: Version) -> str:
    """What changed, for a pull request."""
    from components.compare.markdown import table_of

    head = [f"## {_names(before, after)}", f"**{diff.verdict}**"]
    if not diff.changes:
        return "\n\n".join([*head, "Nothing differs."])
    tables = []
    for table in (_table(diff), _splits(diff)):
        rows = zip(*([str(cell) for cell in column.cells] for column in table.columns), strict=True)
        tables.append(table_of([str(column.header) for column in table.columns], list(rows)))
    return "\n\n".join([*head, *tables, *([_relabelled(diff)] if diff.relabelled else [])])


def _names(before: Version, after: Version) -> str:
    return " → ".join(f"{version.name} ({version.dataset.version[:8]})" for version in (before, after))


def _relabelled(diff: DataDiff) -> str:
    return "relabelled: " + ", ".join(f"{old} → {new} {count:,}" for (old, new), count in diff.relabelled.most_common())


def _table(diff: DataDiff) -> Table:
    """Images by class, then by source."""
    table = Table("images", "before", *(str(kind) for kind in _SHOWN), "after", box=box.SIMPLE_HEAD)
    for column in table.columns[1:]:
        column.justify = "right"
    for label in diff.classes:
        counts = [diff.count(kind, label=label) for kind in _SHOWN]
        table.add_row(label, *_cells(_of_class(diff.before, label), counts, _of_class(diff.after, label)))
    table.add_section()
    for source in diff.sources:
        counts = [diff.count(kind, source=source) for kind in _SHOWN]
        table.add_row(Text(source), *_cells(diff.sources_before[source], counts, diff.sources_after[source]))
    table.add_section()
    counts = [diff.count(kind) for kind in _SHOWN]
    table.add_row("all images", *_cells(diff.before.total(), counts, diff.after.total()), style="bold")
    return table


def _splits(diff: DataDiff) -> Table:
    """Images of each split by class: before → after."""
    splits = [*Split, *([""] if any(not split for _, split in (*diff.before, *diff.after)) else [])]
    table = Table("split", *(split or "no split" for split in splits), box=box.SIMPLE_HEAD)
    for column in table.columns[1:]:
        column.justify = "right"
    for label in diff.classes:
        table.add_row(label, *(_arrow(diff.before[label, split], diff.after[label, split]) for split in splits))
    totals = [(_of_split(diff.before, split), _of_split(diff.after, split)) for split in splits]
    table.add_row("all", *(_arrow(*total) for total in totals), style="bold")
    return table


def _cells(before: int, counts: list[int], after: int) -> list[str]:
    return [f"{before:,}", *(f"{count:,}" if count else "" for count in counts), f"{after:,}"]


def _arrow(before: int, after: int) -> str:
    return f"{after:,}" if before == after else f"{before:,} → {after:,}"


def _of_class(images: Counter[tuple[str, str]], label: str) -> int:
    return sum(count for (name, _), count in images.items() if name == label)


def _of_split(images: Counter[tuple[str, str]], split: str) -> int:
    return sum(count for (_, name), count in images.items() if name == split)


def _values(diff: DataDiff, before: Version, after: Version) -> dict[str, object]:
    return {
        "before": {"name": before.name, "data_version": before.dataset.version, "images": diff.before.total()},
        "after": {"name": after.name, "data_version": after.dataset.version, "images": diff.after.total()},
        "verdict": diff.verdict,
        "moves": [{"lesion": move.lesion, "before": move.before, "after": move.after} for move in diff.moves],
        "changes": [
            {
                "image_id": change.image_id,
                "kinds": sorted(change.kinds),
                "label": change.label,
                "source": change.source,
                "fields": [
                    {"task": field.task, "column": field.column, "before": field.before, "after": field.after}
                    for field in change.fields
                ],
            }
            for change in diff.changes
        ],
    }
