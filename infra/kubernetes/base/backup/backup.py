"""Snapshots of files and of dumps of databases, in a bucket elsewhere; each content is stored once, under its digest.

    backup.py store     dumps of $BACKUP_FOLDER and all objects below $BACKUP_SOURCES → a snapshot; old ones are forgotten
    backup.py list      names of snapshots, the oldest first
    backup.py check     read the newest snapshot, or the one named, and compare every byte with its digest
    backup.py restore   check it, put its objects back where they lay, and its dumps into $BACKUP_FOLDER

    <target>/files/<SHA-256 of the content>
    <target>/snapshots/<time>-<SHA-256 of this file>.json     where each file belongs, its size and digest

BACKUP_SOURCES      addresses `s3://bucket/prefix`, spaces between; their server and keys are in AWS_* variables
BACKUP_TARGET       `s3://bucket/prefix`; its server and keys in BACKUP_ENDPOINT_URL (absent: that of the sources),
                    BACKUP_ACCESS_KEY_ID and BACKUP_SECRET_ACCESS_KEY
BACKUP_DAYS         how many days a snapshot is kept; the newest is kept always
BACKUP_FOLDER       where dumps lie, and room for the largest object

Needs Python 3.11 and boto3 alone. Two of it must not write at once: who forgets does not know what the other still counts on.
"""

import hashlib
import json
import os
import sys
import tempfile
from collections.abc import Iterator
from dataclasses import asdict, dataclass
from datetime import UTC, datetime, timedelta
from functools import cached_property
from pathlib import Path
from typing import IO, Any

import boto3
from boto3.exceptions import Boto3Error
from botocore.config import Config
from botocore.exceptions import BotoCoreError, ClientError

_TIME = "%Y%m%dT%H%M%SZ"
_CHUNK = 1 << 20
# What nobody speaks of yet may be of a snapshot that is being made.
_YOUNG = timedelta(days=1)


class BackupError(Exception):
    """What went wrong, one sentence."""


@dataclass(frozen=True)
class Content:
    """A file of a snapshot: SHA-256 and size in bytes of what it holds, and S3's own mark of the version that was read."""

    sha256: str
    size: int
    etag: str = ""


@dataclass(frozen=True)
class Snapshot:
    """What one backup holds: dumps by their file's name, objects by their address `s3://bucket/key`."""

    name: str
    dumps: dict[str, Content]
    objects: dict[str, Content]

    @property
    def contents(self) -> list[Content]:
        """Of all its files."""
        return [*self.dumps.values(), *self.objects.values()]


