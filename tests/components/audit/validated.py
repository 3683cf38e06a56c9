"""A builder of what validate hands to the audit: dataset, measures, report, quarantine, with the defects that a test wants."""

import csv
import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from components.audit.data import AuditedData
from components.dataset import read_manifest, write_manifest
from components.measures import write_measures
from tests.datasets import encoded_dataset

SKIN_TONES = (60.0, 48.0, 35.0, 20.0, -10.0, -40.0)


class Validated:
    """A folder as validate leaves it; all images are sound, all six groups of skin tone are there, and nothing tells a diagnosis.

    Change `rows` (manifest and measures side by side), `report`, `problems`, `personal`, then `write` or `read`.
    """

    def __init__(self, root: Path, *, per_class: int = 6, source: str = "phantom", size: tuple[int, int] = (48, 64)) -> None:
        self.root = encoded_dataset(root, per_class=per_class, source=source, size=size)
        self.rows = read_manifest(root)
        rng = np.random.default_rng(0)
        ids = {image: number for number, image in enumerate(sorted(set(self.rows["image_id"])))}
        number = self.rows["image_id"].map(ids)
        draws = rng.uniform(size=(len(ids), 6))

        def drawn(column: int, least: float, most: float) -> pd.Series:
            return least + draws[number, column] * (most - least)

        self.rows["skin_tone"] = number.map(lambda one: SKIN_TONES[one % len(SKIN_TONES)])
        measures: dict[str, Any] = {
            "bytes": drawn(0, 2000, 3000).astype(int),
            "pixels_sha256": self.rows["sha256"],
            "sharpness": drawn(1, 90, 110),
            "lightness": drawn(2, 55, 65),
            "dark_share": 0.0,
            "bright_share": 0.0,
            "border_darkness": drawn(3, 0, 0.1),
            "hair_share": drawn(4, 0, 0.1),
            "skin_share": 0.7,
        }
        masked = self.rows["mask"].notna()
        measures |= {
            name: np.where(masked, value, np.nan)
            for name, value in {"mask_share": 0.3, "mask_rim": 0.0, "mask_contrast": 0.95}.items()
        }
        measures["mask_components"] = pd.Series(np.where(masked, 1, None)).astype("Int32")
        self.rows = self.rows.assign(**measures)
        self.report: dict[str, Any] = {"near_duplicates": [], "exact_duplicates": [], "official_split": {"kept": False, "test": []}}
        self.problems: list[tuple[str, str, str, str]] = []
        self.personal: list[tuple[str, str]] | None = []

    def set(self, image: str, values: Mapping[str, Any], task: str | None = None) -> None:
        """Change cells of an image's rows (of one task)."""
        chosen = self.rows["image_id"] == image
        if task is not None:
            chosen &= self.rows["task"] == task
        assert chosen.any(), image
        for name, value in values.items():
            self.rows.loc[chosen, name] = value

    def pair(self, first: str, second: str, *, told: bool = False) -> None:
        """Have validate say that two images show the same."""
        self.report["near_duplicates"].append(
            {"first": first, "second": second, "distance": 2, "correlation": 0.93, "turn": 0, "told": told}
        )

    def write(self) -> Path:
        """Write the folder."""
        write_manifest(self.root, self.rows)
        hashes = [np.arange(8, dtype=np.uint64)] * len(self.rows)
        write_measures(self.root, self.rows.assign(hash=hashes))
        (self.root / "report.json").write_text(json.dumps(self.report))
        _table(self.root / "quarantine.csv", ("image", "reason", "file", "field"), self.problems)
        if self.personal is not None:
            _table(self.root / "personal.csv", ("image", "field"), self.personal)
        return self.root

    def read(self) -> AuditedData:
        """Write the folder, and read it as the audit does."""
        return AuditedData.read(self.write())


def _table(path: Path, columns: tuple[str, ...], lines: Any) -> None:
    with path.open("w", encoding="utf-8", newline="") as handle:
        csv.writer(handle, lineterminator="\n").writerows([columns, *lines])
