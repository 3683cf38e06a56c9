"""Ingest, run over small folders."""

import csv
import json
import zipfile
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pandas as pd
import pytest

from components.dataset import Dataset
from components.ingest import ingest
from components.params import IngestParams, PhantomParams
from components.reporter import Reporter

PHANTOMS = PhantomParams(lesions_per_class=2, images_per_lesion=1, size=(48, 64), seed=1)


@dataclass(frozen=True)
class Ingested:
    """What ingest wrote and said."""

    out: Path
    dataset: Dataset
    quarantine: list[dict[str, str]]
    messages: list[str]

    @property
    def shards(self) -> dict[str, int]:
        """Name of each shard → its inode: a shard that was taken over has its old one."""
        return {shard.name: shard.stat().st_ino for shard in (self.out / "shards").iterdir()}

    @property
    def personal(self) -> list[tuple[str, str]]:
        """The rows of personal.csv."""
        with (self.out / "personal.csv").open(newline="", encoding="utf-8") as handle:
            return [(row["image"], row["field"]) for row in csv.DictReader(handle)]

    def members(self) -> list[str]:
        """Names of all files in all shards, sorted."""
        return sorted(name for shard in (self.out / "shards").iterdir() for name in zipfile.ZipFile(shard).namelist())

    def row(self, image_id: str, task: str) -> pd.Series:
        """The manifest's row of an image and task."""
        manifest = self.dataset.manifest
        found = manifest[(manifest["image_id"] == image_id) & (manifest["task"] == task)]
        assert len(found) == 1
        return found.iloc[0]

    def ids(self, task: str) -> list[str]:
        """Ids of a task's rows."""
        manifest = self.dataset.manifest
        return manifest.loc[manifest["task"] == task, "image_id"].tolist()


def params_of(*sources: Path | str) -> IngestParams:
    """The step's parameters for these sources."""
    return IngestParams(
        sources=[str(source) for source in sources], isic_endpoint="http://127.0.0.1:1", s3_endpoint=None, phantom=PHANTOMS
    )


Run = Callable[..., Ingested]


@pytest.fixture
def run(tmp_path: Path) -> Run:
    """Runs ingest over sources (or with `params`) into a fresh folder, or into `out`; takes `ingest`'s other arguments too."""

    def run_ingest(*sources: Path | str, out: str = "out", params: IngestParams | None = None, **more: Any) -> Ingested:
        place = tmp_path / out
        place.mkdir(exist_ok=True)
        events = tmp_path / f"{out}.events"
        ingest(place, params or params_of(*sources), Reporter(place, "ingest", events), **more)
        lines = [json.loads(line) for line in events.read_text().splitlines()] if events.exists() else []
        messages = [line["text"] for line in lines if line["kind"] == "message"]
        with (place / "quarantine.csv").open(newline="", encoding="utf-8") as handle:
            quarantine = list(csv.DictReader(handle))
        return Ingested(place, Dataset(place), quarantine, messages)

    return run_ingest
