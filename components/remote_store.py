"""The step store on S3: what of a pod's work outlives the pod.

    s3://BUCKET/PREFIX/steps/<step>/<key>/files/<sha256>   a file's bytes, under their own digest
    s3://BUCKET/PREFIX/steps/<step>/<key>/work.json        what a killed attempt left: path → digest of each file
    s3://BUCKET/PREFIX/steps/<step>/<key>/out.json         the whole output; written last, once, and never replaced
    s3://BUCKET/PREFIX/groups.csv                          which group each image belongs to (components/groups.py)
    s3://BUCKET/PREFIX/withdrawn.csv                       which images were taken back, where the image's own list is older

A list is one object, so that it is there whole or not at all, and it is written after all that it names. Whatever is fetched is
compared with its digest. Two pods at one key do the same work twice; the first whole output stands and the other takes it.
"""

import json
import logging
import os
import shutil
import threading
from collections.abc import Callable, Iterable, Iterator, Mapping, Set
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any

from boto3.exceptions import Boto3Error
from botocore.exceptions import BotoCoreError, ClientError

from components.errors import StoreError
from components.files import copy_file, link_file, sha256_bytes, sha256_file
from components.ingest.s3 import connect

VARIABLE = "DERMACARE_STORE"
"""Names the environment variable that says where the store lies: `s3://BUCKET/PREFIX`."""

GROUPS = "groups.csv"
WITHDRAWN = "withdrawn.csv"

_SEND_SECONDS = 5.0
_TRIES = 8
_LOOKS = 20
# Training goes on from the checkpoint before one that is missing; of other files it may rely on all being there.
_CAN_BE_SPARED = "checkpoints"
_ABSENT = ("404", "NoSuchKey", "NotFound")
_LOST = ("412", "PreconditionFailed", "409", "ConditionalRequestConflict")

_log = logging.getLogger(__name__)

Files = Mapping[str, str]
"""Path below a folder → SHA-256 of the file there."""

# Inode, length and time of change of a file.
_Stamp = tuple[int, int, int]


