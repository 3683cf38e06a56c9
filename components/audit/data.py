"""What the audit looks at: a validated dataset folder, read whole, and nothing outside it."""

import csv
import json
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any, NamedTuple

import pandas as pd

from components.dataset import Dataset
from components.errors import DatasetError
from components.lesions import CODES, Task
from components.measures import read_measures

_MEASURED_ALSO = ("image_id", "task", "skin_tone")


class SetAside(NamedTuple):
    """Why something of an image was set aside: a line of quarantine.csv."""

    image: str
    reason: str
    file: str
    field: str


class PersonalField(NamedTuple):
    """A field that named a person, a place or a device, and was dropped at ingest; its value is kept nowhere."""

    image: str
    field: str


@dataclass(frozen=True)
class AuditedData:
    """A validated dataset.

    Attributes:
        dataset: the folder, open for reading.
        rows: its manifest, each row with its measures; sorted by task and image_id.
        report: report.json.
        problems: quarantine.csv.
        personal: personal.csv; None where ingest did not look for personal fields.
    """

    dataset: Dataset
    rows: pd.DataFrame
    report: Mapping[str, Any]
    problems: list[SetAside]
    personal: list[PersonalField] | None

    @classmethod
    def read(cls, folder: Path) -> "AuditedData":
        """Read a folder of validate's.

        Raises:
            DatasetError: the folder is none, or a file of it is damaged.
        """
        report, dataset = _read_report(folder), Dataset(folder)
        measures = read_measures(folder)
        own = [name for name in measures.columns if name not in _MEASURED_ALSO]
        rows = dataset.manifest.merge(measures[["image_id", "task", *own]], on=["image_id", "task"], how="left", validate="1:1")
        lost = int(rows["bytes"].isna().sum())
        if lost:
            raise DatasetError(
                f"{folder / 'measures.parquet'}: {lost:,} rows of the manifest have no measures; validate the data again"
            )
        rows = rows.sort_values(["task", "image_id"], kind="stable", ignore_index=True)
        problems = [SetAside(*line) for line in _lines(folder / "quarantine.csv", SetAside._fields)]
        looked = (folder / "personal.csv").exists()
        personal = [PersonalField(*line) for line in _lines(folder / "personal.csv", PersonalField._fields)] if looked else None
        return cls(dataset, rows, report, problems, personal)

    @cached_property
    def pictures(self) -> pd.DataFrame:
        """One row for each image: that with a mask where there is one."""
        first = self.rows.sort_values("task", ascending=False, kind="stable").drop_duplicates("image_id")
        labels = self.labelled.set_index("image_id")["label"]
        known = first["image_id"].map(labels).astype(object)
        return first.assign(label=known.where(known.notna(), None)).sort_values("image_id", ignore_index=True)

    @cached_property
    def labelled(self) -> pd.DataFrame:
        """Rows for classification."""
        return self.rows[self.rows["task"] == Task.CLASSIFICATION.value].reset_index(drop=True)

    @cached_property
    def masked(self) -> pd.DataFrame:
        """Rows for segmentation."""
        return self.rows[self.rows["task"] == Task.SEGMENTATION.value].reset_index(drop=True)

    @cached_property
    def classes(self) -> list[str]:
        """Diagnoses that have an image, in the order of CODES."""
        present = set(self.labelled["label"])
        return [code for code in CODES if code in present]

    @property
    def official_split(self) -> bool:
        """Whether a source's own split was kept."""
        return bool(self.report.get("official_split", {}).get("kept", False))

    @property
    def official_test(self) -> list[str]:
        """Ids of the images that a source's own split has in its test, whatever split they have here."""
        return list(self.report.get("official_split", {}).get("test", []))


def _read_report(folder: Path) -> dict[str, Any]:
    path = folder / "report.json"
    try:
        report: dict[str, Any] = json.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError) as error:
        raise DatasetError(
            f"{path}: cannot be read ({error}); {folder} is no output of validate: name one, or validate again"
        ) from error
    return report


def _lines(path: Path, columns: tuple[str, ...]) -> list[list[str]]:
    """The lines of a table of ours, without its head."""
    try:
        with path.open(encoding="utf-8", newline="") as handle:
            lines = list(csv.reader(handle))
    except (OSError, UnicodeDecodeError, csv.Error) as error:
        raise DatasetError(f"{path}: cannot be read ({error}); validate the data again") from error
    if not lines or tuple(lines[0]) != columns or any(len(line) != len(columns) for line in lines):
        raise DatasetError(f"{path}: must have the columns {', '.join(columns)}; validate the data again")
    return lines[1:]
