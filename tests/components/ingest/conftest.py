"""Ingest, run over small folders."""

import csv
import json
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

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
    return IngestParams(sources=[str(source) for source in sources], phantom=PHANTOMS)


Run = Callable[..., Ingested]


@pytest.fixture
def run(tmp_path: Path) -> Run:
    """Runs ingest over sources into a fresh folder, or into `out`."""

    def run_ingest(*sources: Path | str, out: str = "out") -> Ingested:
        place = tmp_path / out
        place.mkdir(exist_ok=True)
        events = tmp_path / f"{out}.events"
        ingest(place, params_of(*sources), Reporter(place, "ingest", events))
        lines = [json.loads(line) for line in events.read_text().splitlines()] if events.exists() else []
        messages = [line["text"] for line in lines if line["kind"] == "message"]
        with (place / "quarantine.csv").open(newline="", encoding="utf-8") as handle:
            quarantine = list(csv.DictReader(handle))
        return Ingested(place, Dataset(place), quarantine, messages)

    return run_ingest
