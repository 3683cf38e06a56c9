"""The reviewer's page of a run: what was decided and why, on one screen; below, what it rests on. A file that needs no other."""

import base64
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from components.audit.findings import Table
from components.audit.render import render
from components.calibration_scores import Coverage, SplitCalibration
from components.files import write_text
from components.leak_study import page as leak_page
from components.leak_study.scores import LeakScores
from components.lesions import LESIONS, Diagnosis, Task
from components.promotion.entries import Comparison, Decision, Entry, Outcome
from components.promotion.figures import NAMES, number, signed
from components.register.context import DataContext, RunContext
from components.register.decision_notes import headline, what_next
from components.register.decisions import wear
from components.release import Judged, Release
from components.scores import ClassificationScores, ClassifierScores, Interval, ModelScores, Scores, Slice, flat
from components.tracking import UsedData

REPORT = "REPORT.html"
"""Its name among a run's artifacts: capitals come first in MLflow's list."""

_SHOWN = {
    Task.CLASSIFICATION: ("balanced_accuracy", "macro_f1", "macro_auc", "accuracy", "melanoma_sensitivity", "malignant/auc"),
    Task.SEGMENTATION: ("dice", "jaccard", "thresholded_jaccard", "boundary_f1", "sensitivity", "specificity"),
}
# Figure → what it shows; those that evaluate did not draw are left out.
_PICTURES = {
    "slices": "Slices of test: whom it fails",
    "reliability": "Whether it is right as often as it says",
    "confusion": "What it takes for what",
    "roc": "Each diagnosis against the rest",
    "mistakes": "Its surest mistakes",
    "doubtful": "Images that it is most in doubt of",
    "explained": "Where it looks",
    "refusal": "What it refuses",
    "overlays": "Masks, from the worst to the best",
    "dice": "Dice of each image",
}


@dataclass(frozen=True)
class _Part:
    """One model of the page."""

    judged: Judged
    headline: str
    next: str
    decision: Decision
    tables: Sequence[Table]
    evidence: Sequence[Table]
    sentences: Sequence[str]
    pictures: Sequence[tuple[str, str]]


@dataclass(frozen=True)
class Reviewed:
    """What the page is made of.

    Attributes:
        release: what came of the run.
        entry: the ledger's entry.
        scores: what evaluate measured.
        figures: folder with a folder of pictures a model.
        decisions: task → how many decisions its test set has taken.
        data: the data that judged.
        known: what else is known of it.
        run: the run.
    """

    release: Release
    entry: Entry
    scores: Scores
    figures: Path
    decisions: Mapping[Task, int]
    data: UsedData
    known: DataContext
    run: RunContext


def write_report(path: Path, reviewed: Reviewed) -> None:
    """Write the page.

    Raises:
        StoreError: it cannot be written.
    """
    parts = [_part(reviewed, decision) for decision in reviewed.entry.decisions]
    card = reviewed.known.validated / "card.html" if reviewed.known.validated else None
    page = render(
        "report.html.j2",
        package="components.register",
        run=reviewed.run,
        entry=reviewed.entry,
        data=reviewed.data,
        phantom=reviewed.scores.phantom,
        parts=parts,
        promote=Outcome.PROMOTE,
        audit=reviewed.known.audit,
        leak=None if reviewed.known.leak is None else _leak(reviewed.known.leak),
        card=card.read_text(encoding="utf-8") if card is not None and card.exists() else "",
    )
    write_text(path, page)


def _part(reviewed: Reviewed, decision: Decision) -> _Part:
    judged = next(one for one in reviewed.release.judged if one.name == decision.subject.name)
    model = reviewed.scores.models[judged.model]
    folder = reviewed.figures / judged.model
    pictures = [(title, _uri(folder / f"{name}.png")) for name, title in _PICTURES.items() if (folder / f"{name}.png").exists()]
    return _Part(
        judged=judged,
        headline=headline(decision),
        next=what_next(decision, judged.serving).replace("`", ""),
        decision=decision,
        tables=[_figures(model, decision.task), *([_compared(decision.comparison)] if decision.comparison else [])],
        evidence=list(_evidence(model)),
        sentences=list(_sentences(model, decision, reviewed.decisions[decision.task])),
        pictures=pictures,
    )


