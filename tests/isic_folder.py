"""A builder of small folders of ISIC files, as published, with the defects that a test wants."""

import csv
import io
import zlib
from collections.abc import Sequence
from pathlib import Path

import cv2
import numpy as np
import numpy.typing as npt

from components.lesions import CODES

Pixels = npt.NDArray[np.uint8]

LABELS = ("image", *CODES, "UNK")
FACTS = ("image", "age_approx", "anatom_site_general", "lesion_id", "sex")


class IsicFolder:
    """Writes images, masks and tables below `root`; the same id gives the same picture at any size.

    folder = IsicFolder(tmp_path)
    folder.image("ISIC_1"); folder.mask("ISIC_1"); folder.row("ISIC_1", "MEL", age_approx="55")
    folder.tables()
    """

    def __init__(self, root: Path) -> None:
        self.root = root
        self.labels: list[list[str]] = []
        self.facts: list[list[str]] = []
        root.mkdir(parents=True, exist_ok=True)

    def fill(self, per_class: int = 2, *, codes: Sequence[str] = CODES, size: tuple[int, int] = (48, 64)) -> "IsicFolder":
        """A sound folder for both tasks: images, masks, rows and tables; ids are ISIC_MEL_0, ISIC_MEL_1, …"""
        for code in codes:
            for number in range(per_class):
                image_id = f"ISIC_{code}_{number}"
                self.image(image_id, size=size)
                self.mask(image_id, size=size)
                self.row(image_id, code, lesion_id=f"L_{code}_{number}")
        self.tables()
        return self

    def image(
        self, image_id: str, *, size: tuple[int, int] = (48, 64), folder: str = "images", ending: str = ".jpg", file: str = ""
    ) -> Path:
        """An image file of height, width `size`; `file` is its name where that differs from the id."""
        ok, encoded = cv2.imencode(ending, draw(image_id, size)[0][:, :, ::-1])
        assert ok
        return self.raw(f"{folder}/{file or image_id + ending}", encoded.tobytes())

    def mask(self, image_id: str, *, size: tuple[int, int] = (48, 64), folder: str = "masks", file: str = "") -> Path:
        """The lesion mask of the image of this id, as `<id>_segmentation.png`."""
        ok, encoded = cv2.imencode(".png", draw(image_id, size)[1])
        assert ok
        return self.raw(f"{folder}/{file or image_id + '_segmentation.png'}", encoded.tobytes())

    def row(
        self,
        image_id: str,
        *codes: str,
        age_approx: str = "45",
        anatom_site_general: str = "anterior torso",
        lesion_id: str = "",
        sex: str = "female",
    ) -> None:
        """One row of each table, written by `tables`; several codes (or none) make a bad row."""
        self.labels.append([image_id, *("1.0" if code in codes else "0.0" for code in LABELS[1:])])
        self.facts.append([image_id, age_approx, anatom_site_general, lesion_id, sex])

    def tables(self, folder: str = ".", *, newline: str = "\n", encoding: str = "utf-8") -> None:
        """Write all rows so far as `GroundTruth.csv` and `Metadata.csv`."""
        self.table(f"{folder}/GroundTruth.csv", LABELS, self.labels, newline=newline, encoding=encoding)
        self.table(f"{folder}/Metadata.csv", FACTS, self.facts, newline=newline, encoding=encoding)

    def table(
        self, path: str, columns: Sequence[str], rows: Sequence[Sequence[str]], *, newline: str = "\n", encoding: str = "utf-8"
    ) -> Path:
        """Write one table."""
        text = io.StringIO(newline="")
        csv.writer(text, lineterminator=newline).writerows([columns, *rows])
        return self.raw(path, text.getvalue().encode(encoding))

    def raw(self, path: str, data: bytes) -> Path:
        """Write a file as it is."""
        place = self.root / path
        place.parent.mkdir(parents=True, exist_ok=True)
        place.write_bytes(data)
        return place


def draw(image_id: str, size: tuple[int, int]) -> tuple[Pixels, Pixels]:
    """A brown blot on mottled skin (H x W x 3, RGB) and its mask (H x W, 0 | 255); no two ids look alike."""
    random = np.random.default_rng(zlib.crc32(image_id.encode()))
    height, width = size
    mottle = cv2.resize(random.uniform(-50, 50, (5, 5)).astype(np.float32), (width, height), interpolation=cv2.INTER_CUBIC)
    skin = np.array([200, 150, 130]) + random.uniform(-20, 20, 3)
    image = np.clip(skin + mottle[:, :, None], 0, 255).astype(np.uint8)
    mask = np.zeros(size, np.uint8)
    centre = (int(width * random.uniform(0.4, 0.6)), int(height * random.uniform(0.4, 0.6)))
    axes = (int(width * random.uniform(0.15, 0.3)), int(height * random.uniform(0.15, 0.3)))
    cv2.ellipse(mask, centre, axes, random.uniform(0, 180), 0, 360, 255, -1)
    image[mask > 0] = (image[mask > 0] * random.uniform(0.3, 0.6)).astype(np.uint8)
    return image, mask
