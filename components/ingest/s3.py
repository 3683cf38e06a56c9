"""`--data s3://BUCKET/PREFIX`: ISIC files in a bucket, loose or in zips, read where they lie."""

import hashlib
import re
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import IO, Any, cast

import boto3
from botocore import UNSIGNED
from botocore.config import Config
from botocore.exceptions import (
    BotoCoreError,
    ClientError,
    IncompleteReadError,
    NoCredentialsError,
    ReadTimeoutError,
    ResponseStreamingError,
)
from urllib3.exceptions import MaxRetryError
from urllib3.util import Retry

from components.errors import PictureError, SourceError
from components.ingest.archive import HEAD_BYTES
from components.ingest.digests import Digests
from components.ingest.layout import SourceFile, list_files, looked_at
from components.ingest.ranged import RangedFile
from components.ingest.source import Listing, LoneBlob, Origin, Workplace
from components.params import source_name

_CHUNK = 64 << 10
_TRIES = 5
_AT_ONCE = 16
_MD5 = re.compile(r'"[0-9a-f]{32}"')


def connect(endpoint: str | None, *, anonymous: bool = False) -> Any:
    """A client of an S3 service; it opens no connection yet.

    Args:
        endpoint: the service's address; None: what the usual chain says, else AWS.
        anonymous: without credentials; else from the usual chain (variables, files, instance).
    """
    more = {"signature_version": UNSIGNED} if anonymous else {}
    config = Config(
        retries={"mode": "standard", "total_max_attempts": _TRIES},
        connect_timeout=10,
        read_timeout=30,
        max_pool_connections=_AT_ONCE,
        **more,
    )
    # A signature names some region; a bucket's own is found by redirection.
    session = boto3.session.Session()
    return session.client("s3", endpoint_url=endpoint, region_name=session.region_name or "us-east-1", config=config)


@dataclass(frozen=True, slots=True)
class S3Object(LoneBlob):
    """The bytes of an object, as it was when it was listed: one that is replaced meanwhile is not read on."""

    client: Any
    bucket: str
    key: str
    file: str
    size: int
    etag: str

    @property
    def at_once(self) -> int:
        """As many as hide the time that each takes to answer."""
        return _AT_ONCE

    def identity(self) -> str:
        """Its ETag and length."""
        tag = self.etag.strip('"')
        return f"etag:{tag}:{self.size}"

    def open(self) -> IO[bytes]:
        """The object as a file that can be read from any place."""
        return cast(IO[bytes], RangedFile(self.read_range, self.size))

    def head(self) -> bytes:
        """Its first bytes."""
        return self.read_range(0, min(HEAD_BYTES, self.size))

    def read(self) -> bytes:
        """All its bytes; where its ETag is their MD5, they are compared."""
        data = self.read_range(0, self.size)
        if (
            _MD5.fullmatch(self.etag)
            and hashlib.md5(data, usedforsecurity=False).hexdigest() not in self.etag
            and self._etag_is_md5()
        ):
            raise PictureError(f"{self.file}: its bytes are not those of its ETag {self.etag}; put the object there again")
        return data

    def read_range(self, start: int, length: int) -> bytes:
        """Bytes from `start` on, exactly `length` of them. A connection that is cut is made again, and goes on at the byte.

        botocore tries again only until an answer begins. Once it flows, what came is kept, and urllib3's Retry counts, and waits
        between, the tries that brought nothing.

        Raises:
            SourceError: the object changed or is gone, is shorter than it says, or cannot be had.
        """
        received = bytearray()
        tries = Retry(_TRIES, backoff_factor=0.1)
        while len(received) < length:
            before = len(received)
            cut = self._receive(received, start, length)
            if len(received) > before:
                tries = Retry(_TRIES, backoff_factor=0.1)
                continue
            try:
                tries = tries.increment()
            except MaxRetryError as error:
                raise self._broken_off(start + len(received), cut) from error
            tries.sleep()
        return bytes(received)

    def _receive(self, received: bytearray, start: int, length: int) -> Exception | None:
        """Add to `received` what one request brings; returns what cut it."""
        first = start + len(received)
        with told(self.file):
            try:
                answer = self.client.get_object(
                    Bucket=self.bucket, Key=self.key, IfMatch=self.etag, Range=f"bytes={first}-{start + length - 1}"
                )
                if not str(answer.get("ContentRange", "")).startswith(f"bytes {first}-"):
                    raise SourceError(f"{self.file}: the store sends other bytes than those asked for; it must know ranges")
                for chunk in answer["Body"].iter_chunks(_CHUNK):
                    received += chunk[: length - len(received)]
            except (ResponseStreamingError, IncompleteReadError, ReadTimeoutError) as error:
                cut: Exception = error
                return cut
        return None

    def _broken_off(self, end: int, cut: Exception | None) -> SourceError:
        if cut is not None:
            return SourceError(
                f"{self.file}: the connection is cut again and again after {end:,} of {self.size:,} bytes; try later"
            )
        return SourceError(
            f"{self.file}: ends after {end:,} bytes, though the store says {self.size:,}; put the object there again"
        )

    def _etag_is_md5(self) -> bool:
        """Whether the store says of nothing that makes its ETag another digest."""
        with told(self.file):
            answer = self.client.head_object(Bucket=self.bucket, Key=self.key, IfMatch=self.etag)
        return answer.get("ServerSideEncryption", "AES256") == "AES256" and "SSECustomerAlgorithm" not in answer


