"""Small dataset folders for tests: drawn pictures whose class a small model can learn from colour and shape.

Both builders give every class and every split at least one lesion, several images a lesion, and the same bytes for the same
arguments. They write through `components.dataset`, as the steps do.
"""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import cv2
import numpy as np
import numpy.typing as npt
import pandas as pd

from components.dataset import (
    COLUMNS,
    read_manifest,
    shard_name,
    write_files_shard,
    write_manifest,
    write_pixels_shard,
    write_preprocessing,
)
from components.files import sha256_bytes
from components.lesions import Diagnosis, Split, Task
from components.measures import COLUMNS as MEASURES
from components.measures import write_measures
from components.params import PreprocessParams

Pixels = npt.NDArray[np.uint8]

# RGB of the lesion; the outline is a polygon of 3, 4, … 10 corners, in the order of the diagnoses.
COLOURS: dict[Diagnosis, tuple[int, int, int]] = {
    Diagnosis.MEL: (45, 40, 75),
    Diagnosis.NV: (130, 80, 45),
    Diagnosis.BCC: (225, 110, 160),
    Diagnosis.AK: (215, 200, 70),
    Diagnosis.BKL: (85, 110, 60),
    Diagnosis.DF: (140, 80, 170),
    Diagnosis.VASC: (195, 25, 35),
    Diagnosis.SCC: (250, 240, 235),
}
_SPLITS = (Split.TRAIN, Split.VAL, Split.TEST, Split.TRAIN, Split.TRAIN, Split.TRAIN)
_SHARD_ROWS = 16


@dataclass(frozen=True)
class DrawnImage:
    """One picture with its exact mask, and what the manifest says of it."""

    image_id: str
    lesion_id: str
    label: Diagnosis
    split: Split
    image: Pixels
    mask: Pixels


def encoded_dataset(
    root: Path,
    *,
    per_class: int | Mapping[Diagnosis, int] = 6,
    images_per_lesion: int = 2,
    size: tuple[int, int] = (48, 64),
    tasks: Sequence[Task] = tuple(Task),
    seed: int = 0,
    source: str = "phantom",
) -> Path:
    """Write what `validate` hands on: JPEG images and PNG masks in zip shards, groups and splits filled.

    Args:
        root: the folder to write; made if absent.
        per_class: lesions of each diagnosis (at least 3, so that no split is empty), or of each that is named.
        images_per_lesion: images of one lesion.
        size: height, width in pixels.
        tasks: which rows to write; an image of both tasks lies in the shards once.
        seed: of every draw.
        source: the manifest's `source`; a data set with `phantom` in it says that it was drawn.

    Returns:
        `root`.
    """
    rows: list[dict[str, object]] = []
    for part in _parts(list(draw_images(per_class, images_per_lesion, size, seed))):
        files = [(drawn, _encode(".jpg", drawn.image), _encode(".png", drawn.mask)) for drawn in part]
        name = shard_name("files", [drawn.image_id for drawn in part])
        members = [(f"{drawn.image_id}.jpg", jpeg) for drawn, jpeg, _ in files]
        if Task.SEGMENTATION in tasks:
            members += [(f"{drawn.image_id}_segmentation.png", png) for drawn, _, png in files]
        shard = write_files_shard(root, name, members)
        for row, (drawn, jpeg, png) in enumerate(files):
            mask = f"{shard}/{drawn.image_id}_segmentation.png"
            rows += _manifest_rows(drawn, tasks, source, shard, row, sha256_bytes(jpeg), mask, sha256_bytes(png))
    write_manifest(root, pd.DataFrame(rows, columns=list(COLUMNS)))
    return root


def preprocessed_dataset(
    root: Path,
    *,
    per_class: int | Mapping[Diagnosis, int] = 6,
    images_per_lesion: int = 2,
    size: tuple[int, int] = (32, 32),
    tasks: Sequence[Task] = tuple(Task),
    seed: int = 0,
    source: str = "phantom",
) -> Path:
    """Write what `preprocess` hands on: pixel shards of each task; arguments as in `encoded_dataset`."""
    rows: list[dict[str, object]] = []
    for part in _parts(list(draw_images(per_class, images_per_lesion, size, seed))):
        images = np.stack([drawn.image for drawn in part])
        masks = np.stack([drawn.mask for drawn in part])
        for task in tasks:
            name = shard_name(task, [drawn.image_id for drawn in part])
            shard = write_pixels_shard(root, name, images, masks if task is Task.SEGMENTATION else None)
            for row, drawn in enumerate(part):
                digests = sha256_bytes(drawn.image.tobytes()), sha256_bytes(drawn.mask.tobytes())
                mask = f"shards/drawn.zip/{drawn.image_id}_segmentation.png"
                rows += _manifest_rows(drawn, [task], source, shard, row, digests[0], mask, digests[1])
    write_preprocessing(root, resize_alone(size))
    write_manifest(root, pd.DataFrame(rows, columns=list(COLUMNS)))
    return root


