"""Tensors out of PyTorch's old files: by stride, never by running what a pickle asks for, and never out of a damaged file."""

import io
import os
import pickle
import resource
import struct
from collections import OrderedDict
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from itertools import product
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from components.backbones.torch_file import read_torch_file
from components.errors import WeightsError

MAGIC = 0x1950A86A20F9469CFC6C
VALUES = np.arange(12, dtype="<f4")


class Named:
    """Pickled as a name of another module, as PyTorch's classes are, without that module."""

    def __init__(self, module: str, name: str) -> None:
        self.module, self.name = module, name


class Tensor:
    def __init__(self, offset: Any, shape: Any, strides: Any, rebuild: Named, kind: str = "FloatStorage") -> None:
        self.parts = (offset, shape, strides)
        self.rebuild, self.kind = rebuild, kind


class Storage:
    def __init__(self, kind: str) -> None:
        self.kind = kind


class Writer(pickle._Pickler):  # the one in Python, which can write a name that is not there
    """Writes what `torch.save` wrote before version 1.6."""

    def persistent_id(self, value: Any) -> Any:
        return ("storage", Named("torch", value.kind), "7", "cpu", 12, None) if isinstance(value, Storage) else None

    def save(self, value: Any, save_persistent_id: bool = True) -> None:
        if isinstance(value, Named):
            self.write(pickle.GLOBAL + f"{value.module}\n{value.name}\n".encode())
        elif isinstance(value, Tensor):
            self.save(value.rebuild)
            self.save((Storage(value.kind), *value.parts, False, OrderedDict()))
            self.write(pickle.REDUCE)
        else:
            super().save(value, save_persistent_id)


def pickled(value: Any) -> bytes:
    stream = io.BytesIO()
    Writer(stream, protocol=2).dump(value)
    return stream.getvalue()


def tensor(offset: Any = 0, shape: Any = (3, 4), strides: Any = (4, 1), name: str = "_rebuild_tensor_v2", **kind: str) -> Tensor:
    return Tensor(offset, shape, strides, Named("torch._utils", name), **kind)


def torch_file(tensors: Any, storage: bytes = struct.pack("<q", 12) + VALUES.tobytes(), magic: int = MAGIC) -> bytes:
    return b"".join(pickled(part) for part in (magic, 1001, {"little_endian": True}, tensors, ["7"])) + storage


def read(content: bytes, folder: Path) -> dict[str, np.ndarray]:
    path = folder / "weights.pth"
    path.write_bytes(content)
    return read_torch_file(path)


def test_a_tensor_is_rebuilt_by_its_strides(tmp_path: Path) -> None:
    tensors = {"rows": tensor(), "columns": tensor(0, (4, 3), (1, 4)), "part": tensor(5, (2,), (3,))}
    got = read(torch_file(OrderedDict(tensors)), tmp_path)
    assert got["rows"].tolist() == [[0, 1, 2, 3], [4, 5, 6, 7], [8, 9, 10, 11]]
    assert got["columns"].tolist() == [[0, 4, 8], [1, 5, 9], [2, 6, 10], [3, 7, 11]]
    assert got["part"].tolist() == [5, 8]
    assert got["rows"].dtype == np.float32


def test_counts_are_read_as_long_integers(tmp_path: Path) -> None:
    storage = struct.pack("<qq", 1, 2**40)
    got = read(torch_file({"batches": tensor(0, (), (), kind="LongStorage")}, storage), tmp_path)
    assert got["batches"] == 2**40


class Attack:
    def __reduce__(self) -> tuple[Callable[[str], int], tuple[str]]:
        return os.system, ("touch hacked",)


