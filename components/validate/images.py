"""What is checked and measured on the pixels of every image and mask, and the repair of masks.

What was found in an encoded shard is kept in `measures/<shard>-<digest of its masks>.npz`: a killed attempt goes on from there, and
a later output that holds the same shard takes it over instead of decoding again.
"""

import hashlib
import io
import math
import threading
from collections.abc import Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import astuple, dataclass, fields
from functools import lru_cache
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import numpy.typing as npt
import pandas as pd

from components.cores import usable_cores
from components.dataset import Dataset, Row, shard_name, write_files_shard
from components.errors import ImageFormatError
from components.files import atomic_write, sha256_bytes, take_over
from components.images import Mask, RGBImage, decode_image, decode_mask, decode_mask_checked, one_thread_a_call
from components.lesions import Task
from components.measuring import ImageMeasures, MaskMeasures, measure
from components.near_duplicates import TEXTURE_SIDE, TURNS, Fingerprint, Hashes, Places, Texture, fingerprint, halved
from components.reporter import Reporter
from components.validate.quarantine import Finding, Problem

LEAST_SIDE = 16
# Real skin of one colour has 3.7 and more (ISIC 2019 and HAM10000, 11,579 images); a lens cap with its noise, under 1.
LEAST_SPREAD = 1.5
ASPECT_TOLERANCE = 0.02

# Images that a thread takes at once: enough that handing them out costs nothing beside them.
_AT_ONCE = 8
_OPEN_TEXTURES = 4

_OF_IMAGE = [field.name for field in fields(ImageMeasures)]
_OF_MASK = [field.name for field in fields(MaskMeasures)]

Arrays = Mapping[str, npt.NDArray[Any]]


@dataclass(frozen=True)
class Checked:
    """What was found on the images and masks of a manifest.

    Attributes:
        findings: what is wrong, with the rows it costs.
        repaired: position of a segmentation row → SHA-256 of its mask, repaired.
        measures: by position of the row, the columns of `components.measures` but id, task and `hash`; those of an image that was
            refused mean nothing.
        numbers: by position of the row, the number of its image.
        hashes: of each image, by its number.
        textures: of each image, by its number, read from the disk when asked.
    """

    findings: list[Finding]
    repaired: dict[int, str]
    measures: pd.DataFrame
    numbers: Places
    hashes: Hashes
    textures: "Textures"


@dataclass(frozen=True)
class _Check:
    """What was found on one image and its mask."""

    file: str
    bytes: int
    reason: str = ""
    pixels_sha256: str = ""
    print: Fingerprint | None = None
    measures: tuple[float, ...] = (math.nan,) * len(_OF_IMAGE)
    mask_reason: str = ""
    repaired: str = ""
    mask_measures: tuple[float, ...] = (math.nan,) * len(_OF_MASK)


@dataclass(frozen=True)
class _Shard:
    """An encoded shard.

    Attributes:
        positions: of its rows in the manifest.
        images: each image once: `shard`, `row`, and `mask`, None where it has none.
        place: of each row's image in `images`.
        kept: where what was found on them is kept, relative to the output.
    """

    positions: Places
    images: list[dict[str, Any]]
    place: Places
    kept: str


