"""Tensors out of a file that PyTorch wrote before version 1.6, without PyTorch and without running what a pickle asks for.

Such a file is five pickles (a magic number, the protocol, sizes of types, the tensors by name, the keys of the storages) and, in
the order of these keys, each storage as its number of elements (int64) and raw little-endian elements
(`torch.serialization._legacy_save`). A tensor is a view of a storage: offset, shape and strides in elements.
"""

import pickle
import struct
from collections import OrderedDict
from collections.abc import Mapping
from dataclasses import dataclass
from io import BytesIO
from math import prod
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from components.errors import WeightsError

_MAGIC = 0x1950A86A20F9469CFC6C
_DTYPES: dict[str, np.dtype[Any]] = {"FloatStorage": np.dtype("<f4"), "LongStorage": np.dtype("<i8")}
# What unpickling and reading raise where bytes are missing or wrong.
_DAMAGE = (
    pickle.UnpicklingError,
    struct.error,
    EOFError,
    ValueError,
    LookupError,
    TypeError,
    AttributeError,
    ArithmeticError,
    AssertionError,
    RecursionError,
    MemoryError,
)


@dataclass(frozen=True)
class _View:
    """A tensor before its storage is read; what the pickle's `_rebuild_tensor_v2` is called with."""

    storage: tuple[Any, ...]
    offset: int
    shape: tuple[int, ...]
    strides: tuple[int, ...]

    def on(self, storages: Mapping[str, npt.NDArray[Any]]) -> npt.NDArray[Any]:
        storage = storages[self.storage[2]]
        least = self.offset + sum((side - 1) * stride for side, stride in zip(self.shape, self.strides, strict=True)) + 1
        if min((self.offset, *self.strides, *self.shape)) < 0 or least > storage.size or prod(self.shape) > storage.size:
            raise ValueError("a tensor reaches beyond its storage")
        strides = [stride * storage.itemsize for stride in self.strides]
        return np.ascontiguousarray(np.lib.stride_tricks.as_strided(storage[self.offset :], self.shape, strides))


def read_torch_file(path: Path) -> dict[str, npt.NDArray[Any]]:
    """Read the tensors of a PyTorch file of the old form.

    Returns:
        name → array, float32 or int64, in PyTorch's order of axes.

    Raises:
        WeightsError: the file is absent, cut off, of another form, or its pickles name anything but tensors.
    """
    try:
        return _read(BytesIO(path.read_bytes()))
    except OSError as error:
        raise WeightsError(f"{path}: cannot be read ({error.strerror}); install the package or copy the file again") from error
    except _DAMAGE as error:
        raise WeightsError(f"{path}: is no whole PyTorch file of the old form ({error}); copy it again") from error


def _read(file: BytesIO) -> dict[str, npt.NDArray[Any]]:
    if _TensorsOnly(file).load() != _MAGIC:
        raise ValueError("it does not begin with PyTorch's number")
    for _ in ("protocol", "sizes of types"):
        _TensorsOnly(file).load()
    views: Mapping[str, _View] = _TensorsOnly(file).load()
    keys: list[str] = _TensorsOnly(file).load()
    dtypes = {view.storage[2]: _DTYPES[view.storage[1]] for view in views.values()}
    storages = {key: _read_storage(file, dtypes[key]) for key in keys}
    return {name: view.on(storages) for name, view in views.items()}


def _read_storage(file: BytesIO, dtype: np.dtype[Any]) -> npt.NDArray[Any]:
    (count,) = struct.unpack("<q", file.read(8))
    data = file.read(max(count, 0) * dtype.itemsize)
    if len(data) != count * dtype.itemsize:
        raise EOFError("a storage is cut off")
    return np.frombuffer(data, dtype)


class _TensorsOnly(pickle._Unpickler):
    """Builds dictionaries of tensors and nothing else: every other name in the pickle is refused before it is looked up.

    Python's own unpickler: the one in C takes as much memory as a damaged index asks for, 16 GB say, and the process dies of it.
    """

    def find_class(self, module: str, name: str) -> Any:
        if (module, name) == ("collections", "OrderedDict"):
            return OrderedDict
        if (module, name) == ("torch._utils", "_rebuild_tensor_v2"):
            return lambda storage, offset, shape, strides, *_: _View(storage, offset, shape, strides)
        if module == "torch" and name in _DTYPES:
            return name
        raise pickle.UnpicklingError(f"it names {module}.{name}, which is no tensor")

    def persistent_load(self, pid: Any) -> Any:
        return pid