def some_measures(root: Path) -> pd.DataFrame:
    """Write measures.parquet of a dataset, and give it back: hair on 1, 5 or 20 % of an image, the lesion on as much."""
    rows = read_manifest(root)
    share = rows["image_id"].map(lambda name: (0.01, 0.05, 0.2)[int(sha256_bytes(name.encode())[:6], 16) % 3])
    measures = pd.DataFrame(dict.fromkeys(MEASURES, 0.5), index=rows.index).assign(
        image_id=rows["image_id"],
        task=rows["task"],
        bytes=1,
        pixels_sha256="0" * 64,
        hash=[np.zeros(8, np.uint64)] * len(rows),
        hair_share=share,
        mask_share=share.where(rows["task"] == Task.SEGMENTATION.value),
        mask_components=1,
    )
    write_measures(root, measures)
    return measures


def resize_alone(size: tuple[int, int]) -> PreprocessParams:
    """The preprocessing of `preprocessed_dataset`: pictures are drawn at their size, and nothing else is done to them."""
    return PreprocessParams(
        mode="exact",
        classification_size=size,
        segmentation_size=size,
        remove_hair=False,
        hair_kernel=9,
        hair_threshold=10,
        inpaint_radius=1,
        equalise=False,
        clip_limit=2.0,
        tiles=8,
        shard_rows=_SHARD_ROWS,
    )


def draw_images(
    per_class: int | Mapping[Diagnosis, int], images_per_lesion: int, size: tuple[int, int], seed: int
) -> Iterator[DrawnImage]:
    """Draw every image of the lesions of each class; see `encoded_dataset`."""
    counts = dict.fromkeys(Diagnosis, per_class) if isinstance(per_class, int) else per_class
    for label, lesions in counts.items():
        for lesion in range(lesions):
            for view in range(images_per_lesion):
                rng = np.random.default_rng([seed, list(Diagnosis).index(label), lesion, view])
                image, mask = draw_lesion(label, size, rng)
                name = f"T_{label}_{lesion:03d}"
                yield DrawnImage(f"{name}_{view}", name, label, _SPLITS[lesion % len(_SPLITS)], image, mask)


def draw_lesion(label: Diagnosis, size: tuple[int, int], rng: np.random.Generator) -> tuple[Pixels, Pixels]:
    """Draw skin, the lesion of this class and a few hairs.

    Returns:
        image, H x W x 3 uint8 RGB, and mask, H x W uint8 0 | 255: exactly where the lesion was drawn (hairs lie over both).
    """
    height, width = size
    shade = np.linspace(0.92, 1.0, width, dtype=np.float32)[None, :, None] * rng.uniform(0.9, 1.0)
    image = np.broadcast_to(np.array([232, 190, 165], np.float32) * shade, (height, width, 3)).copy()
    corners = 3 + list(Diagnosis).index(label)
    angles = rng.uniform(0, 2 * np.pi) + np.arange(corners) * 2 * np.pi / corners
    centre = np.array([width, height]) * rng.uniform(0.4, 0.6, 2)
    outline = centre + min(size) * rng.uniform(0.22, 0.34) * np.stack([np.cos(angles), np.sin(angles)], axis=1)
    mask = np.zeros(size, np.uint8)
    cv2.fillPoly(mask, [np.rint(outline).astype(np.int32)], 255)
    image[mask == 255] = np.array(COLOURS[label], np.float32)
    image += rng.normal(0, 6, image.shape).astype(np.float32)
    pixels = np.clip(np.rint(image), 0, 255).astype(np.uint8)
    for _ in range(3):
        ends = (rng.uniform(0, 1, (2, 2)) * [width, height]).astype(int)
        cv2.line(pixels, ends[0].tolist(), ends[1].tolist(), (35, 25, 20), max(1, min(size) // 150), cv2.LINE_AA)
    return pixels, mask


def _parts(drawn: list[DrawnImage]) -> Iterator[list[DrawnImage]]:
    return (drawn[start : start + _SHARD_ROWS] for start in range(0, len(drawn), _SHARD_ROWS))


def _encode(ending: str, pixels: Pixels) -> bytes:
    ordered = cv2.cvtColor(pixels, cv2.COLOR_RGB2BGR) if pixels.ndim == 3 else pixels
    return bytes(cv2.imencode(ending, ordered)[1])


def _manifest_rows(
    drawn: DrawnImage, tasks: Sequence[Task], source: str, shard: str, row: int, sha256: str, mask: str, mask_sha256: str
) -> list[dict[str, object]]:
    number = int(sha256[:6], 16)
    common: dict[str, object] = dict.fromkeys(COLUMNS) | {
        "image_id": drawn.image_id,
        "label": drawn.label.value,
        "lesion_id": drawn.lesion_id,
        "group_id": drawn.lesion_id,
        "age_approx": float(20 + number % 60),
        "sex": ("female", "male")[number % 2],
        "anatom_site_general": ("anterior torso", "lower extremity", "head/neck")[number % 3],
        "source": source,
        "licence": "none",
        "sha256": sha256,
        "width": drawn.image.shape[1],
        "height": drawn.image.shape[0],
        "split": drawn.split.value,
        "fold": None if drawn.split is Split.TEST else int(sha256_bytes(drawn.lesion_id.encode())[:6], 16) % 5,
        "shard": shard,
        "row": row,
    }
    ours = {Task.CLASSIFICATION: common, Task.SEGMENTATION: common | {"mask": mask, "mask_sha256": mask_sha256}}
    return [ours[task] | {"task": task.value} for task in tasks]
