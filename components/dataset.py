"""The dataset contract: a folder with a manifest and pixels, read and written here alone.

    manifest.parquet     one row for each (image_id, task); the columns of COLUMNS; the schema version in its metadata
    shards/*.zip         encoded files, as they came (after ingest and validate): <image_id>.jpg, <image_id>_segmentation.png
    shards/*.npy         decoded pixels (after preprocess): uint8, N x H x W x 3; *.masks.npy: uint8 0 | 255, N x H x W
    preprocess.json      what the pixels went through (after preprocess), so that whoever predicts can do the same
    segmenter/           the bundle of the segmenter that classifier images were cropped by, where they were (after preprocess)

A folder is readable alone: it holds no absolute path and needs nothing outside it. A shard is named by the digest of what
goes into it, is written whole or not at all, and never changes; labels live in the manifest alone.
"""

import hashlib
import json
import zipfile
from collections.abc import Iterable, Mapping, Sequence
from copy import copy
from functools import cached_property
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import pandas as pd
import pyarrow as pa
from pydantic import ValidationError

from components.errors import DatasetError
from components.files import atomic_write, link_file, sha256_bytes, write_text
from components.lesion_crop import SEGMENTER
from components.lesions import Split, Task
from components.params import PreprocessParams
from components.parquet import Opener, open_local, read_table, write_table

SCHEMA_VERSION = 1

# Column → Arrow type. Nullable where ISIC's own tables leave a cell empty, or a later step fills it.
SCHEMA = pa.schema(
    [
        pa.field("image_id", pa.string(), nullable=False),
        pa.field("task", pa.string(), nullable=False),
        pa.field("label", pa.string()),
        pa.field("mask", pa.string()),
        pa.field("lesion_id", pa.string()),
        pa.field("group_id", pa.string()),
        pa.field("age_approx", pa.float64()),
        pa.field("sex", pa.string()),
        pa.field("anatom_site_general", pa.string()),
        pa.field("skin_tone", pa.float64()),
        pa.field("source", pa.string(), nullable=False),
        pa.field("licence", pa.string()),
        pa.field("patient_id", pa.string()),
        pa.field("sha256", pa.string(), nullable=False),
        pa.field("mask_sha256", pa.string()),
        pa.field("width", pa.int32(), nullable=False),
        pa.field("height", pa.int32(), nullable=False),
        pa.field("split", pa.string()),
        pa.field("fold", pa.int32()),
        pa.field("shard", pa.string()),
        pa.field("row", pa.int32()),
    ]
)
COLUMNS: tuple[str, ...] = tuple(SCHEMA.names)

# A row of the manifest; a plain mapping is quicker to read where there are many.
Row = pd.Series | Mapping[Any, Any]

# Where pixels lie says nothing about an image.
VERSIONED: tuple[str, ...] = tuple(name for name in COLUMNS if name not in ("shard", "row"))

_ZIP_TIME = (1980, 1, 1, 0, 0, 0)
_OPEN_ARCHIVES = 4


def data_version(manifest: pd.DataFrame) -> str:
    """Hash over the sorted rows of a manifest, all columns that say something about an image: 64 hexadecimal digits.

    Independent of row order, and of where the pixels lie (`shard`, `row`, and the folder part of `mask`).
    """
    frame = _typed(manifest)[list(VERSIONED)]
    frame["mask"] = [None if mask is None else mask.rpartition("/")[2] for mask in frame["mask"]]
    digest = hashlib.sha256(json.dumps([SCHEMA_VERSION, VERSIONED]).encode())
    rows = sorted(json.dumps(row, ensure_ascii=False) for row in _cells(frame))
    for row in rows:
        digest.update(row.encode() + b"\n")
    return digest.hexdigest()