class Target:
    """The bucket that backups lie in."""

    def __init__(self) -> None:
        self._bucket, self._prefix = _split(_variable("BACKUP_TARGET"))
        self._s3 = _client(
            endpoint_url=os.environ.get("BACKUP_ENDPOINT_URL") or None,
            aws_access_key_id=_variable("BACKUP_ACCESS_KEY_ID"),
            aws_secret_access_key=_variable("BACKUP_SECRET_ACCESS_KEY"),
        )

    def names(self) -> list[str]:
        """Names of snapshots, the oldest first."""
        return [Path(entry["Key"]).stem for entry in _listed(self._s3, self._bucket, self._key("snapshots/"))]

    def read(self, name: str) -> Snapshot:
        """A snapshot.

        Raises:
            BackupError: there is none of this name, or it was changed.
        """
        try:
            data = self._s3.get_object(Bucket=self._bucket, Key=self._key(f"snapshots/{name}.json"))["Body"].read()
        except ClientError as error:
            raise BackupError(f"snapshot {name}: cannot be read ({_said(error)}); `backup.py list` names all") from error
        if hashlib.sha256(data).hexdigest() != name.rpartition("-")[2]:
            raise BackupError(f"snapshot {name}: was changed since it was written; take another one")
        content = json.loads(data)
        dumps, objects = ({key: Content(**value) for key, value in content[part].items()} for part in ("dumps", "objects"))
        return Snapshot(name, dumps, objects)

    def write(self, dumps: dict[str, Content], objects: dict[str, Content]) -> str:
        """Write down what a snapshot holds, whose contents are there; its name."""
        content = {
            "dumps": {key: asdict(value) for key, value in dumps.items()},
            "objects": {key: asdict(value) for key, value in objects.items()},
        }
        data = json.dumps(content, indent=1, sort_keys=True).encode()
        name = f"{datetime.now(UTC).strftime(_TIME)}-{hashlib.sha256(data).hexdigest()}"
        self._s3.put_object(Bucket=self._bucket, Key=self._key(f"snapshots/{name}.json"), Body=data)
        return name

    def keep(self, path: Path, etag: str = "") -> Content:
        """Store a file's content, unless it is there already."""
        with path.open("rb") as file:
            content = Content(hashlib.file_digest(file, "sha256").hexdigest(), path.stat().st_size, etag)
        if not self.has(content):
            self._s3.upload_file(str(path), self._bucket, self._key(f"files/{content.sha256}"))
            self._stored[content.sha256] = content.size
        return content

    def has(self, content: Content) -> bool:
        """Whether a content is there, by its size; `check` looks at the bytes."""
        return self._stored.get(content.sha256) == content.size

    @cached_property
    def _stored(self) -> dict[str, int]:
        """Digest → size of all contents."""
        return {Path(entry["Key"]).name: entry["Size"] for entry in _listed(self._s3, self._bucket, self._key("files/"))}

    def fetch(self, content: Content, into: IO[bytes]) -> None:
        """Write a content into an open file, every byte checked.

        Raises:
            BackupError: it is gone, or was changed.
        """
        digest = hashlib.sha256()
        try:
            body = self._s3.get_object(Bucket=self._bucket, Key=self._key(f"files/{content.sha256}"))["Body"]
            for chunk in body.iter_chunks(_CHUNK):
                digest.update(chunk)
                into.write(chunk)
        except ClientError as error:
            raise BackupError(f"file {content.sha256}: cannot be read ({_said(error)})") from error
        if digest.hexdigest() != content.sha256:
            raise BackupError(f"file {content.sha256}: was changed since it was written; take another snapshot")
        into.flush()

    def forget(self, before: datetime) -> None:
        """Delete snapshots that are older, the newest excepted, and contents that no snapshot speaks of any more."""
        names = self.names()
        old = [name for name in names[:-1] if datetime.strptime(name.partition("-")[0], _TIME).replace(tzinfo=UTC) < before]
        used = {content.sha256 for name in names if name not in old for content in self.read(name).contents}
        for name in old:
            self._s3.delete_object(Bucket=self._bucket, Key=self._key(f"snapshots/{name}.json"))
        young = datetime.now(UTC) - _YOUNG
        for entry in _listed(self._s3, self._bucket, self._key("files/")):
            if Path(entry["Key"]).name not in used and entry["LastModified"] < young:
                self._s3.delete_object(Bucket=self._bucket, Key=entry["Key"])

    def _key(self, name: str) -> str:
        return f"{self._prefix}/{name}" if self._prefix else name


def store() -> None:
    """Make a snapshot; what did not change since the newest one is not read again."""
    target, folder, source = Target(), Path(_variable("BACKUP_FOLDER")), _client()
    known = _known(target)
    dumps = {path.name: target.keep(path) for path in sorted(folder.glob("*.dump"))}
    objects: dict[str, Content] = {}
    for address in _variable("BACKUP_SOURCES").split():
        bucket, prefix = _split(address)
        for entry in _listed(source, bucket, f"{prefix}/" if prefix else ""):
            place = f"s3://{bucket}/{entry['Key']}"
            before = known.get(place)
            if before is not None and (before.etag, before.size) == (entry["ETag"], entry["Size"]) and target.has(before):
                objects[place] = before
            elif (content := _copy(source, bucket, entry["Key"], target, folder)) is not None:
                objects[place] = content
    name = target.write(dumps, objects)
    print(f"{name}: {len(dumps)} dumps, {len(objects)} objects, {sum(one.size for one in objects.values()):,} bytes", flush=True)
    target.forget(datetime.now(UTC) - timedelta(days=float(_variable("BACKUP_DAYS"))))


