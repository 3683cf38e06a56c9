"""Zips, read by ranges and member by member: what is verified, and what of a hostile one is refused."""

import io
import struct
import tracemalloc
import zipfile
from collections.abc import Callable
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from components.errors import PictureError, SourceError
from components.ingest import archive as archive_module
from components.ingest.archive import Archive
from components.ingest.ranged import RangedFile
from tests.components.ingest.conftest import Run
from tests.components.ingest.remote import zip_of
from tests.isic_folder import IsicFolder


def zip_with(members: dict[str, bytes], method: int = zipfile.ZIP_STORED) -> bytearray:
    data = io.BytesIO()
    with zipfile.ZipFile(data, "w", method) as archive:
        for name, content in members.items():
            archive.writestr(name, content)
    return bytearray(data.getvalue())


def opened(data: bytes | bytearray) -> Archive:
    return Archive("clinic/all.zip", lambda: io.BytesIO(bytes(data)))


@given(data=st.binary(min_size=1, max_size=200_000), jumps=st.lists(st.tuples(st.integers(0, 250_000), st.integers(-1, 70_000))))
@settings(max_examples=60, deadline=None)
def test_a_ranged_file_reads_as_the_file_itself(data: bytes, jumps: list[tuple[int, int]]) -> None:
    asked: list[tuple[int, int]] = []

    def fetch(start: int, length: int) -> bytes:
        asked.append((start, length))
        return data[start : start + length]

    ours, real = RangedFile(fetch, len(data)), io.BytesIO(data)
    for place, count in jumps:
        assert ours.seek(place) == real.seek(place)
        assert ours.read(count) == real.read(count)
        assert ours.tell() == real.tell()
    assert all(length >= 1 and start + length <= len(data) for start, length in asked)


def test_reading_on_asks_for_more_and_more_and_a_jump_for_little() -> None:
    asked: list[int] = []
    size = 100 << 20

    def fetch(start: int, length: int) -> bytes:
        asked.append(length)
        return bytes(length)

    file = RangedFile(fetch, size)
    for _ in range(0, 64 << 20, 50_000):
        file.read(50_000)
    assert asked[0] == 50_000
    assert max(asked) == 8 << 20
    assert len(asked) < 24
    file.seek(90 << 20)
    file.read(30)
    assert asked[-1] == 16 << 10


def test_members_are_verified_by_their_crc() -> None:
    data = zip_with({"images/a.jpg": b"picture-a", "images/b.jpg": b"picture-b"})
    data[data.index(b"picture-a") + 3] ^= 1
    archive = opened(data)
    first, second = archive.members()
    with pytest.raises(PictureError, match=r"clinic/all\.zip/images/a\.jpg: is damaged in its archive \(Bad CRC-32"):
        archive.read(first)
    assert archive.read(second) == b"picture-b"


def test_one_damaged_member_is_set_aside_and_the_rest_goes_on(tmp_path: Path, run: Run) -> None:
    folder = IsicFolder(tmp_path / "clinic").fill(1)
    data = bytearray(zip_of(folder.root / "images"))
    place = data.index((folder.root / "images/ISIC_DF_0.jpg").read_bytes())
    data[place + 300] ^= 0xFF
    for path in (folder.root / "images").iterdir():
        path.unlink()
    folder.raw("images.zip", bytes(data))
    done = run(folder.root)
    assert [(row["image"], row["file"]) for row in done.quarantine] == [("ISIC_DF_0", "clinic/images.zip/ISIC_DF_0.jpg")]
    assert len(done.ids("classification")) == 7


def test_zips_in_a_folder_are_read_as_the_files_in_them(tmp_path: Path, run: Run) -> None:
    folder = IsicFolder(tmp_path / "clinic").fill(2)
    plain = run(folder.root, out="plain")
    zipped = IsicFolder(tmp_path / "zips" / "clinic")
    zipped.raw("ISIC_2019_Training_Input.zip", zip_of(folder.root / "images", below="ISIC_2019_Training_Input"))
    zipped.raw("rest.zip", zip_of(folder.root / "masks", method=zipfile.ZIP_DEFLATED))
    for table in folder.root.glob("*.csv"):
        zipped.raw(table.name, table.read_bytes())
    assert run(zipped.root).dataset.version == plain.dataset.version