class RemoteStore:
    """A step store on S3.

    Args:
        place: `s3://BUCKET/PREFIX`.
        send_seconds: how long between two looks at what a step has written.
    """

    def __init__(self, place: str, *, send_seconds: float = _SEND_SECONDS) -> None:
        self.place = place.rstrip("/")
        scheme, _, rest = self.place.partition("://")
        bucket, _, prefix = rest.partition("/")
        if scheme != "s3" or not bucket:
            raise StoreError(f"{VARIABLE}: {place!r} is no place on S3; write s3://BUCKET/PREFIX")
        self._bucket = bucket
        self._prefix = f"{prefix}/" if prefix else ""
        self._client = connect(None)
        self._send_seconds = send_seconds

    @classmethod
    def here(cls) -> "RemoteStore | None":
        """The store that $DERMACARE_STORE names; None: it names none."""
        place = os.environ.get(VARIABLE)
        return cls(place) if place else None

    def take_out(self, step: str, key: str, target: Path, *, but: str = "") -> bool:
        """Fetch a whole output into a folder that is not there yet; False: there is none, or none that is as it was written.

        Args:
            step: the step's name.
            key: of its work.
            target: appears by one rename.
            but: files below this folder are left out; empty: none.

        Raises:
            StoreError: the store cannot be reached.
        """
        listed, tag = self._read(step, key, "out.json")
        if listed is None:
            return False
        fetched = target.with_name(f".{target.name}.fetched")
        shutil.rmtree(fetched, ignore_errors=True)
        wanted = {path: digest for path, digest in listed["files"].items() if not but or not path.startswith(f"{but}/")}
        damaged = self._fetch(step, key, wanted, fetched)
        if damaged:
            _log.warning("%s/steps/%s/%s: %s is not as it was written; it is made again", self.place, step, key, damaged[0])
            self._forget(step, key, tag)
            return False
        fetched.rename(target)
        return True

    def take_work(self, step: str, key: str, work: Path) -> None:
        """Fetch what a killed attempt left; nothing, where a file of it is not as it was written that cannot be spared.

        Raises:
            StoreError: the store cannot be reached.
        """
        listed, _ = self._read(step, key, "work.json")
        if listed is None:
            return
        damaged = self._fetch(step, key, listed["files"], work)
        for path in damaged:
            _log.warning("%s/steps/%s/%s: %s is not as it was written; it is left out", self.place, step, key, path)
        if any(Path(path).parent.name != _CAN_BE_SPARED for path in damaged):
            shutil.rmtree(work)

    def entries(self) -> list[tuple[str, str]]:
        """All (step, key) of which anything lies there, in order.

        Raises:
            StoreError: the store cannot be reached.
        """
        # By its objects: a store may go on listing folders of which nothing is left.
        found = (name.split("/") for name in self._names(f"{self._prefix}steps/"))
        return sorted({(parts[0], parts[1]) for parts in found if len(parts) > 2})

    def files(self, step: str, key: str) -> Files | None:
        """The files of a whole output; None: there is none, but maybe what a killed attempt left.

        Raises:
            StoreError: the store cannot be reached.
        """
        listed, _ = self._read(step, key, "out.json")
        return None if listed is None else listed["files"]

    def read(self, step: str, key: str, digest: str) -> bytes | None:
        """What a file holds; None: it is not there, or not as it was written.

        Raises:
            StoreError: the store cannot be reached.
        """
        data, _ = self._get(f"steps/{_folder(step)}/{key}/files/{digest}")
        return data if data is not None and sha256_bytes(data) == digest else None

    def delete(self, step: str, key: str, *, last: Set[str]) -> None:
        """Delete all of a key: its files, of which those with the digests `last` come last, then its lists. Repeatable.

        Raises:
            StoreError: the store cannot be reached.
        """
        stored = self.stored(step, key)
        self.remove(step, key, stored - last)
        self.remove(step, key, stored & last)
        for name in ("work.json", "out.json"):
            self._delete(self._key(step, key, name))

    def record(self, step: str, key: str) -> dict[str, object]:
        """When, how long and by which run an output was made; empty where there is none."""
        listed, _ = self._read(step, key, "out.json")
        return {} if listed is None else dict(listed["record"])

    @contextmanager
    def keeping(self, step: str, key: str, work: Path) -> Iterator["Keeper"]:
        """While the block runs, send what a step writes as it is written. A store that is away holds no step up."""
        keeper = Keeper(self, step, key, work)
        ending = threading.Event()
        thread = threading.Thread(target=keeper.run, args=(ending, self._send_seconds), daemon=True)
        thread.start()
        try:
            yield keeper
        finally:
            ending.set()
            thread.join()

    def extend(self, name: str, file: Path, work: Callable[[], None], *, first: Path) -> None:
        """Do work that reads a file which all runs share, and may add to it; do it again where another run added meanwhile.

        Args:
            name: of the object below the prefix.
            file: where the work finds it, and leaves it; whatever lies there is replaced.
            work: reads and writes `file`; done twice, it leaves what it leaves done once.
            first: what it finds where the store has none yet; it need not exist.

        Raises:
            StoreError: the store cannot be reached, or others add to it all the time.
        """
        for _ in range(_TRIES):
            tag = self.take_file(name, file)
            if tag is None and first.exists():
                copy_file(first, file)
            before = sha256_file(file) if file.exists() else None
            work()
            after = sha256_file(file) if file.exists() else None
            if (after == before and tag is not None) or after is None:
                return
            if self._put(name, file.read_bytes(), _in_place_of(tag)):
                return
        raise StoreError(f"{self.place}/{name}: other runs write it all the time; run again, what is done is not repeated")

    def take_file(self, name: str, file: Path) -> str | None:
        """Fetch an object as a file, and give its ETag; None: there is none, nor a file then.

        Raises:
            StoreError: the store cannot be reached.
        """
        data, tag = self._get(name)
        file.unlink(missing_ok=True)
        if data is not None:
            file.parent.mkdir(parents=True, exist_ok=True)
            file.write_bytes(data)
        return tag

    def stored(self, step: str, key: str) -> set[str]:
        """Digests of the files that lie there."""
        return self._names(self._key(step, key, "files/"))

    def send(self, step: str, key: str, file: Path, digest: str) -> None:
        """Put a file's bytes under their digest."""
        target = self._key(step, key, f"files/{digest}")
        with self._told(target):
            self._client.upload_file(str(file), self._bucket, target)

    def list_work(self, step: str, key: str, files: Files) -> None:
        """Say what an attempt has written so far; all of it lies there already."""
        self._put(f"steps/{_folder(step)}/{key}/work.json", json.dumps({"files": files}).encode())

    def list_out(self, step: str, key: str, files: Files, record: Mapping[str, object]) -> bool:
        """Say what the whole output is; False: another attempt was first, and its output stands."""
        listed = json.dumps({"files": files, "record": record}).encode()
        is_first = self._put(f"steps/{_folder(step)}/{key}/out.json", listed, _in_place_of(None))
        standing, _ = self._read(step, key, "out.json")
        if standing is not None:
            self.remove(step, key, self.stored(step, key) - set(standing["files"].values()))
            self._delete(self._key(step, key, "work.json"))
        return is_first

    def remove(self, step: str, key: str, digests: Iterable[str]) -> None:
        """Remove files by their digests."""
        for digest in digests:
            self._delete(self._key(step, key, f"files/{digest}"))

    def _names(self, prefix: str) -> set[str]:
        """Names of the objects below a prefix, without it."""
        with self._told(prefix):
            pages = self._client.get_paginator("list_objects_v2").paginate(Bucket=self._bucket, Prefix=prefix)
            return {entry["Key"].removeprefix(prefix) for page in pages for entry in page.get("Contents", [])}

    def _read(self, step: str, key: str, name: str) -> tuple[dict[str, Any] | None, str | None]:
        data, tag = self._get(f"steps/{_folder(step)}/{key}/{name}")
        return (None if data is None else json.loads(data)), tag

    def _fetch(self, step: str, key: str, files: Files, target: Path) -> list[str]:
        """Fetch files into a folder; returns the paths of those that are absent or other than they were, which are left out."""
        target.mkdir(parents=True, exist_ok=True)
        damaged = []
        for path, digest in files.items():
            file = target / path
            if not file.resolve().is_relative_to(target.resolve()):
                raise StoreError(
                    f"{self.place}/steps/{step}/{key}: names {path}, outside its folder; remove this key from the store"
                )
            file.parent.mkdir(parents=True, exist_ok=True)
            if not self._download(self._key(step, key, f"files/{digest}"), file) or sha256_file(file) != digest:
                file.unlink(missing_ok=True)
                damaged.append(path)
        return damaged

    def _download(self, source: str, file: Path) -> bool:
        with self._told(source):
            try:
                self._client.download_file(self._bucket, source, str(file))
            except ClientError as error:
                if _code(error) not in _ABSENT:
                    raise
                return False
        return True

    def _forget(self, step: str, key: str, tag: str | None) -> None:
        """Take an output's list away, unless it was written anew meanwhile; then its files, so that they are sent again."""
        if self._get(f"steps/{_folder(step)}/{key}/out.json")[1] == tag:
            self._delete(self._key(step, key, "out.json"))
            self.remove(step, key, self.stored(step, key))

    def _get(self, name: str) -> tuple[bytes | None, str | None]:
        with self._told(name):
            try:
                answer = self._client.get_object(Bucket=self._bucket, Key=self._prefix + name)
                return answer["Body"].read(), str(answer["ETag"])
            except ClientError as error:
                if _code(error) not in _ABSENT:
                    raise
                return None, None

    def _put(self, name: str, data: bytes, condition: Mapping[str, str] | None = None) -> bool:
        """Put an object; False: its condition does not hold."""
        with self._told(name):
            try:
                self._client.put_object(Bucket=self._bucket, Key=self._prefix + name, Body=data, **(condition or {}))
            except ClientError as error:
                if condition is None or _code(error) not in _LOST:
                    raise
                return False
        return True

    def _delete(self, key: str) -> None:
        with self._told(key):
            self._client.delete_object(Bucket=self._bucket, Key=key)

    def _key(self, step: str, key: str, name: str) -> str:
        return f"{self._prefix}steps/{_folder(step)}/{key}/{name}"

    @contextmanager
    def _told(self, what: str) -> Iterator[None]:
        try:
            yield
        except (BotoCoreError, ClientError, Boto3Error) as error:
            raise StoreError(
                f"{self.place}: {what} cannot be read or written ({error}); see that the store answers and that the credentials "
                "may use it, then run again"
            ) from error