def measure_files(
    dataset: Dataset, out: Path, reporter: Reporter, *, earlier: Sequence[Path] = (), workers: int | None = None
) -> None:
    """Decode every image and mask once, on every core, check them, and measure all that `components.measures` holds.

    Refused are images that cannot be decoded, are smaller than 16 pixels or blank, and masks that cannot be decoded, are empty,
    cover the whole image or have another shape than it (beyond 2 %). A mask with other values than 0 and 255 is repaired.

    Args:
        dataset: ingest's output.
        out: the step's work folder; gets `measures/`, and what lies there already is not measured again.
        reporter: is told how many images are done.
        earlier: outputs that this code made before; what they hold of the same shards is taken over.
        workers: threads; None: one a core. Memory: what is found in a shard, and an image a thread.
    """
    shards = _cut(dataset.manifest)
    total, done = sum(len(shard.images) for shard in shards), 0
    with one_thread_a_call(), ThreadPoolExecutor(workers or usable_cores()) as pool:
        checker = _Checker(dataset)
        for shard in shards:
            if not take_over(shard.kept, out, earlier):
                parts = [shard.images[start : start + _AT_ONCE] for start in range(0, len(shard.images), _AT_ONCE)]
                checks: list[_Check] = []
                for part in pool.map(checker.check, parts):
                    checks += part
                    reporter.progress(done + len(checks), total, "images checked and measured")
                _save(out / shard.kept, checks)
            done += len(shard.images)
    reporter.progress(total, total, "images checked and measured")


def read_checks(manifest: pd.DataFrame, out: Path) -> Checked:
    """What `measure_files` found on the images and masks of a manifest, by its rows; 0.5 KiB of memory for every image."""
    shards = _cut(manifest)
    kept = [_load(out / shard.kept) for shard in shards]
    counts = [len(shard.images) for shard in shards]
    numbers = np.empty(len(manifest), np.int64)
    for start, shard in zip(np.cumsum([0, *counts]), shards, strict=False):
        numbers[shard.positions] = start + shard.place
    arrays = {name: np.concatenate([one[name] for one in kept]) for name in kept[0]} if kept else _pack([])
    del kept
    masked = manifest["mask"].notna().to_numpy()
    measures = pd.DataFrame(
        {
            "bytes": arrays["bytes"][numbers],
            "pixels_sha256": arrays["pixels_sha256"].astype(object)[numbers],
            **dict(zip(_OF_IMAGE, arrays["measures"][numbers].T, strict=True)),
            **dict(zip(_OF_MASK, np.where(masked, arrays["mask_measures"][numbers].T, np.nan), strict=True)),
        }
    )
    repaired = np.flatnonzero(masked & (arrays["repaired"] != "")[numbers]).tolist()
    return Checked(
        _findings(manifest, arrays, numbers, masked),
        {position: str(arrays["repaired"][numbers[position]]) for position in repaired},
        measures,
        numbers,
        arrays["hash"],
        Textures([out / shard.kept for shard in shards], counts),
    )


class Textures:
    """Textures of images by their numbers, K x TEXTURE_SIDE x TEXTURE_SIDE uint8, read from what is kept of shards."""

    def __init__(self, files: Sequence[Path], counts: Sequence[int]) -> None:
        self._files = files
        self._starts = np.cumsum([0, *counts])
        self._read = lru_cache(_OPEN_TEXTURES)(self._read_file)

    def __call__(self, numbers: Places) -> Texture:
        """The textures of some images."""
        textures = np.empty((len(numbers), TEXTURE_SIDE, TEXTURE_SIDE), np.uint8)
        files = np.searchsorted(self._starts, numbers, side="right") - 1
        for file in np.unique(files):
            mine = files == file
            textures[mine] = self._read(int(file))[numbers[mine] - self._starts[file]]
        return textures

    def _read_file(self, file: int) -> Texture:
        with np.load(self._files[file], allow_pickle=False) as kept:
            textures: Texture = kept["texture"]
        return textures


