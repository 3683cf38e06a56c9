"""The challenges' public bucket, served under the same names by a real S3 server, without credentials."""

import json
import zipfile
from collections.abc import Iterator
from pathlib import Path

import cv2
import numpy as np
import pytest

from components.errors import SourceError
from components.ingest import pack, s3
from components.ingest.fingerprint import ingest_fingerprint
from tests.components.ingest.conftest import Run
from tests.components.ingest.remote import put_2019, put_task_1, remote_params, zip_of
from tests.faulty_proxy import Faults, faulty_proxy
from tests.isic_folder import IsicFolder
from tests.seaweedfs import PUBLIC_BUCKET, S3Server

INPUT = "2019/ISIC_2019_Training_Input.zip"


@pytest.fixture
def server(s3_server: S3Server, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> S3Server:
    """The server, without any credentials."""
    monkeypatch.setenv("AWS_SHARED_CREDENTIALS_FILE", str(tmp_path / "none"))
    monkeypatch.setenv("AWS_EC2_METADATA_DISABLED", "true")
    return s3_server


@pytest.fixture
def folder(server: S3Server, tmp_path: Path) -> IsicFolder:
    """What is published as the challenge of 2019; some ids end in `_downsampled`, as there."""
    folder = IsicFolder(tmp_path / "published").fill(2)
    folder.image("ISIC_LATE", file="ISIC_LATE_downsampled.jpg")
    folder.row("ISIC_LATE_downsampled", "VASC")
    folder.tables()
    put_2019(server, PUBLIC_BUCKET, folder)
    return folder


@pytest.fixture
def proxy(server: S3Server) -> Iterator[tuple[str, Faults]]:
    with faulty_proxy(server.port) as running:
        yield running


def test_2019_is_read_from_the_bucket_with_its_tables_and_licence(folder: IsicFolder, server: S3Server, run: Run) -> None:
    done = run(params=remote_params(server.endpoint, "isic:2019"))
    assert set(zip(done.dataset.manifest["source"], done.dataset.manifest["licence"], strict=True)) == {
        ("isic:2019", "CC-BY-NC-4.0")
    }
    assert len(done.ids("classification")) == 17
    assert done.row("ISIC_LATE", "classification")["label"] == "VASC"
    assert done.row("ISIC_MEL_1", "classification")["lesion_id"] == "L_MEL_1"
    row = done.row("ISIC_DF_0", "classification")
    assert done.dataset.image_bytes(row) == (folder.root / "images/ISIC_DF_0.jpg").read_bytes()
    assert json.loads((done.out / "sources.json").read_text()) == [
        {"name": "isic:2019", "licence": "CC-BY-NC-4.0", "revision": None, "images": 17}
    ]


def test_task_1_is_read_with_its_official_split(server: S3Server, run: Run, tmp_path: Path) -> None:
    put_task_1(server, PUBLIC_BUCKET, tmp_path)
    done = run(params=remote_params(server.endpoint, "isic:2018-task1"))
    manifest = done.dataset.manifest
    assert set(manifest["licence"]) == {"CC0-1.0"}
    assert manifest.set_index("image_id")["split"].to_dict() == {
        f"T1_{part}_{number}": split
        for part, split in (("Training", "train"), ("Validation", "val"), ("Test", "test"))
        for number in range(2)
    }


def test_both_challenges_together_share_their_images(server: S3Server, folder: IsicFolder, run: Run, tmp_path: Path) -> None:
    put_task_1(server, PUBLIC_BUCKET, tmp_path)
    # An image of Task 1 is in 2019 too, smaller.
    folder.image("T1_Test_0", size=(24, 32), file="T1_Test_0_downsampled.jpg")
    folder.row("T1_Test_0_downsampled", "BCC")
    folder.tables()
    put_2019(server, PUBLIC_BUCKET, folder)
    done = run(params=remote_params(server.endpoint, "isic:2019", "isic:2018-task1"))
    row = done.row("T1_Test_0", "classification")
    assert (row["label"], row["source"], row["width"]) == ("BCC", "isic:2018-task1", 64)
    assert done.row("T1_Test_0", "segmentation")["split"] == "test"
    assert done.members().count("T1_Test_0.jpg") == 1


def test_the_key_follows_the_objects_and_nothing_is_fetched_for_it(
    folder: IsicFolder, server: S3Server, proxy: tuple[str, Faults]
) -> None:
    endpoint, faults = proxy
    before = ingest_fingerprint(remote_params(endpoint, "isic:2019"))
    folder.row("ISIC_MORE", "NV")
    folder.tables()
    put_2019(server, PUBLIC_BUCKET, folder)
    assert ingest_fingerprint(remote_params(endpoint, "isic:2019")) != before
    assert faults.asked == []


def test_an_object_that_is_missing_or_a_bucket_that_is_unreachable_stops_the_plan(
    server: S3Server, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(s3, "_TRIES", 1)
    server.client().delete_object(Bucket=PUBLIC_BUCKET, Key="2019/ISIC_2019_Training_Metadata.csv")
    server.client().put_object(Bucket=PUBLIC_BUCKET, Key=INPUT, Body=b"x")
    server.client().put_object(Bucket=PUBLIC_BUCKET, Key="2019/ISIC_2019_Training_GroundTruth.csv", Body=b"x")
    with pytest.raises(SourceError, match=r"isic:2019/ISIC_2019_Training_Metadata\.csv: does not exist"):
        ingest_fingerprint(remote_params(server.endpoint, "isic:2019"))
    with pytest.raises(SourceError, match=r"isic:2019/ISIC_2019_Training_Input\.zip: cannot be had"):
        ingest_fingerprint(remote_params("http://127.0.0.1:1", "isic:2019"))


def test_a_download_that_was_killed_goes_on_from_the_last_whole_shard(
    folder: IsicFolder, run: Run, proxy: tuple[str, Faults], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(pack, "SHARD_IMAGES", 4)
    monkeypatch.setattr("components.ingest.ranged.LEAST_AHEAD", 1024)
    monkeypatch.setattr("components.ingest.ranged.MOST_AHEAD", 1024)
    endpoint, faults = proxy
    params = remote_params(endpoint, "isic:2019")
    whole = run(params=params, out="whole")
    path, asked = f"/{PUBLIC_BUCKET}/{INPUT}", len(faults.asked)
    faults.asked.clear()

    def kill(path: str, count: int) -> None:
        if len(faults.asked) > asked * 3 // 4:
            faults.ends_at = {path: 0}

    faults.before = kill
    with pytest.raises(SourceError, match="is shorter than the store says"):
        run(params=params)
    faults.before, faults.ends_at = lambda path, count: None, {}
    faults.asked.clear()
    done = run(params=params)
    assert len(faults.ranges(path)) < asked * 3 // 4
    assert done.dataset.version == whole.dataset.version
    assert done.shards.keys() == whole.shards.keys()


def test_a_zip_that_is_replaced_in_mid_download_is_not_mixed_with_the_other(
    folder: IsicFolder, server: S3Server, run: Run, proxy: tuple[str, Faults], monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setattr("components.ingest.ranged.LEAST_AHEAD", 1024)
    monkeypatch.setattr("components.ingest.ranged.MOST_AHEAD", 1024)
    endpoint, faults = proxy
    other = zip_of(IsicFolder(tmp_path / "other").fill(3).root / "images", below="ISIC_2019_Training_Input")

    def replace(path: str, count: int) -> None:
        if path.endswith(INPUT) and count == 8:
            server.client().put_object(Bucket=PUBLIC_BUCKET, Key=INPUT, Body=other)

    faults.before = replace
    with pytest.raises(SourceError, match=r"isic:2019/ISIC_2019_Training_Input\.zip: changed while it was read"):
        run(params=remote_params(endpoint, "isic:2019"))
    assert not (tmp_path / "out/manifest.parquet").exists()


@pytest.mark.slow
def test_a_zip_of_3000_members_takes_one_request_for_every_8_mib_and_the_disk_holds_one_copy(
    server: S3Server, run: Run, proxy: tuple[str, Faults], tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    endpoint, faults = proxy
    folder = IsicFolder(tmp_path / "large")
    noise = np.random.default_rng(1)
    for number in range(3000):
        encoded = cv2.imencode(".jpg", noise.integers(0, 255, (110, 110, 3), dtype=np.uint8))[1]
        folder.raw(f"images/ISIC_{number:05}.jpg", encoded.tobytes())
        folder.row(f"ISIC_{number:05}", "NV")
    folder.tables()
    put_2019(server, PUBLIC_BUCKET, folder)
    size = server.client().head_object(Bucket=PUBLIC_BUCKET, Key=INPUT)["ContentLength"]
    lying = []
    faults.before = lambda path, count: lying.append(disk_usage(tmp_path / "out"))
    done = run(params=remote_params(endpoint, "isic:2019"))
    assert len(done.ids("classification")) == 3000
    ranges = faults.ranges(f"/{PUBLIC_BUCKET}/{INPUT}")
    asked = sum(last + 1 - first for first, last in ranges)
    with capsys.disabled():
        print(f"\n{size / 1e6:.0f} MB in 3,000 members: {len(ranges)} requests, {asked / 1e6:.0f} MB asked for, ", end="")
        print(f"most on disk while it came {max(lying) / 1e6:.0f} MB, in the end {disk_usage(done.out) / 1e6:.0f} MB")
    assert len(ranges) <= size / (8 << 20) + 16
    assert asked < 1.1 * size
    assert max(lying) <= disk_usage(done.out) < 1.05 * size
    assert max(len(zipfile.ZipFile(shard).namelist()) for shard in (done.out / "shards").iterdir()) == 512


def disk_usage(folder: Path) -> int:
    """Bytes of all files below a folder."""
    return sum(path.stat().st_size for path in folder.rglob("*") if path.is_file())