def write_manifest(root: Path, manifest: pd.DataFrame) -> str:
    """Write manifest.parquet, sorted by task and image_id, and return its data version.

    Raises:
        DatasetError: a column is missing, a required cell is empty, or an (image_id, task) comes twice.
    """
    frame = _typed(manifest).sort_values(["task", "image_id"], kind="stable", ignore_index=True)
    twice = frame.duplicated(["image_id", "task"])
    if twice.any():
        row = frame[twice].iloc[0]
        raise DatasetError(
            f"{root}/manifest.parquet: {row.image_id} stands twice for {row.task}; keep one row for each image and task"
        )
    version = data_version(frame)
    write_table(root / "manifest.parquet", frame, SCHEMA, SCHEMA_VERSION, remedy="fill it", more={"data_version": version})
    return version


def read_manifest(root: Path, opener: Opener = open_local) -> pd.DataFrame:
    """Read manifest.parquet: the columns of COLUMNS, empty cells as None or NaN.

    Args:
        root: the folder.
        opener: how its files are opened.

    Raises:
        DatasetError: the file is absent, damaged, or of another schema version.
    """
    absent, remedy = f"{root} is no dataset folder", "make the dataset again"
    return _typed(read_table(root / "manifest.parquet", SCHEMA_VERSION, absent=absent, remedy=remedy, opener=opener))


def _typed(manifest: pd.DataFrame) -> pd.DataFrame:
    missing = [name for name in COLUMNS if name not in manifest.columns]
    if missing:
        raise DatasetError(f"manifest: column {missing[0]} is missing; it must have {', '.join(COLUMNS)}")
    frame = manifest[list(COLUMNS)].copy()
    for field in SCHEMA:
        try:
            frame[field.name] = _as_type(frame[field.name], field)
        except (TypeError, ValueError) as error:
            raise DatasetError(f"manifest: column {field.name} holds what is no {field.type} ({error}); mend it") from error
    return frame.reset_index(drop=True)


def _as_type(column: pd.Series, field: pa.Field) -> pd.Series:
    if pa.types.is_string(field.type):
        return column.astype(object).where(column.notna(), None)
    if pa.types.is_integer(field.type):
        return column.astype("Int32" if field.nullable else "int32")
    return column.astype("float64")


def _cells(frame: pd.DataFrame) -> Iterable[list[object]]:
    columns = [[None if pd.isna(cell) else cell for cell in frame[name].tolist()] for name in frame.columns]
    return (list(row) for row in zip(*columns, strict=True))


def shard_name(task: Task | str, parts: Iterable[str]) -> str:
    """Name of a shard without its ending: task and a digest of what goes into it (ids, digests, pixel settings)."""
    return f"{task}-{sha256_bytes(json.dumps(list(parts)).encode())[:16]}"


def write_files_shard(root: Path, name: str, members: Iterable[tuple[str, bytes]]) -> str:
    """Write `shards/<name>.zip`, uncompressed and byte-identical for the same members; one that lies there is kept.

    Returns:
        The shard's path relative to `root`.
    """
    relative = f"shards/{name}.zip"
    if not (root / relative).exists():
        with atomic_write(root / relative) as handle, zipfile.ZipFile(handle, "w", zipfile.ZIP_STORED) as archive:
            for member, data in members:
                archive.writestr(zipfile.ZipInfo(member, _ZIP_TIME), data)
    return relative


def write_named_shard(root: Path, task: Task | str, members: Iterable[tuple[str, bytes, str]]) -> str:
    """Write a zip shard, uncompressed, whose name follows from what `members` give: name, bytes, SHA-256, one after the other.

    Where no member comes, no shard is written.

    Returns:
        The shard's path relative to `root`.
    """
    parts: list[str] = []
    # Its name is known when it is whole; until then it has one that is removed with what a killed attempt left.
    unnamed = root / "shards" / ".unnamed.part"
    with atomic_write(unnamed) as handle, zipfile.ZipFile(handle, "w", zipfile.ZIP_STORED) as archive:
        for member, data, digest in members:
            archive.writestr(zipfile.ZipInfo(member, _ZIP_TIME), data)
            parts += [member, digest]
    relative = f"shards/{shard_name(task, parts)}.zip"
    if parts:
        unnamed.replace(root / relative)
    else:
        unnamed.unlink()
    return relative