class Keeper:
    """Sends what a step has written in its work folder: each file once, then the list of all that are there.

    Args:
        remote: where to.
        step: the step's name.
        key: of its work.
        work: its work folder.
    """

    def __init__(self, remote: RemoteStore, step: str, key: str, work: Path) -> None:
        self._remote, self._step, self._key, self._work = remote, step, key, work
        self._snapshot = work.with_name("sent")
        self._sending = threading.Lock()
        self._sent: set[str] | None = None
        self._listed: Files = {}
        self._before: Files = {}
        self._digests: dict[tuple[str, _Stamp], str] = {}

    def run(self, ending: threading.Event, seconds: float) -> None:
        """Send what is new again and again until it is time to end; what a store that is away misses is sent later."""
        away = False
        while not ending.wait(seconds):
            try:
                self.send()
                away = False
            except StoreError as error:
                if not away:
                    _log.warning("%s; the step goes on, and sends later", error)
                away = True

    def send(self) -> Files:
        """Send what is new and say so; the last two states are kept. Returns the files that are there.

        Raises:
            StoreError: the store cannot be reached.
        """
        with self._sending:
            files = self._send_files()
            if files != self._listed:
                self._remote.list_work(self._step, self._key, files)
                gone = set(self._before.values()) - set(self._listed.values()) - set(files.values())
                self._remote.remove(self._step, self._key, gone)
                self._sent = (self._sent or set()) - gone
                self._before, self._listed = self._listed, files
            return files

    def finish(self, record: Mapping[str, object]) -> bool:
        """Send the whole output; False: another attempt was first, and its output stands.

        Raises:
            StoreError: the store cannot be reached.
        """
        return self._remote.list_out(self._step, self._key, self._send_files(), record)

    def _send_files(self) -> Files:
        if self._sent is None:
            self._sent = self._remote.stored(self._step, self._key)
        files: dict[str, str] = {}
        for path, stamp in self._take_snapshot().items():
            digest = self._digest(path, stamp)
            if digest not in self._sent:
                self._remote.send(self._step, self._key, self._snapshot / path, digest)
            if _is_copied(path) or _stamp(self._snapshot / path) == stamp:  # else it is being written in place
                self._sent.add(digest)
                files[path] = digest
        shutil.rmtree(self._snapshot, ignore_errors=True)
        return files

    def _take_snapshot(self) -> dict[str, _Stamp]:
        """Link the work folder's files as they lie there at one moment; returns what tells each from a later one."""
        for _ in range(_LOOKS):
            shutil.rmtree(self._snapshot, ignore_errors=True)
            before = self._look()
            taken = {path: stamp for path, stamp in before.items() if self._take(path, stamp)}
            if self._look() == before:
                break
        # Where the step writes all the time, what went meanwhile is left out: it was replaced by something newer.
        return taken

    def _take(self, path: str, stamp: _Stamp) -> bool:
        target = self._snapshot / path
        target.parent.mkdir(parents=True, exist_ok=True)
        try:
            (copy_file if _is_copied(path) else link_file)(self._work / path, target)
        except FileNotFoundError:
            return False
        return _is_copied(path) or _stamp(target) == stamp

    def _look(self) -> dict[str, _Stamp]:
        """The files of the work folder, the newest first: what was written last may rely on what was written before."""
        found: dict[str, _Stamp] = {}
        for path in self._work.rglob("*"):
            with suppress(FileNotFoundError):  # it went while we looked
                if path.is_file() and not path.name.endswith(".part"):
                    found[path.relative_to(self._work).as_posix()] = _stamp(path)
        return dict(sorted(found.items(), key=lambda item: item[1][2], reverse=True))

    def _digest(self, path: str, stamp: _Stamp) -> str:
        known = (path, stamp)
        if known not in self._digests:
            self._digests[known] = sha256_file(self._snapshot / path)
        return self._digests[known]


def _in_place_of(tag: str | None) -> dict[str, str]:
    """The condition that an object is the one of this ETag, or with None that there is none."""
    return {"IfNoneMatch": "*"} if tag is None else {"IfMatch": tag}


def _is_copied(path: str) -> bool:
    """Whether lines are added to a file in place, so that a link to it would change; all others are replaced."""
    return path.endswith(".jsonl")


def _stamp(path: Path) -> _Stamp:
    stat = path.lstat()
    return stat.st_ino, stat.st_size, stat.st_mtime_ns


def _folder(step: str) -> str:
    """A model's name after a slash does not count: the key knows it."""
    return step.partition("/")[0]


def _code(error: ClientError) -> str:
    return str(error.response.get("Error", {}).get("Code", ""))
