"""Buckets as sources, on a real S3 server: what is read and verified, and what is said when the network or the store fails."""

import hashlib
from collections.abc import Iterator
from pathlib import Path

import pytest

from components.errors import PictureError, SourceError
from components.ingest import ranged, s3
from components.ingest.fingerprint import ingest_fingerprint
from components.ingest.s3 import S3Object, connect
from tests.components.ingest.conftest import Run
from tests.components.ingest.remote import put_folder, remote_params, zip_of
from tests.faulty_proxy import Faults, faulty_proxy
from tests.isic_folder import IsicFolder
from tests.seaweedfs import S3Server

LARGE = bytes(range(256)) * 4096  # 1 MiB


@pytest.fixture
def server(s3_server: S3Server, monkeypatch: pytest.MonkeyPatch) -> S3Server:
    """The server, and its credentials where AWS's libraries look for them."""
    for name, value in s3_server.environment.items():
        monkeypatch.setenv(name, value)
    return s3_server


@pytest.fixture
def bucket(server: S3Server, request: pytest.FixtureRequest) -> str:
    """A bucket of the test's own."""
    return server.bucket("t" + hashlib.md5(request.node.name.encode(), usedforsecurity=False).hexdigest())


@pytest.fixture
def proxy(server: S3Server) -> Iterator[tuple[str, Faults]]:
    with faulty_proxy(server.port) as running:
        yield running


@pytest.fixture
def folder(tmp_path: Path) -> IsicFolder:
    return IsicFolder(tmp_path / "clinic").fill(1)


def stored(endpoint: str, server: S3Server, bucket: str, data: bytes = LARGE) -> S3Object:
    """An object with these bytes, seen through an endpoint."""
    etag = server.client().put_object(Bucket=bucket, Key="x", Body=data)["ETag"]
    return S3Object(connect(endpoint), bucket, "x", f"s3://{bucket}/x", len(data), etag)


@pytest.mark.parametrize("layout", ["loose", "zipped", "deflated"])
def test_a_prefix_is_read_as_the_folder_is_whichever_way_its_files_lie(
    layout: str, server: S3Server, bucket: str, folder: IsicFolder, run: Run
) -> None:
    if layout == "loose":
        put_folder(server, bucket, "our/hospital", folder.root)
    else:
        data = zip_of(folder.root, method=8 if layout == "deflated" else 0)
        server.client().put_object(Bucket=bucket, Key="our/hospital/all.zip", Body=data)
    server.client().put_object(Bucket=bucket, Key="elsewhere/ISIC_OTHER.jpg", Body=b"of somebody else")
    done = run(params=remote_params(server.endpoint, f"s3://{bucket}/our/hospital"))
    local = run(folder.root, out="local")
    assert set(done.dataset.manifest["source"]) == {f"s3://{bucket}/our/hospital"}
    columns = ["image_id", "task", "label", "sha256", "mask_sha256", "width", "height", "lesion_id"]
    assert done.dataset.manifest[columns].equals(local.dataset.manifest[columns])
    assert done.quarantine == []
    for _, row in done.dataset.manifest.iterrows():
        assert hashlib.sha256(done.dataset.image_bytes(row)).hexdigest() == row["sha256"]


def test_the_fingerprint_follows_the_objects_and_fetches_none(
    server: S3Server, bucket: str, folder: IsicFolder, proxy: tuple[str, Faults]
) -> None:
    endpoint, faults = proxy
    put_folder(server, bucket, "a", folder.root)
    params = remote_params(endpoint, f"s3://{bucket}/a")
    before = ingest_fingerprint(params)
    assert ingest_fingerprint(remote_params(server.endpoint, f"s3://{bucket}/a/")) == before
    server.client().put_object(Bucket=bucket, Key="a/notes.txt", Body=b"not looked at")
    assert ingest_fingerprint(params) == before
    server.client().put_object(Bucket=bucket, Key="a/images/ISIC_MEL_0.jpg", Body=b"another")
    assert ingest_fingerprint(params) != before
    assert faults.asked == []


