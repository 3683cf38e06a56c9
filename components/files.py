"""Writing files whole or not at all, locks between processes, and digests of what files hold."""

import errno
import fcntl
import hashlib
import os
import shutil
import tempfile
from collections.abc import Iterable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import IO

from components.errors import StoreError


@contextmanager
def writing(path: Path) -> Iterator[None]:
    """In here a full disk, or a folder that may not be written, is one sentence.

    Raises:
        StoreError: the disk is full, or the folder cannot be written.
    """
    try:
        yield
    except OSError as error:
        if error.errno in (errno.ENOSPC, errno.EDQUOT, errno.EACCES, errno.EPERM, errno.EROFS, errno.EFBIG):
            reason = os.strerror(error.errno)  # HDF5 gives the number beside a text of its own, of many lines
            raise StoreError(f"{path}: cannot be written ({reason}); free space or permissions, then run again") from error
        raise


@contextmanager
def atomic_write(path: Path) -> Iterator[IO[bytes]]:
    """Open a binary file that appears under `path` only when the block ends without an error.

    Raises:
        StoreError: the disk is full, or the folder cannot be written.
    """
    with writing(path):
        path.parent.mkdir(parents=True, exist_ok=True)
        handle = tempfile.NamedTemporaryFile(dir=path.parent, prefix=f".{path.name}.", suffix=".part", delete=False)  # noqa: SIM115
        try:
            with handle:
                yield handle
                handle.flush()
                os.fsync(handle.fileno())
            Path(handle.name).chmod(0o644)
            Path(handle.name).replace(path)
        except BaseException:
            Path(handle.name).unlink(missing_ok=True)
            raise


def write_text(path: Path, text: str) -> None:
    """Write UTF-8 text, whole or not at all."""
    with atomic_write(path) as handle:
        handle.write(text.encode("utf-8"))


def copy_file(source: Path | str, target: Path | str) -> None:
    """Copy a file's content, whole or not at all; where the file system can share blocks (btrfs, XFS), none is written twice.

    Raises:
        StoreError: the disk is full, or the folder cannot be written.
    """
    with Path(source).open("rb", buffering=0) as original, atomic_write(Path(target)) as copy:
        if hasattr(os, "copy_file_range"):  # Linux
            with suppress(OSError):  # these two file systems cannot; what is left is copied below, as anywhere
                while os.copy_file_range(original.fileno(), copy.fileno(), 1 << 30):
                    pass
        shutil.copyfileobj(original, copy)


def link_file(source: Path | str, target: Path | str) -> None:
    """Give a file a second name, or copy it where the file system allows no links; for files that nobody changes in place.

    Raises:
        StoreError: the disk is full, or the folder cannot be written.
    """
    try:
        os.link(source, target)
    except OSError:
        copy_file(source, target)


def link_files(source: Path, target: Path, names: Iterable[str]) -> None:
    """Give files of one folder, named by their paths below it, the same names below another, in place of what has them there."""
    for name in names:
        (target / name).parent.mkdir(parents=True, exist_ok=True)
        (target / name).unlink(missing_ok=True)
        link_file(source / name, target / name)


def take_over(relative: str, target: Path, folders: Iterable[Path]) -> bool:
    """Link a file that is named by its content from the first of `folders` that has it to the same place below `target`.

    Returns:
        Whether it lies there now; False: none of the folders has it either.
    """
    if not (target / relative).exists():
        source = next((folder / relative for folder in folders if (folder / relative).exists()), None)
        if source is None:
            return False
        (target / relative).parent.mkdir(parents=True, exist_ok=True)
        link_file(source, target / relative)
    return True


@contextmanager
def locked(path: Path, *, wait: bool = True) -> Iterator[None]:
    """Hold a lock between processes, by a file that is there for this alone; the death of the process that holds it frees it.

    Whoever holds it may delete the file, with its folder: those that wait for it lock the one that lies there then.

    Raises:
        StoreError: the file cannot be opened; or, where `wait` is False, another process holds the lock.
    """
    while True:
        with _lock_file(path) as handle:
            try:
                fcntl.flock(handle, fcntl.LOCK_EX | (0 if wait else fcntl.LOCK_NB))
            except BlockingIOError as error:
                raise StoreError(f"{path}: a process is at work here; wait for it or stop it") from error
            if _is_at(path, handle):
                yield
                return


def _lock_file(path: Path) -> IO[bytes]:
    while True:
        try:
            path.parent.mkdir(parents=True, exist_ok=True)
            return path.open("ab")
        except FileNotFoundError:
            continue  # who held the lock deleted the folder between the two
        except OSError as error:
            raise StoreError(f"{path}: cannot be locked ({error.strerror}); free space or permissions, then run again") from error


def _is_at(path: Path, handle: IO[bytes]) -> bool:
    """Whether an open file is the one that lies at a path now."""
    try:
        return os.path.samestat(os.fstat(handle.fileno()), path.stat())
    except FileNotFoundError:
        return False


def sha256_bytes(data: bytes) -> str:
    """Hexadecimal SHA-256 of bytes."""
    return hashlib.sha256(data).hexdigest()


def sha256_file(path: Path) -> str:
    """Hexadecimal SHA-256 of a file's content."""
    with path.open("rb") as handle:
        return hashlib.file_digest(handle, "sha256").hexdigest()
