"""A builder of what ingest hands on: a dataset folder of encoded files, with the defects that a test wants."""

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import numpy.typing as npt
import pandas as pd

from components.dataset import COLUMNS, shard_name, write_files_shard, write_manifest
from components.files import sha256_bytes
from components.groups import split_of
from components.lesions import Split
from components.params import ValidateParams, load_params
from components.project import project_file
from components.validate.quarantine import Problem, write_quarantine

Pixels = npt.NDArray[np.uint8]

# Row of the manifest, encoded image, encoded mask, tasks.
File = tuple[dict[str, Any], bytes, bytes | None, list[str]]

SHARD_IMAGES = 8


def params(**changes: object) -> ValidateParams:
    """The defaults of params.yaml, with some changed."""
    return load_params(project_file("params.yaml")).params.validate_.model_copy(update=changes)


def groups_in(split: Split, count: int, prefix: str = "L") -> list[str]:
    """Names of groups that the default shares put into a split."""
    names = (f"{prefix}{number}" for number in range(100_000))
    found = (name for name in names if split_of(name, test_share=0.15, val_share=0.15) is split)
    return [name for name, _ in zip(found, range(count), strict=False)]


def picture(seed: int, size: tuple[int, int] = (90, 120)) -> Pixels:
    """A mole on skin (H x W x 3, RGB), another texture for each seed."""
    random = np.random.default_rng(seed)
    height, width = size
    image = np.full((height, width, 3), (215, 175, 150), np.float32)
    cv2.circle(image, (width * 2 // 5, height * 9 // 20), height // 4, (120, 80, 50), -1, cv2.LINE_AA)
    for cells in (10, 20, 40):
        image += cv2.resize(random.normal(0, 10, (cells, cells)).astype(np.float32), (width, height))[:, :, None]
    return np.clip(image, 0, 255).astype(np.uint8)


def mask_of(size: tuple[int, int] = (90, 120)) -> Pixels:
    """The mole's mask, H x W, 0 | 255."""
    mask = np.zeros(size, np.uint8)
    cv2.circle(mask, (size[1] * 2 // 5, size[0] * 9 // 20), size[0] // 4, 255, -1)
    return mask


def jpeg(image: Pixels) -> bytes:
    return bytes(cv2.imencode(".jpg", image[:, :, ::-1], [cv2.IMWRITE_JPEG_QUALITY, 92])[1])


def png(pixels: npt.NDArray[Any]) -> bytes:
    return bytes(cv2.imencode(".png", pixels)[1])


class RawData:
    """Writes a dataset folder as ingest does.

    raw = RawData(tmp_path / "raw")
    raw.add("ISIC_1", label="MEL", lesion_id="L1", mask=True)
    raw.write()
    """

    def __init__(self, root: Path) -> None:
        self.root = root
        self._files: list[File] = []
        self._seed = 0

    def add(
        self,
        image_id: str,
        *,
        label: str | None = "NV",
        image: Pixels | bytes | None = None,
        mask: Pixels | bytes | bool = False,
        size: tuple[int, int] = (90, 120),
        **values: Any,
    ) -> "RawData":
        """One image: for classification where it has a label, for segmentation where it has a mask."""
        self._seed += 1
        pixels = picture(self._seed, size) if image is None else image
        encoded = pixels if isinstance(pixels, bytes) else jpeg(pixels)
        shape = size if isinstance(pixels, bytes) else pixels.shape[:2]
        drawn = mask_of(shape) if mask is True else mask
        encoded_mask = drawn if isinstance(drawn, bytes) else png(drawn) if drawn is not False else None
        tasks = (["classification"] if label else []) + (["segmentation"] if encoded_mask else [])
        row = {"image_id": image_id, "label": label, "height": shape[0], "width": shape[1], "source": "clinic", "sex": "female"}
        self._files.append((row | {"age_approx": 50.0, "sha256": sha256_bytes(encoded)} | values, encoded, encoded_mask, tasks))
        return self

    def fill(self, codes: str = "MEL NV", *, train: int = 4, others: int = 2, mask: bool = True) -> "RawData":
        """Sound images of each class, one a lesion: `train` in train, `others` in val and in test; ids are <code>_<lesion>."""
        for code in codes.split():
            for split, count in ((Split.TRAIN, train), (Split.VAL, others), (Split.TEST, others)):
                for lesion in groups_in(split, count, f"{code}-"):
                    self.add(f"I_{lesion}", label=code, lesion_id=lesion, mask=mask)
        return self

    def write(self, refused: list[Problem] | None = None) -> Path:
        """Write shards, manifest and quarantine.csv; the folder."""
        rows = []
        for part in self._parts():
            members: list[tuple[str, bytes]] = []
            places = []
            for row, encoded, encoded_mask, _ in part:
                places.append(len(members))
                members.append((f"{row['image_id']}.jpg", encoded))
                if encoded_mask:
                    members.append((f"{row['image_id']}_segmentation.png", encoded_mask))
            shard = write_files_shard(self.root, shard_name("files", [sha256_bytes(data) for _, data in members]), members)
            for place, (row, _, encoded_mask, tasks) in zip(places, part, strict=True):
                masked = {"mask": f"{shard}/{row['image_id']}_segmentation.png", "mask_sha256": sha256_bytes(encoded_mask or b"")}
                for task in tasks:
                    more = masked if task == "segmentation" else {}
                    rows.append(dict.fromkeys(COLUMNS) | {"task": task, "shard": shard, "row": place} | more | row)
        write_manifest(self.root, pd.DataFrame(rows, columns=list(COLUMNS)))
        write_quarantine(self.root, refused or [])
        return self.root

    def _parts(self) -> Iterator[list[File]]:
        """Files of a shard: no id twice in one, as the names in an archive must differ."""
        part: list[File] = []
        for file in self._files:
            if len(part) == SHARD_IMAGES or any(file[0]["image_id"] == other[0]["image_id"] for other in part):
                yield part
                part = []
            part.append(file)
        if part:
            yield part
