"""Taking images back for good. A withdrawal that was killed is finished by the same command.

The record in withdrawn.csv comes first and names all that is to go, so that it can be found again; a dataset's manifest goes last
of what lies beside it, and DVC's list of a folder last of what is in it.
"""

import shutil
import time
from collections.abc import Callable, Iterable
from pathlib import Path

from components.files import locked, sha256_bytes
from components.store import Store, made_by, note_origin
from components.withdrawn import FILE, Withdrawal, Withdrawn, write_withdrawn
from pipelines.data.objects import MANIFEST
from pipelines.data.project import Project, dvc_errors
from pipelines.data.seen import Tracked
from pipelines.data.traces import INGESTED, Search, Traces
from pipelines.data.without import rewrite_without
from pipelines.home import Home
from pipelines.withdrawn_list import add_withdrawn

Tell = Callable[[str], None]


def withdraw(home: Home, project: Project | None, search: Search, traces: Traces, reason: str, tell: Tell) -> None:
    """Remove what `Search.traces` found; what is done already is not done again.

    Args:
        home, project, search: where, and what found it.
        traces: what goes.
        reason: why, for the record.
        tell: is told each part when it is done.

    Raises:
        VersionError: DVC or a remote refuses.
        StoreError: a process is at work in an output that must go, or the store on S3 cannot be reached.
        TrackingError: MLflow does not answer or refuses.
    """
    rows = _record(home, search, traces, reason)
    tell(f"{FILE}: " + ", ".join(f"{row.kind} {row.id}, {row.images} images" for row in rows))
    pictures = Tracked(home).tag(traces.seen, "; ".join(f"{row.when}: {row.kind} {row.id}" for row in rows))
    tell(f"MLflow: {len(traces.seen.runs)} runs and {len(traces.seen.models)} model versions tagged, {pictures} pictures deleted")
    _delete_objects(search, sorted(traces.raw), tell)
    kept = _rewrite_ingested(project, search, traces, tell) if project else set()
    _delete_objects(search, [oid for oid in traces.objects if oid not in kept], tell)
    for root in traces.folders:
        _delete_folder(root)
    for file in (*traces.files, *traces.pictures):
        file.unlink(missing_ok=True)
    for folder in traces.fetched:
        with locked(folder.parent / "lock", wait=False):
            shutil.rmtree(folder)
    for place in traces.entries:
        if place.is_dir():
            Store(place.parents[2]).delete(place.parent.name, place.name)
    folders, files = len(traces.folders) + len(traces.fetched), len(traces.files) + len(traces.pictures)
    tell(f"deleted: {folders} folders, {files} files, {len(traces.entries)} outputs of the step store")
    if search.remote is not None:
        for entry in traces.remote:
            search.remote.delete(entry)
        tell(f"{search.remote.place}: {len(traces.remote)} outputs deleted")


def _record(home: Home, search: Search, traces: Traces, reason: str) -> list[Withdrawal]:
    """Write withdrawn.csv: a row for each id that was asked for, new or with what was found since; and have S3's list name them."""
    found = Withdrawn(tuple(_row(kind, name, traces, reason) for kind, name in traces.requests))
    record = search.record.joined(found)
    write_withdrawn(search.record_file, record)
    if search.remote is not None:
        add_withdrawn(home, search.remote.store, record)
    return [row for row in record.rows if (row.kind, row.id) in traces.requests]


def _row(kind: str, name: str, traces: Traces, reason: str) -> Withdrawal:
    taken = traces.requests[kind, name]
    return Withdrawal(
        id=name,
        kind=kind,
        when=time.strftime("%Y-%m-%d"),
        reason=reason,
        images=len(taken.images),
        image_ids=tuple(sorted(taken.images)),
        sha256=tuple(sorted(taken.digests)),
        versions=tuple(sorted(traces.versions)),
        folders=tuple(sorted(traces.dvc)),
        seen_by=tuple(traces.seen_by),
    )


def _rewrite_ingested(project: Project, search: Search, traces: Traces, tell: Tell) -> set[str]:
    """Write data/ingest without the images, and have DVC and its remotes hold that, before anything of the old one goes.

    Returns:
        MD5s of DVC's objects that the rewritten folder needs.
    """
    root = project.root / INGESTED
    if not (root / MANIFEST).exists():
        return set()
    if traces.ingested is not None:
        # The folder is not what its step made any more, so it must not pass for it: what follows is made from this one, anew.
        origin = made_by(root)
        key = sha256_bytes(f"{origin.key} {search.record.digest}".encode())[:20]
        note_origin(root, origin._replace(key=key))
    rewrite_without(root, traces.all.images, traces.all.digests)
    out = next((out for out in project.tracked if Path(out.fspath) == root), None)
    if out is None:
        return set()
    with dvc_errors("taking the rewritten data/ingest into DVC"), project.repo.lock:
        if out.changed_checksum() or out.changed_cache():
            out.save()
            out.commit()
            for dep in out.stage.deps:
                if Path(dep.fspath).name == FILE:
                    dep.save()
            out.stage.dump(update_pipeline=False)
            tell("data/ingest: written again without them, and so in DVC's cache and dvc.lock")
    project.reopen()
    cache, *remotes = search.places
    for remote in remotes:
        if not search.places[remote].isdisjoint(traces.objects):
            remote.forget()
            with dvc_errors(f"pushing the rewritten data/ingest to {remote.name}"):
                sent = project.repo.push(targets=[str(root)], remote=remote.name)
            tell(f"{remote.name}: {sent} files of the rewritten data/ingest sent")
    folder = str(out.hash_info.value)
    return {folder, *cache.folder(folder).files.values()}


def _delete_objects(search: Search, oids: Iterable[str], tell: Tell) -> None:
    """Delete objects from DVC's cache and remotes; a folder's list goes when all else is gone everywhere."""
    oids = list(oids)
    for place in search.places:
        deleted = place.delete(oid for oid in oids if not oid.endswith(".dir"))
        if deleted:
            tell(f"{place.name}: {deleted} objects deleted")
    for place in search.places:
        place.delete(oid for oid in oids if oid.endswith(".dir"))
        place.forget()


def _delete_folder(root: Path) -> None:
    """Delete a folder, its manifest last: while that is there, a killed deletion is found and finished."""
    for path in sorted(root.iterdir()):
        if path.name != MANIFEST:
            shutil.rmtree(path) if path.is_dir() and not path.is_symlink() else path.unlink()
    shutil.rmtree(root)