HOSTILE = {
    "a command": lambda: torch_file({"a": Attack()}),
    "a command in place of the number": lambda: pickle.dumps(Attack(), protocol=2) + torch_file({"a": tensor()}),
    "eval": lambda: torch_file({"a": Named("builtins", "eval")}),
    "getattr": lambda: torch_file({"a": Named("builtins", "getattr")}),
    "another part of torch": lambda: torch_file({"a": Named("torch.hub", "load")}),
    "another tensor": lambda: torch_file({"a": tensor(name="_rebuild_sparse_tensor")}),
    "a storage of Python objects": lambda: torch_file({"a": tensor(kind="ObjectStorage")}),
    "strides beyond the storage": lambda: torch_file({"a": tensor(strides=(5, 1))}),
    "an offset beyond the storage": lambda: torch_file({"a": tensor(offset=1)}),
    "an offset before the storage": lambda: torch_file({"a": tensor(offset=-1, shape=(2,), strides=(1,))}),
    "strides backwards": lambda: torch_file({"a": tensor(offset=11, shape=(3,), strides=(-4,))}),
    "a negative side": lambda: torch_file({"a": tensor(shape=(-3, 4))}),
    "a huge shape on one number": lambda: torch_file({"a": tensor(shape=(10**9, 10**9), strides=(0, 0))}),
    "more strides than sides": lambda: torch_file({"a": tensor(strides=(4, 1, 1))}),
    "sides that are words": lambda: torch_file({"a": tensor(shape=("a", "b"))}),
    "no tensors": lambda: torch_file([1, 2]),
    "a number for a tensor": lambda: torch_file({"a": 1}),
    "an enormous count": lambda: torch_file({"a": tensor()}, struct.pack("<q", 2**60) + VALUES.tobytes()),
    "a count that overflows": lambda: torch_file({"a": tensor()}, struct.pack("<q", 2**63 - 1) + VALUES.tobytes()),
    "a negative count": lambda: torch_file({"a": tensor()}, struct.pack("<q", -1) + VALUES.tobytes()),
    "another number at the beginning": lambda: torch_file({"a": tensor()}, magic=1),
    "a zip archive, as torch.save writes today": lambda: b"PK\x03\x04" + bytes(200),
    "nothing": lambda: b"",
}


@pytest.mark.parametrize("name", HOSTILE)
def test_a_hostile_file_is_refused_and_runs_nothing(name: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    with pytest.raises(WeightsError, match=r"weights\.pth: is no whole PyTorch file of the old form \(.*copy it again"):
        read(HOSTILE[name](), tmp_path)
    assert not (tmp_path / "hacked").exists()


def test_a_file_that_is_cut_anywhere_is_refused(tmp_path: Path) -> None:
    content = torch_file({"a": tensor()})
    for length in range(len(content)):
        with pytest.raises(WeightsError):
            read(content[:length], tmp_path)
    assert read(content, tmp_path)["a"].shape == (3, 4)


def test_a_flipped_bit_gives_tensors_or_a_typed_error(tmp_path: Path) -> None:
    whole = torch_file({"a": tensor()})
    refused = 0
    for place, bit in product(range(len(whole)), range(8)):
        content = bytearray(whole)
        content[place] ^= 1 << bit
        try:
            assert all(array.size <= 12 for array in read(bytes(content), tmp_path).values())
        except WeightsError:
            refused += 1
    assert refused > len(whole)


@contextmanager
def limited_memory() -> Iterator[None]:
    """At most 2 GiB more than now."""
    before = resource.getrlimit(resource.RLIMIT_AS)
    now = int(Path("/proc/self/statm").read_text().split()[0]) * resource.getpagesize()
    resource.setrlimit(resource.RLIMIT_AS, (now + 2**31, before[1]))
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_AS, before)


def test_an_index_that_asks_for_gigabytes_takes_none(tmp_path: Path) -> None:
    remember = pickle.NONE + pickle.LONG_BINPUT + struct.pack("<I", 2**32 - 1) + pickle.STOP
    with limited_memory(), pytest.raises(WeightsError):
        read(remember, tmp_path)


def test_a_file_that_is_not_there_is_a_typed_error(tmp_path: Path) -> None:
    with pytest.raises(WeightsError, match=r"none\.pth: cannot be read \(No such file"):
        read_torch_file(tmp_path / "none.pth")
