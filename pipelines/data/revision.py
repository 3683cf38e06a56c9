"""Where DVC has the data of a run, as far as that can be known when it is registered."""

import json

from components.dataset import Dataset
from components.errors import MachineError, VersionError
from components.store import Store
from pipelines.data.project import DATA, LOCK, Project
from pipelines.data.versions import folder_in


def dvc_revision(store: Store, ingest: str | None, version: str) -> str:
    """Where DVC has the data of a run: `dvc:repository:path@commit` of each source that DVC versions, and what dvc.lock calls it.

    Args:
        store: the step store.
        ingest: key of ingest's work; None: not known.
        version: the data version.

    Returns:
        The places, joined by commas; empty where DVC has none of it.

    Raises:
        VersionError: dvc.lock is not what DVC writes.
    """
    return ", ".join(filter(None, [*(_sources(store, ingest) if ingest else []), _locked(version)]))


def _sources(store: Store, ingest: str) -> list[str]:
    """The sources that DVC versions, each at the commit that was read."""
    file = store.told("ingest", ingest) / "sources.json"
    listed = json.loads(file.read_text(encoding="utf-8")) if file.is_file() else []
    return [f"{source['name']}@{source['revision']}" for source in listed if source["revision"]]


def _locked(version: str) -> str:
    """What dvc.lock of the working directory's project calls data/validate, where that is this version of the data."""
    try:
        root = Project.here().root
    except (VersionError, MachineError):
        return ""  # no project, or none that git versions: then DVC has nothing of it
    if not (root / DATA / "manifest.parquet").is_file() or Dataset(root / DATA).version != version:
        return ""
    lock = root / LOCK
    folder = folder_in(lock.read_text(encoding="utf-8"), str(lock), "`dvc repro` writes it anew") if lock.is_file() else None
    return f"{DATA} {folder}" if folder else ""