def _figures(model: ModelScores, task: Task) -> Table:
    """The main figures of test, each with its interval."""
    known = flat(model)
    rows = [
        (NAMES.get(name, name), number(known[f"test/{name}"]), _span(model.test.intervals.get(name)))
        for name in _SHOWN[task]
        if f"test/{name}" in known
    ]
    return Table(f"On {model.test.images:,} images of test", ("", "", "95 % interval"), rows)


def _compared(comparison: Comparison) -> Table:
    rows = [
        (NAMES[name], signed(one.value), f"{signed(one.low)} to {signed(one.high)}")
        for name in NAMES
        if (one := comparison.differences.get(name)) is not None
    ]
    title = f"Against {comparison.champion.label} ({comparison.champion.model}), on the same images"
    return Table(title, ("", "difference", "95 % interval"), rows)


def _evidence(model: ModelScores) -> Iterator[Table]:
    if isinstance(model, ClassifierScores):
        yield _by_diagnosis(model.test)
        if model.calibration is not None:
            yield _sets(model.calibration.test)
    if model.slices:
        yield _slices(model.slices)


def _leak(scores: LeakScores) -> Table:
    rows = [
        (
            leak_page.NAMES[name],
            *map(number, (one.clean, one.leaked)),
            signed(one.difference),
            f"{signed(one.low)} to {signed(one.high)}",
        )
        for name, one in scores.figures.items()
    ]
    return Table(leak_page.headline(scores), ("on the same images", "clean", "leaked", "difference", "95 % interval"), rows)


def _by_diagnosis(test: ClassificationScores) -> Table:
    rows = []
    for diagnosis in Diagnosis:
        one = test.classes[diagnosis.value]
        auc = "none" if one.auc is None else number(one.auc)
        span = _span(test.intervals.get(f"{diagnosis.value}/recall"))
        rows.append((f"{diagnosis.value} {LESIONS[diagnosis].name}", f"{one.support:,}", number(one.recall), span, auc))
    return Table("By diagnosis", ("", "images", "sensitivity", "95 % interval", "AUC"), rows)


def _sets(calibration: SplitCalibration) -> Table:
    rows = [(code, *_coverage(one)) for code, one in {"all": calibration.coverage, **calibration.classes}.items()]
    return Table("Sets of diagnoses that hold the true one", ("", "coverage", "exact interval", "diagnoses a set"), rows)


def _coverage(one: Coverage) -> tuple[str, str, str]:
    return number(one.share.value), f"{number(one.share.low)} to {number(one.share.high)}", f"{one.mean_size:.1f}"


def _slices(slices: Sequence[Slice]) -> Table:
    figure = slices[0].figure
    rows = [
        (
            one.label,
            f"{one.images:,}",
            f"{one.lesions:,}",
            "none" if one.score is None else number(one.score),
            _span(one.interval) if one.judged else "too few lesions to judge",
        )
        for one in slices
    ]
    return Table("Slices of test", ("", "images", "lesions", NAMES.get(figure, figure), "95 % interval"), rows)


def _sentences(model: ModelScores, decision: Decision, decisions: int) -> Iterator[str]:
    """What else to know, the most important first."""
    if decision.comparison is not None:
        one = decision.comparison
        yield (
            f"Of {one.images:,} images of {one.groups:,} lesions it alone is right on {one.gained:,}, {one.champion.label} alone "
            f"on {one.lost:,} (McNemar's exact test: p = {number(one.p_value)})."
        )
    if isinstance(model, ClassifierScores) and model.calibration is not None:
        ece = model.calibration.ece
        yield f"Calibration error on test {number(ece.value)} ({number(ece.low)} to {number(ece.high)})."
    if model.largest_gap is not None:
        gap = model.largest_gap
        yield (
            f"The slice that lags most surely is {gap.dimension} {gap.value}: {NAMES.get(gap.figure, gap.figure)} lower by "
            f"{number(gap.gap)} than the rest ({number(gap.low)} to {number(gap.high)}, corrected for {gap.slices} slices)."
        )
    if isinstance(model, ClassifierScores) and model.explanation is not None:
        seen = model.explanation
        yield (
            f"{seen.on_lesion:.0%} of what speaks for its answers lies on the lesion, which covers {seen.lesion_share:.0%} of the "
            "picture."
        )
    worn = wear(decisions)
    yield f"{worn[0].upper()}{worn[1:]}."


def _span(interval: Interval | None) -> str:
    return "" if interval is None else f"{number(interval.low)} to {number(interval.high)}"


def _uri(picture: Path) -> str:
    return f"data:image/png;base64,{base64.b64encode(picture.read_bytes()).decode()}"