def write_pixels_shard(root: Path, name: str, images: npt.NDArray[np.uint8], masks: npt.NDArray[np.uint8] | None = None) -> str:
    """Write `shards/<name>.npy` (N x H x W x 3 uint8) and, for segmentation, `shards/<name>.masks.npy` (N x H x W, 0 | 255).

    Returns:
        The image file's path relative to `root`.
    """
    if masks is not None:
        _write_array(root / f"shards/{name}.masks.npy", masks)
    _write_array(root / f"shards/{name}.npy", images)
    return f"shards/{name}.npy"


def has_pixels_shard(root: Path, name: str) -> bool:
    """Whether `write_pixels_shard` has written this shard whole (masks come first, so the image file tells)."""
    return (root / f"shards/{name}.npy").exists()


def link_pixels_shard(root: Path, name: str, folders: Iterable[Path]) -> bool:
    """Take a shard over from the first of `folders` that has it, as a hard link; False: none has."""
    found = next((folder for folder in folders if has_pixels_shard(folder, name)), None)
    if found is None:
        return False
    for ending in (".masks.npy", ".npy"):
        source, target = (folder / f"shards/{name}{ending}" for folder in (found, root))
        if source.exists():
            target.parent.mkdir(exist_ok=True)
            link_file(source, target)
    return True


def write_preprocessing(root: Path, params: PreprocessParams) -> None:
    """Write preprocess.json: what every pixel of the folder went through."""
    write_text(root / "preprocess.json", params.model_dump_json(indent=1) + "\n")


def _write_array(path: Path, array: npt.NDArray[np.uint8]) -> None:
    with atomic_write(path) as handle:
        np.lib.format.write_array(handle, np.ascontiguousarray(array), allow_pickle=False)


