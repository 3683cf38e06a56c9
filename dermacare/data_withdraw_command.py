"""`dermacare data withdraw`: show what a withdrawal touches, ask, do it."""

from collections import Counter
from collections.abc import Sequence

import typer
from rich import box
from rich.table import Table

from components.errors import RunError, VersionError
from components.remote_store import RemoteStore
from dermacare.console import console
from pipelines import runs
from pipelines.data.outputs import RemoteOutputs
from pipelines.data.project import Project
from pipelines.data.traces import Search, Traces
from pipelines.data.withdrawal import withdraw as carry_out
from pipelines.home import Home

_SHOWN = 40


def withdraw(ids: Sequence[str], *, reason: str, yes: bool) -> None:
    """Show what goes and what saw it, ask, withdraw.

    Raises:
        VersionError: an id is unknown, or DVC or a remote refuses.
        RunError: a run is going on.
        StoreError: a process is at work in an output that must go, or the store on S3 cannot be reached.
        TrackingError: MLflow does not answer or refuses.
    """
    home = Home.here()
    busy = next((run.id for run in runs.all_runs(home) if runs.alive(home, run)), None)
    if busy is not None:
        raise RunError(f"{busy}: is going on, and may hold the images; wait for it, or `dermacare runs cancel {busy}`")
    project = _project()
    store = RemoteStore.here()
    search = Search(home, project, None if store is None else RemoteOutputs(store))
    traces = search.traces(ids)
    if traces.nothing_left:
        dates = {row.when for row in search.record.rows if (row.kind, row.id) in traces.requests}
        console.print(f"nothing is left to withdraw: {', '.join(ids)} went on {', '.join(sorted(dates))}", markup=False)
        return
    _show(search, traces)
    if not (yes or typer.confirm(f"Withdraw {len(traces.all.images):,} images for good? They cannot be brought back")):
        return
    carry_out(home, project, search, traces, reason, lambda line: console.print(line, markup=False))
    _tell_what_follows(search, project)


def _project() -> Project | None:
    try:
        return Project.here()
    except VersionError:
        return None  # a home without DVC: its store and its runs are all there is


def _show(search: Search, traces: Traces) -> None:
    console.print(_rows(traces))
    more = len(traces.rows) - _SHOWN
    if more > 0:
        console.print(f"… and {more:,} rows more")
    console.print(f"data versions that hold them: {_listed(sorted(v[:8] for v in traces.versions))}")
    console.print(f"shards that hold them: {_listed(sorted(traces.shards))}")
    console.print(f"the store's outputs that go: {_counted([place.parent.name for place in traces.entries])}", markup=False)
    if search.remote is not None:
        console.print(f"outputs that go from {search.remote.place}: {_counted([step for step, _ in traces.remote])}", markup=False)
    files = [str(path) for path in (*traces.folders, *traces.fetched, *traces.files, *traces.pictures)]
    console.print(f"folders and files that go: {_listed(files)}", markup=False)
    if traces.ingested is not None:
        console.print("data/ingest is written again without them; its other images keep their bytes")
    console.print(f"DVC's objects that go, in the cache and every remote: {len(traces.raw) + len(traces.objects):,}")
    if traces.neighbours:
        console.print(
            f"lost with them, unless a source still has them: {len(traces.neighbours):,} images that other versions keep in the "
            f"same shards, {_listed(sorted(traces.neighbours))}",
            style="bold red",
        )
    console.print(f"saw them, stay, and are tagged: {_listed(traces.seen_by)}", markup=False)
    if traces.seen.unknown:
        versions = _listed([version[:8] for version in traces.seen.unknown])
        console.print(f"cannot be told, since no manifest of it is left: whether data versions {versions} of other runs held them")


def _rows(traces: Traces) -> Table:
    table = Table("image", "task", "class", "split", "lesion", "patient", "source", box=box.SIMPLE_HEAD)
    for _, row in traces.rows.head(_SHOWN).iterrows():
        cells = [row[name] for name in ("image_id", "task", "label", "split", "lesion_id", "patient_id", "source")]
        table.add_row(*("" if cell is None or cell != cell else str(cell) for cell in cells))
    return table


def _counted(steps: Sequence[str]) -> str:
    return _listed([f"{step} {count}" for step, count in Counter(steps).items()])


def _listed(names: Sequence[str], most: int = 12) -> str:
    return (", ".join(names[:most]) + (f" and {len(names) - most:,} more" if len(names) > most else "")) or "none"


def _tell_what_follows(search: Search, project: Project | None) -> None:
    console.print("withdrawn. What to do now:")
    if project is None:
        console.print("  `dermacare run` makes from the sources what was deleted, without them")
    else:
        console.print(f"  git add {search.record_file.name} dvc.lock, git commit; `dvc repro` makes what was deleted, without them")
        console.print("  colleagues: the same command in their clones, whose caches may still hold them")
    if search.remote is not None:
        console.print("  Kubeflow: delete what its artifact root holds")
    console.print("  train again what is in production and saw them; delete the images where the sources keep them")
