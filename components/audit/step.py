"""The audit itself: every family of checks over a validated dataset, the page, the data card."""

from collections.abc import Callable
from pathlib import Path

from components.audit.card import write_card
from components.audit.data import AuditedData
from components.audit.findings import Checked, Findings
from components.audit.labels import find_label_issues, read_predictions
from components.audit.leaks import find_leaks
from components.audit.page import write_page
from components.audit.people import find_people
from components.audit.quality import find_quality
from components.audit.shortcuts import find_shortcuts
from components.audit.skin_tone import find_skin_tone
from components.reporter import Reporter


def audit(dataset: Path, out: Path, reporter: Reporter, *, predictions: Path | None = None) -> Findings:
    """Look for what would flatter or mislead a model: leaks, shortcuts, doubtful labels, bad pictures, people who are missing.

    Writes audit.json, audit.html (self-contained; thumbnails of the images concerned are in it), card.html and card.md; figures and
    counts go to the reporter. The same data gives the same bytes. It judges and refuses nothing: see `Findings.refuse`.

    Args:
        dataset: a validated dataset folder: manifest, measures, report.json, quarantine.csv, shards.
        out: the folder to write; it may be `dataset` itself.
        reporter: is told progress, takes figures and counts.
        predictions: out-of-fold predictions, see `read_predictions`; None: labels are not checked.

    Returns:
        What was found, the worst first.

    Raises:
        DatasetError: the folder is none of validate's, or a file of it is damaged.
        TableError: the predictions cannot be used.
        StoreError: `out` cannot be written.
    """
    data = AuditedData.read(dataset)
    predicted = read_predictions(predictions) if predictions is not None else None
    checks: tuple[Callable[[], Checked], ...] = (
        lambda: find_leaks(data),
        lambda: find_shortcuts(data, reporter.figure),
        lambda: find_label_issues(data, predicted),
        lambda: find_quality(data),
        lambda: find_skin_tone(data, reporter.figure),
        lambda: find_people(data),
    )
    checked = []
    for done, check in enumerate(checks):
        reporter.progress(done, len(checks) + 1, "audit")
        checked.append(check())
    version, phantom = data.dataset.version, data.dataset.phantom
    findings = Findings.of(checked, data_version=version, phantom=phantom, images=len(data.pictures))
    findings.write(out)
    write_page(out, findings, data, reporter.out / "figures")
    write_card(out, findings, data)
    reporter.progress(len(checks) + 1, len(checks) + 1, "audit")
    reporter.metrics(findings.metrics())
    reporter.message(f"audit: {findings.headline} See audit.html and card.html.")
    return findings
