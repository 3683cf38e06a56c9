"""What the tests of remote sources share: folders put into a bucket, and zips of them as ISIC publishes them."""

import io
import zipfile
from pathlib import Path

from components.params import IngestParams
from tests.components.ingest.conftest import PHANTOMS
from tests.isic_folder import IsicFolder
from tests.seaweedfs import S3Server


def remote_params(endpoint: str, *sources: str) -> IngestParams:
    """The step's parameters for sources that lie behind this endpoint."""
    return IngestParams(sources=list(sources), isic_endpoint=endpoint, s3_endpoint=endpoint, phantom=PHANTOMS)


def zip_of(folder: Path, *, below: str = "", method: int = zipfile.ZIP_STORED) -> bytes:
    """A zip of a folder's files, each under `below`, with the texts that ISIC adds."""
    data = io.BytesIO()
    with zipfile.ZipFile(data, "w", method) as archive:
        archive.mkdir(f"{below}/") if below else None
        for path in sorted(path for path in folder.rglob("*") if path.is_file()):
            archive.write(path, f"{below}/{path.relative_to(folder).as_posix()}".lstrip("/"))
        archive.writestr(f"{below}/LICENSE.txt".lstrip("/"), "CC")
    return data.getvalue()


def put_folder(server: S3Server, bucket: str, prefix: str, folder: Path) -> None:
    """Put every file of a folder into a bucket, under a prefix."""
    client = server.client()
    for path in sorted(path for path in folder.rglob("*") if path.is_file()):
        client.put_object(Bucket=bucket, Key=f"{prefix}/{path.relative_to(folder).as_posix()}", Body=path.read_bytes())


def put_2019(server: S3Server, bucket: str, folder: IsicFolder) -> None:
    """Publish a folder as the ISIC challenge of 2019 is: one zip of images and two tables."""
    client = server.client()
    client.put_object(
        Bucket=bucket,
        Key="2019/ISIC_2019_Training_Input.zip",
        Body=zip_of(folder.root / "images", below="ISIC_2019_Training_Input"),
    )
    for table in ("GroundTruth", "Metadata"):
        key = f"2019/ISIC_2019_Training_{table}.csv"
        client.put_object(Bucket=bucket, Key=key, Body=(folder.root / f"{table}.csv").read_bytes())


def put_task_1(server: S3Server, bucket: str, root: Path) -> None:
    """Publish two images with masks for each part of Task 1's official split; ids are T1_<part>_0 and _1."""
    for part in ("Training", "Validation", "Test"):
        folder = IsicFolder(root / part)
        for number in range(2):
            folder.image(f"T1_{part}_{number}")
            folder.mask(f"T1_{part}_{number}")
        for kind, name in (("images", f"ISIC2018_Task1-2_{part}_Input"), ("masks", f"ISIC2018_Task1_{part}_GroundTruth")):
            body = zip_of(folder.root / kind, below=name)
            server.client().put_object(Bucket=bucket, Key=f"2018/{name}.zip", Body=body)