class Dataset:
    """A dataset folder, open for reading.

    Args:
        root: the folder.
        opener: how its manifest and its encoded files are opened; pixels (`images`, `masks`) are mapped from the file system.

    Attributes:
        root: the folder.
        manifest: its rows, columns of COLUMNS.
    """

    def __init__(self, root: Path, opener: Opener = open_local) -> None:
        self.root = Path(root)
        self._opener = opener
        self.manifest = read_manifest(self.root, opener)
        self._archives: dict[str, zipfile.ZipFile] = {}
        self._arrays: dict[str, npt.NDArray[np.uint8]] = {}

    def reopened(self) -> "Dataset":
        """The same folder and manifest with archives of its own open, for another thread."""
        other = copy(self)
        other._archives, other._arrays = {}, {}
        return other

    def with_manifest(self, manifest: pd.DataFrame) -> "Dataset":
        """The same pixels under other rows: some of this manifest's, with splits of their own; its data version is theirs."""
        other = self.reopened()
        other.manifest = _typed(manifest)
        vars(other).pop("version", None)
        return other

    @cached_property
    def version(self) -> str:
        """The data version: see `data_version`."""
        return data_version(self.manifest)

    @property
    def phantom(self) -> bool:
        """Whether any image was drawn, not photographed."""
        return bool((self.manifest["source"] == "phantom").any())

    @cached_property
    def preprocessing(self) -> PreprocessParams:
        """What the pixels of a preprocessed dataset went through.

        Raises:
            DatasetError: preprocess.json is absent or damaged.
        """
        path = self.root / "preprocess.json"
        try:
            return PreprocessParams.model_validate_json(path.read_bytes())
        except (OSError, ValidationError) as error:
            raise DatasetError(f"{path}: cannot be read ({str(error).splitlines()[0]}); preprocess again") from error

    @property
    def segmenter(self) -> Path | None:
        """The bundle of the segmenter that classifier images of a preprocessed dataset were cropped by; None: they were not."""
        return self.root / SEGMENTER if self.preprocessing.segmenter is not None else None

    def rows(self, task: Task, split: Split | None = None) -> pd.DataFrame:
        """Rows of a task (and split), in the manifest's order."""
        chosen = self.manifest["task"] == task.value
        if split is not None:
            chosen &= self.manifest["split"] == split.value
        return self.manifest[chosen].reset_index(drop=True)

    def outlined(self) -> pd.DataFrame:
        """Segmentation rows, by image_id, whose mask lies on the classifier's image, too, in the manifest's order.

        Of one image each task may have a file of its own, one a crop of the other, as ISIC's are: there it does not. Files count as
        the same picture where they are equal, or of the same width and height.
        """
        classified = self.rows(Task.CLASSIFICATION).set_index("image_id")
        masked = self.rows(Task.SEGMENTATION).set_index("image_id", drop=False)
        masked = masked[masked.index.isin(classified.index)]
        of_class = classified.loc[masked.index]
        same_size = (masked["width"] == of_class["width"]) & (masked["height"] == of_class["height"])
        return masked[same_size | (masked["sha256"] == of_class["sha256"])]

    def tasks(self) -> list[Task]:
        """Tasks that have at least one row."""
        present = set(self.manifest["task"])
        return [task for task in Task if task.value in present]

    def image_bytes(self, row: Row) -> bytes:
        """The encoded image of a row of an ingested or validated dataset (thread-safe for one reader a thread)."""
        return self._read(str(row["shard"]), self._image(row))

    def image_name(self, row: Row) -> str:
        """The encoded image's own name: `<image_id>.jpg` or `<image_id>.png`."""
        return self._image(row).filename

    def mask_bytes(self, row: Row) -> bytes:
        """The encoded mask of a segmentation row; `mask` is its path: `shards/<shard>.zip/<member>`."""
        shard, _, member = str(row["mask"]).rpartition("/")
        return self._read(shard, member)

    def images(self, rows: pd.DataFrame) -> npt.NDArray[np.uint8]:
        """Decoded pixels of rows of a preprocessed dataset: N x H x W x 3, uint8, RGB, in the rows' order."""
        return self._gather(rows, ".npy")

    def masks(self, rows: pd.DataFrame) -> npt.NDArray[np.uint8]:
        """Decoded masks of segmentation rows of a preprocessed dataset: N x H x W, uint8, 0 | 255."""
        return self._gather(rows, ".masks.npy")

    def _gather(self, rows: pd.DataFrame, ending: str) -> npt.NDArray[np.uint8]:
        if rows.empty:
            raise DatasetError(f"{self.root}: no rows were asked for; choose at least one")
        shards: Sequence[str] = rows["shard"].tolist()
        places = rows["row"].to_numpy(dtype=np.int64)
        first = self._array(shards[0], ending)
        out = np.empty((len(rows), *first.shape[1:]), np.uint8)
        for shard in dict.fromkeys(shards):
            here = np.array([name == shard for name in shards])
            out[here] = self._array(shard, ending)[places[here]]
        return out

    def _array(self, shard: str, ending: str) -> npt.NDArray[np.uint8]:
        path = shard.removesuffix(".npy") + ending
        if path not in self._arrays:
            try:
                self._arrays[path] = np.load(self.root / path, mmap_mode="r", allow_pickle=False)
            except (OSError, ValueError) as error:
                raise DatasetError(f"{self.root / path}: cannot be read ({error}); preprocess again") from error
        return self._arrays[path]

    def _image(self, row: Row) -> zipfile.ZipInfo:
        members = self._archive(str(row["shard"])).infolist()
        if not 0 <= int(row["row"]) < len(members):
            raise DatasetError(f"{self.root / str(row['shard'])}: holds no file number {row['row']}; ingest again")
        return members[int(row["row"])]

    def _read(self, shard: str, member: str | zipfile.ZipInfo) -> bytes:
        try:
            return self._archive(shard).read(member)
        except (KeyError, OSError, zipfile.BadZipFile) as error:
            raise DatasetError(f"{self.root / shard}: a file in it cannot be read ({error}); ingest again") from error

    def _archive(self, shard: str) -> zipfile.ZipFile:
        if shard not in self._archives:
            # Shards are read one after the other: those behind would only take up memory and file descriptors.
            while len(self._archives) >= _OPEN_ARCHIVES:
                del self._archives[next(iter(self._archives))]
            try:
                self._archives[shard] = zipfile.ZipFile(self._opener(self.root / shard))
            except (OSError, zipfile.BadZipFile) as error:
                raise DatasetError(f"{self.root / shard}: cannot be read ({error}); ingest again") from error
        return self._archives[shard]
