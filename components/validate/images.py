"""What is checked on the pixels of every image and mask, and what is kept of them: fingerprints, and the repair of masks."""

import io
import os
import shutil
import threading
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path

import cv2
import numpy as np
import numpy.typing as npt
import pandas as pd

from components.dataset import Dataset, shard_name, write_files_shard
from components.errors import ImageFormatError
from components.files import atomic_write, sha256_bytes
from components.groups import TEXTURE_SIDE, Fingerprint, fingerprint
from components.images import Mask, RGBImage, decode_image, decode_mask, decode_mask_checked, one_thread_a_call
from components.lesions import Task
from components.reporter import Reporter
from components.validate.quarantine import Finding, Problem

LEAST_SIDE = 16
# Real skin of one colour has 3.7 and more (ISIC 2019 and HAM10000, 11,579 images); a lens cap with its noise, under 1.
LEAST_SPREAD = 1.5
ASPECT_TOLERANCE = 0.02

_CHECKS = "checks"


@dataclass(frozen=True)
class FileChecks:
    """What was found on files.

    Attributes:
        findings: what is wrong, with the rows it costs.
        fingerprints: (shard, row) of each sound image → its fingerprint.
        repaired: position of a segmentation row → SHA-256 of its mask, repaired.
    """

    findings: list[Finding]
    fingerprints: dict[tuple[str, int], Fingerprint]
    repaired: dict[int, str]


@dataclass(frozen=True)
class _ImageCheck:
    file: str
    reason: str = ""
    print: Fingerprint | None = None


@dataclass(frozen=True)
class _MaskCheck:
    reason: str = ""
    repaired: str = ""


def check_files(dataset: Dataset, out: Path, reporter: Reporter, *, workers: int | None = None) -> FileChecks:
    """Decode every image and mask once, on every core.

    Refused are images that cannot be decoded, are smaller than 16 pixels or blank, and masks that cannot be decoded, are empty,
    cover the whole image or have another shape than it (beyond 2 %). A mask with other values than 0 and 255 is repaired. What
    was found is kept in `out/checks`, a file a shard, so that an attempt that was killed goes on; `drop_checks` deletes it.

    Args:
        dataset: ingest's output.
        out: the step's work folder.
        reporter: is told how many files are done.
        workers: threads; None: one a core. Memory: one image a thread, and 4 KiB for every image.
    """
    checks = FileChecks([], {}, {})
    total = len(dataset.manifest.drop_duplicates(["shard", "row"])) + int(dataset.manifest["mask"].notna().sum())
    done = 0
    with one_thread_a_call(), ThreadPoolExecutor(workers or os.cpu_count()) as pool:
        checker = _Checker(dataset.root)
        for shard, rows in dataset.manifest.groupby("shard", sort=True):
            images, masks = _cut(rows)
            kept = out / _CHECKS / f"{Path(str(shard)).stem}.npz"
            found = _load(kept)
            if found is None:
                found = [], []
                for check in pool.map(checker.image, images):
                    found[0].append(check)
                    reporter.progress(done + len(found[0]), total, "images and masks checked")
                for mask_check in pool.map(checker.mask, masks):
                    found[1].append(mask_check)
                    reporter.progress(done + len(images) + len(found[1]), total, "images and masks checked")
                _save(kept, *found)
            done += len(images) + len(masks)
            _collect(checks, rows, images, masks, *found)
    reporter.progress(total, total, "images and masks checked")
    return checks


def write_repaired_masks(dataset: Dataset, out: Path, repaired: dict[int, str]) -> str:
    """Write the repaired masks of rows into a shard of their own: 8-bit PNG, 0 | 255.

    Args:
        dataset: ingest's output.
        out: the step's work folder.
        repaired: position of a row → SHA-256 of its repaired mask.

    Returns:
        The shard's path, relative to `out`.
    """
    rows = [dataset.manifest.iloc[position] for position in repaired]
    parts = [part for row, digest in zip(rows, repaired.values(), strict=True) for part in (str(row["image_id"]), digest)]
    members = ((_mask_file(row), _encode(decode_mask(dataset.mask_bytes(row), _mask_file(row)))) for row in rows)
    return write_files_shard(out, shard_name(Task.SEGMENTATION, ["repaired masks", *parts]), members)


def drop_checks(out: Path) -> None:
    """Delete what `check_files` kept for an attempt that goes on."""
    shutil.rmtree(out / _CHECKS, ignore_errors=True)


