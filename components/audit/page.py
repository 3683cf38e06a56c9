"""audit.html: what matters most on the first screen, every finding with its pictures below; it loads nothing from elsewhere."""

import base64
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import zip_longest
from pathlib import Path

import cv2
import numpy as np
import pandas as pd

from components.audit.data import AuditedData
from components.audit.findings import SHOWN, Exhibit, Family, Finding, Findings, Severity
from components.audit.render import render
from components.files import write_text
from components.images import RGBImage, decode_image, decode_mask

PAGE_FILE = "audit.html"
_SIDE = 220
_QUALITY = 82


@dataclass(frozen=True)
class _Picture:
    image_id: str
    uri: str
    note: str


@dataclass(frozen=True)
class _Shown:
    pictures: list[_Picture]
    caption: str


@dataclass(frozen=True)
class _Section:
    finding: Finding
    figure: str
    shown: list[_Shown]


def write_page(out: Path, findings: Findings, data: AuditedData, figures: Path) -> None:
    """Write audit.html.

    Args:
        out: the folder to write.
        findings: what it shows.
        data: the dataset, for thumbnails.
        figures: folder of the figures that findings name.
    """
    thumbnails = _Thumbnails(data)
    families = [
        (family, [_section(one, thumbnails, figures) for one in findings.findings if one.family is family]) for family in Family
    ]
    page = render(
        "audit.html.j2",
        findings=findings,
        families=[(family, sections) for family, sections in families if sections],
        severities=[(severity, findings.count(severity)) for severity in Severity if findings.count(severity)],
        sources=sorted(data.rows["source"].unique()),
        classes=data.classes,
        masks=len(data.masked),
        labelled=len(data.labelled),
    )
    write_text(out / PAGE_FILE, page)


def _section(finding: Finding, thumbnails: "_Thumbnails", figures: Path) -> _Section:
    figure = _uri((figures / f"{finding.figure}.png").read_bytes(), "png") if finding.figure else ""
    return _Section(finding, figure, thumbnails.of(finding.exhibits[:SHOWN]))


class _Thumbnails:
    """Small pictures of the dataset's images, made as they are asked for."""

    def __init__(self, data: AuditedData) -> None:
        self._data = data
        self._places = {str(image): place for place, image in enumerate(data.pictures["image_id"])}
        self._made: dict[tuple[str, bool], str] = {}

    def of(self, exhibits: Sequence[Exhibit]) -> list[_Shown]:
        return [
            _Shown(
                [
                    _Picture(image, self._uri(image, one.masks), note)
                    for image, note in zip_longest(one.images, one.notes, fillvalue="")
                ],
                one.caption,
            )
            for one in exhibits
        ]

    def _uri(self, image_id: str, masks: bool) -> str:
        key = image_id, masks
        if key not in self._made:
            self._made[key] = _uri(_encode(self._small(self._data.pictures.iloc[self._places[image_id]], masks)), "jpeg")
        return self._made[key]

    def _small(self, row: pd.Series, masks: bool) -> RGBImage:
        dataset = self._data.dataset
        image = decode_image(dataset.image_bytes(row), str(row["image_id"]))
        height, width = image.shape[:2]
        scale = _SIDE / max(height, width)
        size = max(1, round(width * scale)), max(1, round(height * scale))
        small: RGBImage = cv2.resize(image, size, interpolation=cv2.INTER_AREA if scale < 1 else cv2.INTER_CUBIC)
        if masks and row["mask"]:
            mask = cv2.resize(decode_mask(dataset.mask_bytes(row), str(row["mask"])), size, interpolation=cv2.INTER_NEAREST)
            outlines = cv2.findContours(mask, cv2.RETR_EXTERNAL, cv2.CHAIN_APPROX_NONE)[0]
            # Dark below bright, so that the line is seen on any skin.
            cv2.drawContours(small, outlines, -1, (0, 0, 0), 4)
            cv2.drawContours(small, outlines, -1, (240, 228, 66), 2)
        return small


def _encode(image: RGBImage) -> bytes:
    ordered = np.ascontiguousarray(image[:, :, ::-1])
    return bytes(cv2.imencode(".jpg", ordered, [cv2.IMWRITE_JPEG_QUALITY, _QUALITY])[1])


def _uri(data: bytes, kind: str) -> str:
    return f"data:image/{kind};base64,{base64.b64encode(data).decode('ascii')}"
