"""DVC's objects: the files and folders that its cache and its remotes hold, by their MD5; read and deleted here alone."""

import io
import json
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import IO, Any

import pandas as pd

from components.dataset import read_manifest
from components.errors import VersionError
from pipelines.data.project import Project, dvc_errors

MANIFEST = "manifest.parquet"


@dataclass(frozen=True)
class Folder:
    """A folder as DVC keeps it.

    Attributes:
        id: MD5 of the list of its files, `….dir`.
        files: path below the folder → MD5.
    """

    id: str
    files: Mapping[str, str]


class Objects:
    """The objects of one place.

    Attributes:
        name: `cache`, or the remote's name.
    """

    def __init__(self, name: str, odb: Any) -> None:
        self.name = name
        self._odb = odb

    def ids(self) -> set[str]:
        """MD5s of all objects that lie here."""
        with dvc_errors(f"listing {self.name}"):
            if not self._odb.fs.exists(self._odb.path):
                return set()
            return set(self._odb.all())

    def read(self, oid: str) -> bytes:
        """What an object holds."""
        with dvc_errors(f"reading {oid} of {self.name}"):
            data: bytes = self._odb.fs.cat_file(self._odb.oid_to_path(oid))
            return data

    def folder(self, oid: str) -> Folder:
        """A folder's list of files.

        Raises:
            VersionError: it cannot be read, or is no such list.
        """
        try:
            return Folder(oid, {str(file["relpath"]): str(file["md5"]) for file in json.loads(self.read(oid))})
        except (ValueError, KeyError, TypeError) as error:
            raise VersionError(f"{self.name}: {oid} is no folder of DVC's ({type(error).__name__}); see `dvc doctor`") from error

    def manifest(self, folder: Folder) -> pd.DataFrame:
        """The manifest of a dataset folder.

        Raises:
            DatasetError: it is damaged.
        """

        def opener(_path: Path) -> IO[bytes]:
            return io.BytesIO(self.read(folder.files[MANIFEST]))

        return read_manifest(Path(f"{self.name}/{folder.id}"), opener)

    def delete(self, oids: Iterable[str]) -> int:
        """Delete those of the objects that lie here; returns how many did."""
        deleted = 0
        with dvc_errors(f"deleting from {self.name}"):
            for oid in oids:
                if self._odb.exists(oid):
                    self._odb.delete(oid)
                    deleted += 1
        return deleted

    def forget(self) -> None:
        """Drop what DVC remembers of this place, so that it looks again before it calls a file sent."""
        from dvc_data.hashfile.db import get_index

        with dvc_errors(f"dropping the index of {self.name}"):
            get_index(self._odb).clear()


def places(project: Project) -> list[Objects]:
    """The cache and every remote that is configured, in this order.

    Raises:
        VersionError: a remote cannot be used.
    """
    found = [Objects("cache", project.repo.cache.local)]
    for name in project.remotes:
        with dvc_errors(f"opening remote {name} ({project.url(name)})"):
            found.append(Objects(name, project.repo.cloud.get_remote_odb(name, "withdraw")))
    return found