def test_images_added_to_a_zip_are_the_only_ones_fetched(
    server: S3Server, bucket: str, folder: IsicFolder, run: Run, proxy: tuple[str, Faults], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(ranged, "LEAST_AHEAD", 512)
    monkeypatch.setattr(ranged, "MOST_AHEAD", 512)
    endpoint, faults = proxy
    params = remote_params(endpoint, f"s3://{bucket}/a")
    server.client().put_object(Bucket=bucket, Key="a/all.zip", Body=zip_of(folder.root))
    first = run(params=params, out="first")
    folder.image("ISIC_A")
    folder.row("ISIC_A", "NV")
    folder.tables()
    data = zip_of(folder.root)
    server.client().put_object(Bucket=bucket, Key="a/all.zip", Body=data)
    faults.asked.clear()
    done = run(params=params, earlier=[first.out])
    assert first.shards.items() <= done.shards.items()
    assert "ISIC_A" in done.ids("classification")
    assert sum(last + 1 - begin for begin, last in faults.ranges(f"/{bucket}/a/all.zip")) < len(data) / 2


@pytest.mark.parametrize("cut_after", [1, 65_536, 100_000])
def test_a_connection_that_is_cut_goes_on_at_the_byte(
    cut_after: int, server: S3Server, bucket: str, proxy: tuple[str, Faults]
) -> None:
    endpoint, faults = proxy
    data = LARGE if cut_after > 1 else b"abc"
    blob = stored(endpoint, server, bucket, data)
    faults.cut_after = cut_after
    assert blob.read() == data
    begins = [first for first, _ in faults.ranges(f"/{bucket}/x")]
    assert begins == sorted(set(begins))  # each request asks for what is still missing
    assert len(begins) >= len(data) // cut_after
    assert sum(begins[1:]) <= sum(number * cut_after for number in range(1, len(begins)))


def test_a_whole_ingest_over_a_connection_that_is_cut_all_the_time_gives_the_same(
    server: S3Server, bucket: str, folder: IsicFolder, run: Run, proxy: tuple[str, Faults]
) -> None:
    endpoint, faults = proxy
    server.client().put_object(Bucket=bucket, Key="a/all.zip", Body=zip_of(folder.root))
    whole = run(params=remote_params(server.endpoint, f"s3://{bucket}/a"), out="whole")
    faults.cut_after = 1000
    done = run(params=remote_params(endpoint, f"s3://{bucket}/a"))
    assert len(faults.asked) > 10
    assert done.dataset.version == whole.dataset.version
    assert done.shards.keys() == whole.shards.keys()


def test_a_connection_that_brings_nothing_is_given_up_with_a_sentence(
    server: S3Server, bucket: str, proxy: tuple[str, Faults], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(s3, "_TRIES", 2)
    endpoint, faults = proxy
    blob = stored(endpoint, server, bucket)
    faults.cut_after = 0
    with pytest.raises(SourceError, match=rf"s3://{bucket}/x: the connection is cut again and again after 0 of 1,048,576 bytes"):
        blob.read()
    assert len(faults.asked) < 20


@pytest.mark.parametrize("end", [0, 5000])
def test_an_object_shorter_than_it_says_is_named(end: int, server: S3Server, bucket: str, proxy: tuple[str, Faults]) -> None:
    endpoint, faults = proxy
    blob = stored(endpoint, server, bucket)
    faults.ends_at = {f"/{bucket}/x": end}
    with pytest.raises(SourceError, match=rf"s3://{bucket}/x: is shorter than the store says; put the object there again"):
        blob.read()


def test_a_truncated_zip_stops_the_step_and_leaves_no_half_output(
    server: S3Server, bucket: str, folder: IsicFolder, run: Run, proxy: tuple[str, Faults], tmp_path: Path
) -> None:
    data = zip_of(folder.root)
    server.client().put_object(Bucket=bucket, Key="a/all.zip", Body=data[: len(data) // 2])
    with pytest.raises(SourceError, match=rf"s3://{bucket}/a/all.zip: is no whole zip"):
        run(params=remote_params(server.endpoint, f"s3://{bucket}/a"))
    assert not (tmp_path / "out/manifest.parquet").exists()


def test_an_object_that_changes_in_mid_download_is_never_mixed_with_the_other(
    server: S3Server, bucket: str, proxy: tuple[str, Faults]
) -> None:
    endpoint, faults = proxy
    blob = stored(endpoint, server, bucket)
    faults.cut_after = 100_000

    def replace(path: str, count: int) -> None:
        if count == 3:
            server.client().put_object(Bucket=bucket, Key="x", Body=LARGE[::-1])

    faults.before = replace
    with pytest.raises(SourceError, match=rf"s3://{bucket}/x: changed while it was read \(its ETag is another\); run again"):
        blob.read()


def test_an_object_that_is_gone_is_named(server: S3Server, bucket: str) -> None:
    blob = stored(server.endpoint, server, bucket)
    server.client().delete_object(Bucket=bucket, Key="x")
    with pytest.raises(SourceError, match=rf"s3://{bucket}/x: (does not exist|changed while it was read)"):
        blob.read()


def test_bytes_that_are_not_those_of_the_etag_are_refused(server: S3Server, bucket: str) -> None:
    blob = stored(server.endpoint, server, bucket, b"abc")
    other = hashlib.md5(b"abd", usedforsecurity=False).hexdigest()

    class Client:
        """Tells another ETag than it keeps, as a store with a bad disk does."""

        def __getattr__(self, name: str) -> object:
            def call(**arguments: object) -> object:
                return getattr(blob.client, name)(**{**arguments, "IfMatch": blob.etag})

            return call

    with pytest.raises(PictureError, match="its bytes are not those of its ETag"):
        S3Object(Client(), bucket, "x", "x", 3, f'"{other}"').read()


def test_an_empty_object_is_set_aside_as_an_empty_file_is(server: S3Server, bucket: str, folder: IsicFolder, run: Run) -> None:
    put_folder(server, bucket, "a", folder.root)
    server.client().put_object(Bucket=bucket, Key="a/images/ISIC_MEL_0.jpg", Body=b"")
    done = run(params=remote_params(server.endpoint, f"s3://{bucket}/a"))
    assert [(row["image"], row["file"]) for row in done.quarantine] == [("ISIC_MEL_0", f"s3://{bucket}/a/images/ISIC_MEL_0.jpg")]


@pytest.mark.parametrize(
    ("source", "sentence"),
    [
        ("s3://no-such-bucket/x", "s3://no-such-bucket/x: does not exist; look at its name"),
        ("s3://{bucket}/nothing-here", "s3://{bucket}/nothing-here: there is no JPEG, PNG or CSV file"),
    ],
)
def test_what_is_not_there_is_named(source: str, sentence: str, server: S3Server, bucket: str, run: Run) -> None:
    with pytest.raises(SourceError, match=sentence.format(bucket=bucket)):
        run(params=remote_params(server.endpoint, source.format(bucket=bucket)))


def test_credentials_that_are_missing_or_wrong_are_told_as_such(
    server: S3Server, bucket: str, run: Run, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    params = remote_params(server.endpoint, f"s3://{bucket}/a")
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", "wrong")
    with pytest.raises(SourceError, match="may not be read; give credentials that may"):
        ingest_fingerprint(params)
    for name in server.environment:
        monkeypatch.delenv(name)
    monkeypatch.setenv("AWS_SHARED_CREDENTIALS_FILE", str(tmp_path / "none"))
    monkeypatch.setenv("AWS_EC2_METADATA_DISABLED", "true")
    with pytest.raises(SourceError, match="no credentials for S3 are found; set AWS_PROFILE"):
        ingest_fingerprint(params)


def test_a_store_that_cannot_be_reached_is_told_before_anything_runs(server: S3Server, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(s3, "_TRIES", 2)  # five take 12 seconds
    with pytest.raises(SourceError, match=r"s3://bucket/x: cannot be had .*127\.0\.0\.1:1"):
        ingest_fingerprint(remote_params("http://127.0.0.1:1", "s3://bucket/x"))
