"""`dermacare data audit`: what of a dataset would flatter or mislead a model."""

from pathlib import Path

from rich.markup import escape
from rich.table import Table

from components.audit import Findings, audit
from components.bundle import is_whole, read_description
from components.dataset import Dataset
from components.errors import DatasetError
from components.out_of_fold import OUT_OF_FOLD, read_out_of_fold
from components.reporter import Reporter
from components.scores import read_scores
from components.store import Store
from dermacare.console import console
from pipelines.home import Home

_COLOURS = {"critical": "bold red", "high": "red", "medium": "yellow", "low": "blue", "note": "dim"}


def audit_data(folder: Path | None, *, predictions: Path | None, out: Path | None) -> None:
    """Audit a validated dataset and print what was found.

    Args:
        folder: an output of validate; None: the newest one of this home.
        predictions: out-of-fold predictions; None: those of the newest classifier of this home that was trained with folds on the
            same data, else what the best one of the newest run said of val and test, if there are any.
        out: where the pages go; None: `audit/` of this home.

    Raises:
        DatasetError: there is no validated data, or the folder holds none.
        TableError: the predictions cannot be used.
    """
    home = Home.here()
    store = Store(home.root)
    folder = folder or _newest(store, home)
    out = out or home.audit
    version = Dataset(folder).version
    predictions = predictions or _out_of_fold(store, version) or _predictions(store, version)
    out.mkdir(parents=True, exist_ok=True)
    (out / "metrics.jsonl").unlink(missing_ok=True)
    with console.status("looking at every image's measures"):
        findings = audit(folder, out, Reporter(out, "audit"), predictions=predictions)
    _show(findings, folder, out)
    if predictions is not None:
        console.print(f"labels judged by: {predictions}", markup=False)


def _newest(store: Store, home: Home) -> Path:
    outs = store.outs("validate")
    if not outs:
        raise DatasetError(f"{home.root}: holds no validated data yet; `dermacare run` makes some, or name a folder")
    return outs[0]


def _out_of_fold(store: Store, version: str) -> Path | None:
    """Out-of-fold predictions of the newest classifier that was trained with all folds on this data."""
    for out in filter(is_whole, store.outs("train_classifier")):
        model = read_description(out)
        if model.data_version == version and model.out_of_fold is not None and model.training["fold"] is None:
            read_out_of_fold(out, model)  # checks its digest
            return out / OUT_OF_FOLD
    return None


def _predictions(store: Store, version: str) -> Path | None:
    """What the best classifier of the newest evaluation on this data said of the images that it did not learn from."""
    for out in store.outs("evaluate"):
        scores = read_scores(out)
        if scores.data_version == version and scores.classifiers():
            best = max(scores.classifiers(), key=lambda one: one.val.macro.f1)
            return out / "predictions" / f"{best.name}.parquet"
    return None


def _show(findings: Findings, folder: Path, out: Path) -> None:
    console.print(findings.headline, style="bold", markup=False)
    table = Table("severity", "finding", "number", title=f"{findings.images:,} images, data version {findings.data_version[:8]}")
    for one in findings.findings:
        table.add_row(f"[{_COLOURS[one.severity]}]{one.severity}[/]", escape(one.title), escape(one.number))
    if findings.findings:
        console.print(table)
    for line in findings.unchecked:
        console.print(line, markup=False)
    console.print(f"audited: {folder}", markup=False)
    console.print(f"page: {out / 'audit.html'} · data card: {out / 'card.html'}", markup=False)