def write_repaired_masks(
    dataset: Dataset, out: Path, repaired: Mapping[int, str], *, earlier: Sequence[Path] = ()
) -> dict[int, str]:
    """Write the repaired masks of rows into shards of their own, one for each shard that held them: 8-bit PNG, 0 | 255.

    Args:
        dataset: ingest's output.
        out: the step's work folder.
        repaired: position of a row → SHA-256 of its repaired mask.
        earlier: outputs that this code made before; their shards of the same masks are linked.

    Returns:
        Position of a row → path of its mask, relative to `out`.
    """
    paths: dict[int, str] = {}
    rows = dataset.manifest.loc[list(repaired), ["image_id", "mask"]]
    for _, some in rows.groupby(rows["mask"].map(lambda mask: str(mask).rpartition("/")[0]), sort=True):
        parts = [part for position, name in some["image_id"].items() for part in (str(name), repaired[int(str(position))])]
        name = shard_name(Task.SEGMENTATION, ["repaired masks", *parts])
        take_over(f"shards/{name}.zip", out, earlier)
        members = (
            (_mask_file(mask), _encode(decode_mask(dataset.mask_bytes({"mask": mask}), _mask_file(mask)))) for mask in some["mask"]
        )
        shard = write_files_shard(out, name, members)
        paths |= {int(str(position)): f"{shard}/{_mask_file(mask)}" for position, mask in some["mask"].items()}
    return paths


class _Checker(threading.local):
    """Reads and checks files; each thread has archives of its own open."""

    def __init__(self, dataset: Dataset) -> None:
        self._dataset = dataset.reopened()

    def check(self, images: Sequence[Row]) -> list[_Check]:
        return [self._check(image) for image in images]

    def _check(self, row: Row) -> _Check:
        file, data = self._dataset.image_name(row), self._dataset.image_bytes(row)
        try:
            image = decode_image(data, file)
        except ImageFormatError as error:
            return _Check(file, len(data), str(error).removeprefix(f"{file}: "))
        grey = cv2.cvtColor(image, cv2.COLOR_RGB2GRAY)
        if reason := _image_reason(grey):
            return _Check(file, len(data), reason)
        mask, mask_reason, repaired = self._mask(row, grey.shape)
        measures, mask_measures = measure(image, grey, mask)
        return _Check(
            file,
            len(data),
            pixels_sha256=_pixels_sha256(image),
            print=fingerprint(grey),
            measures=astuple(measures),
            mask_reason=mask_reason,
            repaired=repaired,
            mask_measures=astuple(mask_measures) if mask_measures else _Check.mask_measures,
        )

    def _mask(self, row: Row, size: tuple[int, ...]) -> tuple[Mask | None, str, str]:
        """The mask of an image where it is sound, why it is not, and the digest of it repaired."""
        if row["mask"] is None:
            return None, "", ""
        file = _mask_file(row["mask"])
        try:
            mask, repaired = decode_mask_checked(self._dataset.mask_bytes(row), file)
        except ImageFormatError as error:
            return None, str(error).removeprefix(f"{file}: "), ""
        if reason := _mask_reason(mask, size):
            return None, reason, ""
        return mask, "", sha256_bytes(_encode(mask)) if repaired else ""


def _image_reason(grey: npt.NDArray[np.uint8]) -> str:
    height, width = grey.shape
    if min(height, width) < LEAST_SIDE:
        return f"image is {width} x {height} pixels; at least {LEAST_SIDE} a side are needed"
    reduced = cv2.resize(halved(grey, TEXTURE_SIDE), (TEXTURE_SIDE, TEXTURE_SIDE), interpolation=cv2.INTER_AREA)
    if float(cv2.meanStdDev(reduced)[1][0, 0]) < LEAST_SPREAD:
        return "image is blank: its pixels are all alike; leave it out"
    return ""


def _mask_reason(mask: Mask, size: tuple[int, ...]) -> str:
    (mask_height, mask_width), (height, width) = mask.shape, size
    across = mask_height * width
    if abs(mask_width * height - across) > ASPECT_TOLERANCE * across:
        return f"mask is {mask_width} x {mask_height} pixels, another shape than its image's {width} x {height}; give its own mask"
    if not mask.any():
        return "mask is empty: no pixel is lesion; draw it again or leave it out"
    if mask.all():
        return "mask covers the whole image: no pixel is skin; draw it again or leave it out"
    return ""


