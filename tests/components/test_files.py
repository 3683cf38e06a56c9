"""Files are written whole or not at all."""

import errno
import fcntl
import os
import shutil
import threading
from pathlib import Path
from typing import IO

import pytest

from components.errors import StoreError
from components.files import copy_file, locked, writing

CONTENT = os.urandom(300_000)


@pytest.fixture
def source(tmp_path: Path) -> Path:
    path = tmp_path / "source"
    path.write_bytes(CONTENT)
    path.chmod(0o444)
    return path


def test_a_copy_holds_the_same_bytes_is_a_file_of_its_own_and_may_be_written(source: Path, tmp_path: Path) -> None:
    copy_file(source, tmp_path / "copy")
    copy = tmp_path / "copy"
    assert copy.read_bytes() == CONTENT
    assert copy.stat().st_ino != source.stat().st_ino
    assert copy.stat().st_mode & 0o777 == 0o644


def test_a_copy_of_a_link_is_a_file(source: Path, tmp_path: Path) -> None:
    (tmp_path / "link").symlink_to(source)
    copy_file(tmp_path / "link", tmp_path / "copy")
    assert not (tmp_path / "copy").is_symlink()
    assert (tmp_path / "copy").read_bytes() == CONTENT


@pytest.mark.parametrize("after", [0, 100_000])
def test_where_the_system_cannot_copy_the_rest_is_copied_here(
    after: int, source: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    real = os.copy_file_range

    def refuse(src: int, dst: int, count: int) -> int:
        if os.lseek(src, 0, os.SEEK_CUR) < after:
            return real(src, dst, after)
        raise OSError(18, "Invalid cross-device link")

    monkeypatch.setattr(os, "copy_file_range", refuse)
    copy_file(source, tmp_path / "copy")
    assert (tmp_path / "copy").read_bytes() == CONTENT


def test_a_system_that_has_no_such_call_copies_all_the_same(source: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delattr(os, "copy_file_range")
    copy_file(source, tmp_path / "copy")
    assert (tmp_path / "copy").read_bytes() == CONTENT


def test_a_copy_that_cannot_be_made_leaves_nothing(tmp_path: Path) -> None:
    with pytest.raises(FileNotFoundError):
        copy_file(tmp_path / "nowhere", tmp_path / "copy")
    assert list(tmp_path.iterdir()) == []


def test_a_full_disk_is_one_sentence_whatever_text_the_library_gives(tmp_path: Path) -> None:
    dump = "Can't synchronously write data (file write failed: time = Thu\n, file descriptor = 3, errno = 28"
    wanted = r"w\.h5: cannot be written \(No space left on device\); free space"
    with pytest.raises(StoreError, match=wanted), writing(tmp_path / "w.h5"):
        raise OSError(errno.ENOSPC, dump)


def test_whoever_waits_for_a_lock_that_is_deleted_takes_the_one_that_lies_there_then(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = tmp_path / "place" / "lock"
    opened, flock, second = threading.Event(), fcntl.flock, list[str]()

    def opened_and_waiting(handle: IO[bytes], how: int) -> None:
        opened.set()
        flock(handle, how)

    def wait_for_it() -> None:
        with locked(path), pytest.raises(StoreError, match="a process is at work here") as refused, locked(path, wait=False):
            pass
        second.append(str(refused.value))

    with locked(path):
        monkeypatch.setattr(fcntl, "flock", opened_and_waiting)
        waiting = threading.Thread(target=wait_for_it)
        waiting.start()
        opened.wait()
        shutil.rmtree(path.parent)
    waiting.join()
    assert len(second) == 1
