"""`--data isic:2019`, `--data isic:2018-task1`: the ISIC challenges' own files in their public bucket, without credentials."""

from dataclasses import dataclass

from components.ingest.digests import Digests
from components.ingest.layout import SourceFile, list_files
from components.ingest.s3 import S3Object, connect, told
from components.ingest.source import Listing, Origin, Workplace

BUCKET = "isic-challenge-data"


@dataclass(frozen=True)
class Challenge:
    """What of a challenge is read: licence (SPDX) and objects of the bucket."""

    licence: str
    keys: tuple[str, ...]


CHALLENGES = {
    "isic:2019": Challenge(
        "CC-BY-NC-4.0",
        (
            "2019/ISIC_2019_Training_Input.zip",
            "2019/ISIC_2019_Training_GroundTruth.csv",
            "2019/ISIC_2019_Training_Metadata.csv",
        ),
    ),
    # The names tell the official split.
    "isic:2018-task1": Challenge(
        "CC0-1.0",
        tuple(
            f"2018/{name}.zip"
            for part in ("Training", "Validation", "Test")
            for name in (f"ISIC2018_Task1-2_{part}_Input", f"ISIC2018_Task1_{part}_GroundTruth")
        ),
    ),
}


class Isic:
    """A challenge's data.

    Args:
        spelling: a name of `CHALLENGES`.
        endpoint: address of the S3 service that has the bucket.
    """

    def __init__(self, spelling: str, endpoint: str) -> None:
        self._keys = CHALLENGES[spelling].keys
        self._client = connect(endpoint, anonymous=True)
        self.origin = Origin(spelling, CHALLENGES[spelling].licence)

    def fingerprint(self, digests: Digests) -> object:
        """Name, ETag and length of each object."""
        return [[file.relative, file.blob.identity()] for file in self._files()]

    def listing(self, digests: Digests, place: Workplace) -> Listing:
        """The pictures in the zips, and the tables."""
        return list_files(self._files(), self.origin)

    def _files(self) -> list[SourceFile]:
        return [self._file(key) for key in self._keys]

    def _file(self, key: str) -> SourceFile:
        relative = key.partition("/")[2]
        name = f"{self.origin.name}/{relative}"
        with told(name):
            head = self._client.head_object(Bucket=BUCKET, Key=key)
        blob = S3Object(self._client, BUCKET, key, name, head["ContentLength"], head["ETag"])
        return SourceFile(relative, blob, blob.open)