class _Checker(threading.local):
    """Reads and checks files; each thread has archives of its own open."""

    def __init__(self, root: Path) -> None:
        self._dataset = Dataset(root)

    def image(self, row: pd.Series) -> _ImageCheck:
        file = self._dataset.image_name(row)
        try:
            image = decode_image(self._dataset.image_bytes(row), file)
        except ImageFormatError as error:
            return _ImageCheck(file, str(error).removeprefix(f"{file}: "))
        reason = _image_reason(image)
        return _ImageCheck(file, reason, None if reason else fingerprint(image))

    def mask(self, row: pd.Series) -> _MaskCheck:
        file = _mask_file(row)
        try:
            mask, repaired = decode_mask_checked(self._dataset.mask_bytes(row), file)
        except ImageFormatError as error:
            return _MaskCheck(str(error).removeprefix(f"{file}: "))
        reason = _mask_reason(mask, (int(row["height"]), int(row["width"])))
        return _MaskCheck(reason, sha256_bytes(_encode(mask)) if repaired and not reason else "")


def _image_reason(image: RGBImage) -> str:
    height, width = image.shape[:2]
    if min(height, width) < LEAST_SIDE:
        return f"image is {width} x {height} pixels; at least {LEAST_SIDE} a side are needed"
    reduced = cv2.resize(image, (TEXTURE_SIDE, TEXTURE_SIDE), interpolation=cv2.INTER_AREA)
    if float(cv2.meanStdDev(cv2.cvtColor(reduced, cv2.COLOR_RGB2GRAY))[1][0, 0]) < LEAST_SPREAD:
        return "image is blank: its pixels are all alike; leave it out"
    return ""


def _mask_reason(mask: Mask, size: tuple[int, int]) -> str:
    (mask_height, mask_width), (height, width) = mask.shape, size
    across = mask_height * width
    if abs(mask_width * height - across) > ASPECT_TOLERANCE * across:
        return f"mask is {mask_width} x {mask_height} pixels, another shape than its image's {width} x {height}; give its own mask"
    if not mask.any():
        return "mask is empty: no pixel is lesion; draw it again or leave it out"
    if mask.all():
        return "mask covers the whole image: no pixel is skin; draw it again or leave it out"
    return ""


def _mask_file(row: pd.Series) -> str:
    return Path(str(row["mask"])).name


def _encode(mask: Mask) -> bytes:
    return bytes(cv2.imencode(".png", mask)[1])


def _cut(rows: pd.DataFrame) -> tuple[list[pd.Series], list[pd.Series]]:
    """Rows that stand for each image of a shard once, and rows with a mask."""
    masked = rows[rows["mask"].notna()]
    return [row for _, row in rows.drop_duplicates("row").iterrows()], [row for _, row in masked.iterrows()]


def _collect(
    checks: FileChecks,
    rows: pd.DataFrame,
    images: Sequence[pd.Series],
    masks: Sequence[pd.Series],
    image_checks: Sequence[_ImageCheck],
    mask_checks: Sequence[_MaskCheck],
) -> None:
    for row, image in zip(images, image_checks, strict=True):
        place = str(row["shard"]), int(row["row"])
        if image.print is not None:
            checks.fingerprints[place] = image.print
        else:
            users = rows.index[rows["row"] == row["row"]]
            problem = Problem(str(row["image_id"]), image.reason, image.file, "image")
            checks.findings.append(Finding(problem, tuple(int(position) for position in users)))
    for row, mask in zip(masks, mask_checks, strict=True):
        position = int(str(row.name))
        if mask.reason:
            problem = Problem(str(row["image_id"]), mask.reason, _mask_file(row), "mask")
            checks.findings.append(Finding(problem, (position,)))
        elif mask.repaired:
            checks.repaired[position] = mask.repaired


def _save(path: Path, images: Sequence[_ImageCheck], masks: Sequence[_MaskCheck]) -> None:
    blank = np.zeros((TEXTURE_SIDE, TEXTURE_SIDE), np.uint8)
    arrays: dict[str, npt.NDArray[np.generic]] = {
        "image": np.array([check.file for check in images], dtype=np.str_),
        "reason": np.array([check.reason for check in images], dtype=np.str_),
        "hash": np.array([check.print.hash if check.print else 0 for check in images], dtype=np.uint64),
        "texture": np.array([check.print.texture if check.print else blank for check in images], dtype=np.uint8),
        "mask_reason": np.array([check.reason for check in masks], dtype=np.str_),
        "repaired": np.array([check.repaired for check in masks], dtype=np.str_),
    }
    packed = io.BytesIO()
    np.savez(packed, **arrays)  # type: ignore[arg-type]
    with atomic_write(path) as handle:
        handle.write(packed.getvalue())


def _load(path: Path) -> tuple[list[_ImageCheck], list[_MaskCheck]] | None:
    if not path.exists():
        return None
    with np.load(path, allow_pickle=False) as kept:
        arrays = {name: kept[name] for name in kept.files}
    images = [
        _ImageCheck(str(file), str(reason), None if reason else Fingerprint(int(bits), texture))
        for file, reason, bits, texture in zip(arrays["image"], arrays["reason"], arrays["hash"], arrays["texture"], strict=True)
    ]
    masks = [_MaskCheck(*map(str, pair)) for pair in zip(arrays["mask_reason"], arrays["repaired"], strict=True)]
    return images, masks