@contextmanager
def told(what: str) -> Iterator[None]:
    """Say what a store's answer means for an object or a bucket, as a SourceError."""
    try:
        yield
    except NoCredentialsError as error:
        raise SourceError(
            f"{what}: no credentials for S3 are found; set AWS_PROFILE, or AWS_ACCESS_KEY_ID and its secret"
        ) from error
    except ClientError as error:
        code = str(error.response.get("Error", {}).get("Code", ""))
        raise SourceError(f"{what}: {_MEANING.get(code, f'the store refuses it ({error})')}") from error
    except BotoCoreError as error:
        raise SourceError(f"{what}: cannot be had ({error}); try later, or look at the endpoint in params.yaml") from error


_GONE = "does not exist; look at its name"
_DENIED = "may not be read; give credentials that may"
_CHANGED = "changed while it was read (its ETag is another); run again, it goes on with what is the same"
_SHORT = "is shorter than the store says; put the object there again"
_MEANING = {
    **dict.fromkeys(("404", "NoSuchKey", "NoSuchBucket", "NotFound"), _GONE),
    **dict.fromkeys(("403", "AccessDenied", "Forbidden", "InvalidAccessKeyId", "SignatureDoesNotMatch"), _DENIED),
    **dict.fromkeys(("412", "PreconditionFailed"), _CHANGED),
    **dict.fromkeys(("416", "InvalidRange"), _SHORT),
}


class S3Prefix:
    """A bucket, or what of it lies below a prefix.

    Args:
        spelling: `s3://BUCKET/PREFIX`, or `s3://BUCKET`.
        endpoint: the service's address; None: what the usual chain says, else AWS.
    """

    def __init__(self, spelling: str, endpoint: str | None) -> None:
        self._bucket, _, prefix = spelling.removeprefix("s3://").strip("/").partition("/")
        self._prefix = f"{prefix}/" if prefix else ""
        self._client = connect(endpoint)
        self.origin = Origin(source_name(spelling))

    def fingerprint(self, digests: Digests) -> object:
        """Path, ETag and length of each object at which ingest looks."""
        return [[file.relative, file.blob.identity()] for file in self._files()]

    def listing(self, digests: Digests, place: Workplace) -> Listing:
        """The pictures and tables below the prefix."""
        return list_files(self._files(), self.origin)

    def _files(self) -> list[SourceFile]:
        pages = self._client.get_paginator("list_objects_v2").paginate(Bucket=self._bucket, Prefix=self._prefix)
        with told(self.origin.name):
            entries = [entry for page in pages for entry in page.get("Contents", [])]
        named = sorted((entry["Key"].removeprefix(self._prefix), entry) for entry in entries)
        return [self._file(relative, entry) for relative, entry in named if looked_at(relative)]

    def _file(self, relative: str, entry: dict[str, Any]) -> SourceFile:
        name = f"{self.origin.name}/{relative}"
        blob = S3Object(self._client, self._bucket, entry["Key"], name, entry["Size"], entry["ETag"])
        return SourceFile(relative, blob, blob.open)