def _pixels_sha256(image: RGBImage) -> str:
    """Digest of pixels and shape: equal for a JPEG and a lossless copy of what it decodes to."""
    height, width = image.shape[:2]
    digest = hashlib.sha256(f"{height}x{width}:".encode())
    digest.update(np.ascontiguousarray(image).data)
    return digest.hexdigest()


def _mask_file(mask: str) -> str:
    return mask.rpartition("/")[2]


def _encode(mask: Mask) -> bytes:
    return bytes(cv2.imencode(".png", mask)[1])


def _cut(manifest: pd.DataFrame) -> list[_Shard]:
    places = manifest[["shard", "row", "mask", "mask_sha256"]].reset_index(drop=True)
    return [_shard(str(shard), rows) for shard, rows in places.groupby("shard", sort=True)]


def _shard(path: str, rows: pd.DataFrame) -> _Shard:
    masked = rows[rows["mask"].notna()].sort_values("row")
    masks = dict(zip(masked["row"].tolist(), masked["mask"], strict=True))
    numbers, place = np.unique(rows["row"].to_numpy(np.int64), return_inverse=True)
    images = [{"shard": path, "row": number, "mask": masks.get(number)} for number in numbers.tolist()]
    parts = [*map(str, numbers.tolist()), *masked["mask"], *masked["mask_sha256"].fillna("")]
    return _Shard(rows.index.to_numpy(), images, place, f"measures/{shard_name(Path(path).stem, parts)}.npz")


def _findings(manifest: pd.DataFrame, arrays: Arrays, numbers: Places, masked: npt.NDArray[np.bool_]) -> list[Finding]:
    findings = []
    for number in np.flatnonzero(arrays["reason"] != "").tolist():
        positions = np.flatnonzero(numbers == number).tolist()
        name = str(manifest["image_id"].iloc[positions[0]])
        problem = Problem(name, str(arrays["reason"][number]), str(arrays["name"][number]), "image")
        findings.append(Finding(problem, tuple(positions)))
    for position in np.flatnonzero(masked & (arrays["mask_reason"] != "")[numbers]).tolist():
        row = manifest.iloc[position]
        reason = str(arrays["mask_reason"][numbers[position]])
        findings.append(Finding(Problem(str(row["image_id"]), reason, _mask_file(str(row["mask"])), "mask"), (position,)))
    return findings


def _pack(checks: Sequence[_Check]) -> dict[str, npt.NDArray[Any]]:
    return {
        "name": np.array([check.file for check in checks], np.str_),
        "bytes": np.array([check.bytes for check in checks], np.int64),
        "reason": np.array([check.reason for check in checks], np.str_),
        "pixels_sha256": np.array([check.pixels_sha256 for check in checks], np.str_),
        "hash": np.array([check.print.hashes if check.print else [0] * TURNS for check in checks], np.uint64).reshape(-1, TURNS),
        "measures": np.array([check.measures for check in checks], np.float64).reshape(-1, len(_OF_IMAGE)),
        "mask_reason": np.array([check.mask_reason for check in checks], np.str_),
        "repaired": np.array([check.repaired for check in checks], np.str_),
        "mask_measures": np.array([check.mask_measures for check in checks], np.float64).reshape(-1, len(_OF_MASK)),
    }


def _save(path: Path, checks: Sequence[_Check]) -> None:
    blank = np.zeros((TEXTURE_SIDE, TEXTURE_SIDE), np.uint8)
    packed = io.BytesIO()
    np.savez(packed, **_pack(checks), texture=np.array([check.print.texture if check.print else blank for check in checks]))  # type: ignore[arg-type]
    with atomic_write(path) as handle:
        handle.write(packed.getbuffer())


def _load(path: Path) -> dict[str, npt.NDArray[Any]]:
    """All that is kept in a file but the textures."""
    with np.load(path, allow_pickle=False) as kept:
        return {name: kept[name] for name in kept.files if name != "texture"}
