"""What the tests of validate share."""

import json
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pandas as pd
import pytest

from components.dataset import Dataset
from components.reporter import Reporter
from components.validate import validate
from components.validate.quarantine import Problem, read_quarantine
from tests.components.validate.raw_data import RawData, params


@dataclass(frozen=True)
class Validated:
    """What a run of the step left, read again."""

    out: Path
    dataset: Dataset
    quarantine: list[Problem]
    report: dict[str, Any]
    messages: list[str]

    @property
    def manifest(self) -> pd.DataFrame:
        return self.dataset.manifest

    def of(self, image: str, column: str) -> list[Any]:
        """The cells of an image, one a task."""
        return self.manifest[self.manifest["image_id"] == image][column].tolist()


Run = Callable[..., Validated]


def run_step(raw: Path, out: Path, known_groups: Path | None = None, earlier: Sequence[Path] = (), **changes: object) -> Validated:
    """Run the step from `raw` to `out`, with some of the default parameters changed."""
    out.mkdir(parents=True, exist_ok=True)
    events = out.with_name(f"{out.name}-events.jsonl")
    events.unlink(missing_ok=True)
    validate(raw, out, params(**changes), Reporter(out, "validate", events), known_groups, earlier=earlier)
    lines = [json.loads(line) for line in events.read_text().splitlines()]
    messages = [line["text"] for line in lines if line["kind"] == "message"]
    return Validated(out, Dataset(out), read_quarantine(out), json.loads((out / "report.json").read_text()), messages)


@pytest.fixture
def raw(tmp_path: Path) -> RawData:
    """A folder of ingest's, to be filled."""
    return RawData(tmp_path / "raw")


@pytest.fixture
def run(tmp_path: Path) -> Run:
    """Runs the step on a folder of ingest's; into `out` of the test's own folder where none is named."""

    def runner(raw: Path, *, out: Path | None = None, **options: object) -> Validated:
        return run_step(raw, out or tmp_path / "out", **options)  # type: ignore[arg-type]

    return runner
