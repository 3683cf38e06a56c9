"""The audit tells the truth about the real data sets, of which it is known."""

import time
from pathlib import Path

import pandas as pd
import pytest

from components.audit import Findings, Severity, audit
from components.audit.clues import features, measure
from components.audit.data import AuditedData
from components.ingest import ingest
from components.params import load_params
from components.reporter import Reporter
from components.validate import validate

pytestmark = pytest.mark.slow


def audited(source: Path, root: Path) -> tuple[Path, Findings]:
    """Ingest and validate a data set, and audit it once more."""
    raw, out, pages = (root / name for name in ("raw", "out", "pages"))
    for folder in (raw, out, pages):
        folder.mkdir()
    params = load_params(data=[str(source)]).params
    ingest(raw, params.ingest, Reporter(raw, "ingest"))
    validate(raw, out, params.validate_, Reporter(out, "validate"))
    return out, audit(out, pages, Reporter(pages, "audit"))


def test_of_isic_the_first_line_says_that_resolution_gives_the_diagnosis_away(real_data: Path, tmp_path: Path) -> None:
    _, findings = audited(real_data / "isic", tmp_path)
    assert findings.headline.startswith("Resolution gives the diagnosis away")
    assert findings.headline.endswith("and the 1,797 images of 512 x 512 show MEL, NV and BKL alone.")
    resolution = findings.findings[0]
    assert resolution.measures["lower"] > 0.18 > 1.4 * resolution.measures["chance"]


def test_of_ham10000_at_one_size_it_does_not_and_the_figures_come_in_time(real_data: Path, tmp_path: Path) -> None:
    out, findings = audited(real_data / "ham10000", tmp_path)
    assert "shortcut-resolution" not in {finding.key for finding in findings.findings}
    assert any(line.startswith("Resolution ") for line in findings.sound)
    assert findings.count(Severity.CRITICAL) == findings.count(Severity.HIGH) == 0
    rows = AuditedData.read(out).labelled
    assert processor_seconds(rows) < 10
    many = pd.concat([rows.assign(group_id=rows["group_id"] + str(copy)) for copy in range(4)], ignore_index=True)
    assert processor_seconds(many.head(25_331)) < 40


def processor_seconds(rows: pd.DataFrame) -> float:
    """What all clues together cost."""
    start = time.process_time()
    measure(features(rows), rows["label"].tolist(), rows["group_id"].tolist())
    return time.process_time() - start
