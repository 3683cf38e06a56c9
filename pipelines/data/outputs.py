"""Outputs of steps, in the home's store and in the one on S3: which of them hold images, or were made from data that holds them."""

import io
import json
from collections.abc import Mapping, Set
from functools import cached_property
from pathlib import Path
from typing import IO

import pandas as pd

from components.dataset import read_manifest
from components.remote_store import Files, RemoteStore
from pipelines.data.objects import MANIFEST
from pipelines.data.seen import CURVES, SHOWING

Entry = tuple[str, str]
"""A step and a key."""

HOLDING = frozenset({"ingest", "validate", "preprocess_shards", "preprocess"})
"""Steps whose outputs hold images or their pixels; an attempt of theirs that was killed may hold any."""

SHOWING_STEPS = frozenset({"augment_balance", "evaluate", "register"})
"""Steps whose outputs show images; an attempt of theirs that was killed may show any."""

NAMELESS = frozenset({"preprocess_shards"})
"""Those whose outputs have no manifest, so that nobody can tell which images they hold."""

MADE_FROM = ("plan.json", "scores.json", "audit.json", "leak.json")
"""Files that name, as `data_version`, the version from which an output was made that may show its images."""

# Its report shows images, and nothing beside it tells of which data; what it published lies in MLflow.
_REPORTS = frozenset({"register"})
_BUNDLE = "bundle.json"
_TELLING = (MANIFEST, *MADE_FROM, _BUNDLE)


def named_version(text: bytes) -> str | None:
    """The `data_version` of one of the files `MADE_FROM`; None: it is another program's file of that name."""
    try:
        values = json.loads(text)
    except ValueError:
        return None
    return str(values["data_version"]) if isinstance(values, dict) and "data_version" in values else None


def is_training(step: str) -> bool:
    """Whether a step trains; what a killed attempt of it drew may show any images, and the rest of its work none."""
    return step.startswith("train_") or step == "leak_study"


def pictures_of(folder: Path) -> list[Path]:
    """Pictures and pages below a model's or a release's folder that may show images: all but training curves."""
    return sorted(path for path in folder.rglob("*") if path.suffix.lower() in SHOWING and path.name != CURVES)


class RemoteOutputs:
    """The step store on S3, as far as a withdrawal needs it. Nothing is kept of it but what was read.

    Args:
        remote: the store.
    """

    def __init__(self, remote: RemoteStore) -> None:
        self.store = remote
        self.place = remote.place

    @cached_property
    def manifests(self) -> Mapping[Entry, pd.DataFrame]:
        """Output → its manifest, where it has one that is as it was written.

        Raises:
            StoreError: the store cannot be reached.
            DatasetError: a manifest cannot be read, so that it cannot be told what it names.
        """
        told = ((entry, files.get(MANIFEST)) for entry, files in self._telling.items())
        return {entry: self._manifest(entry, data) for entry, data in told if data is not None}

    def going(self, held: Set[Entry], versions: Set[str]) -> list[Entry]:
        """What must be deleted.

        All of a training that saw the images goes too, its pictures with it: the key of what it learnt from never comes again, and
        what was registered lies in MLflow.

        Args:
            held: outputs whose manifests name the images.
            versions: data versions that held them.
        """
        return [
            entry
            for entry, files in self._files.items()
            if entry in held or _may_hold(entry, files) or self._version_of(entry) in versions or self._is_damaged(entry)
        ]

    def delete(self, entry: Entry) -> None:
        """Delete an output; what tells that it must go is deleted last, so that a deletion that was killed is found again.

        Raises:
            StoreError: the store cannot be reached.
        """
        files = self._files.get(entry) or {}
        telling = {files[name] for name in _TELLING if name in files}
        self.store.delete(*entry, last=telling)

    @cached_property
    def _files(self) -> Mapping[Entry, Files | None]:
        return {entry: self.store.files(*entry) for entry in self.store.entries()}

    @cached_property
    def _telling(self) -> Mapping[Entry, Mapping[str, bytes | None]]:
        """Output → those of its files that tell of images or their version; None: listed, but absent or not as it was written."""
        return {
            entry: {name: self.store.read(*entry, files[name]) for name in _TELLING if name in files}
            for entry, files in ((entry, files or {}) for entry, files in self._files.items())
        }

    def _manifest(self, entry: Entry, data: bytes) -> pd.DataFrame:
        def opener(_path: Path) -> IO[bytes]:
            return io.BytesIO(data)

        return read_manifest(Path(self.place, *entry), opener)

    def _version_of(self, entry: Entry) -> str | None:
        told = (self._telling[entry].get(name) for name in (*MADE_FROM, _BUNDLE))
        return next((named_version(data) for data in told if data is not None), None)

    def _is_damaged(self, entry: Entry) -> bool:
        """Whether a file that would tell cannot be read: a deletion was killed, or it is not as it was written."""
        return None in self._telling[entry].values()


def _may_hold(entry: Entry, files: Files | None) -> bool:
    """Whether an output may hold images and nothing tells which: parts of a preprocessing, reports, what killed attempts left."""
    return entry[0] in NAMELESS | _REPORTS or (files is None and (entry[0] in HOLDING | SHOWING_STEPS or is_training(entry[0])))