@pytest.mark.parametrize("name", ["../x.jpg", "a/../../x.jpg", "/etc/x.jpg", "..\\x.jpg", "C:\\x.jpg", "C:/x.jpg"])
def test_a_name_that_leads_out_refuses_the_whole_zip(name: str) -> None:
    with pytest.raises(SourceError, match=r"clinic/all\.zip: .* in it leads out of the archive; nothing of it is read"):
        opened(zip_with({"a.jpg": b"a", name: b"x"})).members()


def test_a_member_that_unpacks_to_more_than_a_picture_can_be_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(archive_module, "MOST_BYTES", 1 << 20)
    archive = opened(zip_with({"a.jpg": bytes(1 << 21)}, zipfile.ZIP_DEFLATED))
    with pytest.raises(PictureError, match=r"a\.jpg: says that it has 2,097,152 bytes, more than the 1,048,576 that are read"):
        archive.read(archive.members()[0])


def test_a_member_that_unpacks_to_more_than_it_says_is_refused() -> None:
    data = zip_with({"a.jpg": bytes(1 << 20)}, zipfile.ZIP_DEFLATED)
    place = data.rindex(b"PK\x01\x02") + 24  # the uncompressed size, in the list
    data[place : place + 4] = struct.pack("<I", 1000)
    archive = opened(data)
    with pytest.raises(PictureError, match="is damaged in its archive"):
        archive.read(archive.members()[0])


def test_a_member_that_hides_its_size_is_not_unpacked_beyond_it() -> None:
    data = zip_with({"a.jpg": bytes(64 << 20)}, zipfile.ZIP_DEFLATED)
    place = data.rindex(b"PK\x01\x02") + 24
    data[place : place + 4] = struct.pack("<I", 1000)
    archive = opened(data)
    (member,) = archive.members()
    tracemalloc.start()
    try:
        with pytest.raises(PictureError, match="is damaged in its archive"):
            archive.read(member)
        assert tracemalloc.get_traced_memory()[1] < 1 << 20
    finally:
        tracemalloc.stop()


@pytest.mark.parametrize("method", [zipfile.ZIP_BZIP2, zipfile.ZIP_LZMA])
def test_a_method_that_unpacks_without_a_bound_is_refused(method: int) -> None:
    archive = opened(zip_with({"a.jpg": b"a"}, method))
    (member,) = archive.members()
    for most in (None, 100):
        with pytest.raises(PictureError, match=r"a\.jpg: is compressed by another method than Deflate; make its archive anew"):
            archive.read(member, most)


def test_an_encrypted_member_is_refused() -> None:
    data = zip_with({"a.jpg": b"a"})
    data[data.rindex(b"PK\x01\x02") + 8] |= 1
    archive = opened(data)
    with pytest.raises(PictureError, match="is encrypted; put it there without a password"):
        archive.read(archive.members()[0])


DAMAGE: dict[str, Callable[[bytearray], bytearray]] = {
    "empty": lambda data: bytearray(),
    "text": lambda data: bytearray(b"no zip\n" * 10),
    "cut in half": lambda data: data[: len(data) // 2],
    "without its end": lambda data: data[:-10],
    "its list is torn": lambda data: data.replace(b"PK\x01\x02", b"PK\x00\x00"),
}


@pytest.mark.parametrize("damage", DAMAGE)
def test_a_file_that_is_no_whole_zip_is_named(damage: str) -> None:
    with pytest.raises(SourceError, match=r"clinic/all\.zip: is no whole zip"):
        opened(DAMAGE[damage](zip_with({f"{number}.jpg": bytes(100) for number in range(20)}))).members()


def test_a_zip_that_is_a_link_to_nothing_is_named(tmp_path: Path, run: Run) -> None:
    folder = IsicFolder(tmp_path / "clinic").fill(1)
    (folder.root / "more.zip").symlink_to("gone.zip")
    with pytest.raises(SourceError, match=r"clinic/more\.zip: cannot be read \(No such file"):
        run(folder.root)