def check(name: str | None) -> Snapshot:
    """Read a snapshot, and all that it holds."""
    target, folder = Target(), Path(_variable("BACKUP_FOLDER"))
    snapshot = target.read(name or _newest(target))
    for content in {content.sha256: content for content in snapshot.contents}.values():
        with tempfile.TemporaryFile(dir=folder) as file:
            target.fetch(content, file)
    print(f"{snapshot.name}: {len(snapshot.dumps)} dumps and {len(snapshot.objects)} objects are as they were written")
    return snapshot


def restore(name: str | None) -> None:
    """Bring a snapshot back. Nothing is written before all of it was found to be whole."""
    snapshot, target, folder, source = check(name), Target(), Path(_variable("BACKUP_FOLDER")), _client()
    for place, content in snapshot.objects.items():
        bucket, _, key = place.removeprefix("s3://").partition("/")
        with tempfile.NamedTemporaryFile(dir=folder) as file:
            target.fetch(content, file)
            source.upload_file(file.name, bucket, key)
    for file_name, content in snapshot.dumps.items():
        with (folder / file_name).open("wb") as dump:
            target.fetch(content, dump)
    print(f"{snapshot.name}: {len(snapshot.objects)} objects are back, dumps lie in {folder}")


def _copy(source: Any, bucket: str, key: str, target: Target, folder: Path) -> Content | None:
    """Keep an object; None: it was deleted since it was listed."""
    with tempfile.NamedTemporaryFile(dir=folder) as file:
        try:
            answer = source.get_object(Bucket=bucket, Key=key)
        except ClientError as error:
            if error.response["ResponseMetadata"]["HTTPStatusCode"] == 404:
                return None
            raise
        for chunk in answer["Body"].iter_chunks(_CHUNK):
            file.write(chunk)
        file.flush()
        return target.keep(Path(file.name), answer["ETag"])


def _known(target: Target) -> dict[str, Content]:
    """Objects of the newest snapshot; where that was changed, everything is read again."""
    names = target.names()
    try:
        return target.read(names[-1]).objects if names else {}
    except BackupError as error:
        print(f"backup.py: {error}", file=sys.stderr)
        return {}


def _newest(target: Target) -> str:
    names = target.names()
    if not names:
        raise BackupError("BACKUP_TARGET: holds no snapshot; `backup.py store` makes one")
    return names[-1]


def _listed(s3: Any, bucket: str, prefix: str) -> Iterator[dict[str, Any]]:
    """Entries of all objects below a prefix, by their keys' order."""
    for page in s3.get_paginator("list_objects_v2").paginate(Bucket=bucket, Prefix=prefix):
        yield from page.get("Contents", [])


def _split(address: str) -> tuple[str, str]:
    """Bucket and key of `s3://bucket/key`."""
    scheme, _, rest = address.partition("://")
    bucket, _, key = rest.partition("/")
    if scheme != "s3" or not bucket:
        raise BackupError(f"{address}: is no address of S3; write s3://bucket/prefix")
    return bucket, key.strip("/")


def _client(**options: Any) -> Any:
    return boto3.client("s3", config=Config(retries={"mode": "standard", "total_max_attempts": 5}), **options)


def _variable(name: str) -> str:
    value = os.environ.get(name, "")
    if not value:
        raise BackupError(f"{name}: is not set; the top of backup.py says what it is")
    return value


def _said(error: ClientError) -> str:
    return str(error.response.get("Error", {}).get("Code") or error)


def main(arguments: list[str]) -> int:
    """Do what is asked; 0: done, 1: not done, 2: asked wrongly."""
    command, name = [*arguments, "", ""][:2]
    try:
        if command == "store":
            store()
        elif command == "list":
            print("\n".join(Target().names()))
        elif command == "check":
            check(name or None)
        elif command == "restore":
            restore(name or None)
        else:
            print(__doc__, file=sys.stderr)
            return 2
    except (BackupError, BotoCoreError, ClientError, Boto3Error, OSError) as error:
        print(f"backup.py: {error}", file=sys.stderr)
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
