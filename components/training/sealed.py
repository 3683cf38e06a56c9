"""Arrays in a file that tells when a byte of it changed: a numpy .npz without pickle, its SHA-256 in the zip's comment.

A zip's own checksums cover what lies in it, but neither its directory nor its names, and CRC-32 misses what is changed on purpose.
The digest is over every byte before it, and the last 32 bytes of the file are the digest.
"""

import hashlib
import zipfile
from collections.abc import Iterable
from pathlib import Path
from typing import IO, Any

import numpy as np
import numpy.typing as npt

from components.errors import CheckpointError
from components.files import atomic_write

Array = npt.NDArray[Any]

_DIGEST = hashlib.sha256().digest_size
_PART = 1 << 20


def write_sealed(path: Path, arrays: Iterable[tuple[str, Array]]) -> None:
    """Write named arrays, whole or not at all, one after another: all of them together would be a second model in memory.

    Raises:
        StoreError: the disk is full, or the folder cannot be written.
    """
    with atomic_write(path) as handle:
        with zipfile.ZipFile(handle, "w") as archive:
            archive.comment = bytes(_DIGEST)
            for name, value in arrays:
                with archive.open(f"{name}.npy", "w", force_zip64=True) as member:
                    np.lib.format.write_array(member, value, allow_pickle=False)
        digest = _digest(handle)
        handle.seek(-_DIGEST, 2)
        handle.write(digest)


def read_sealed(path: Path) -> dict[str, Array]:
    """All arrays of a file, by name, in the order in which they were written.

    Raises:
        CheckpointError: a byte of it is not the one that was written, or it cannot be read at all.
    """
    try:
        with path.open("rb") as handle:
            digest = _digest(handle)
            if handle.read() != digest:
                raise CheckpointError(f"{path.name}: its bytes are not those that were written")
            handle.seek(0)
            with np.load(handle, allow_pickle=False) as arrays:
                return dict(arrays)
    except (OSError, EOFError, ValueError, KeyError, zipfile.BadZipFile) as error:
        raise CheckpointError(f"{path.name}: cannot be read ({error})") from error


def _digest(handle: IO[bytes]) -> bytes:
    """The SHA-256 of all but the last 32 bytes of a file, which is left standing before them."""
    left = max(handle.seek(0, 2) - _DIGEST, 0)
    handle.seek(0)
    digest = hashlib.sha256()
    while left:
        part = handle.read(min(left, _PART))
        if not part:
            raise EOFError("it ends too soon")
        digest.update(part)
        left -= len(part)
    return digest.digest()
