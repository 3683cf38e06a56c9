"""A run's best models before the policy, each beside what serves."""

import tempfile
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from components.bundle import Bundle
from components.dataset import Dataset
from components.evaluate.judged import read_predictions, split_judged
from components.lesions import Task
from components.params import RegisterParams, names_file
from components.promotion.decide import decide
from components.promotion.entries import Comparison, Decision, Outcome, Release, Version
from components.promotion.evidence import Evidence
from components.promotion.policy import Policy
from components.register.challenge import Incomparable, Judge, compare
from components.register.choose import Candidate, Choice, choose
from components.register.context import DataContext, RunContext
from components.register.publish import PublishedModel
from components.register.registry import Entry, Registry
from components.register.weigh import megabytes, milliseconds
from components.registered import fetch_bundle
from components.scores import ClassifierScores, ModelScores, flat, read_scores
from components.tracking import Ledger


@dataclass(frozen=True)
class Challenger:
    """The best model of a task: as it was published, the version that it is, and why it is the best."""

    published: PublishedModel
    version: Version
    choice: Choice


def metric_of(task: Task, params: RegisterParams) -> str:
    """The figure of validation that chooses among a run's models of a task."""
    return params.metric if task is Task.CLASSIFICATION else "dice"


def find_challengers(
    registry: Registry, published: Sequence[PublishedModel], params: RegisterParams, run: RunContext
) -> dict[Task, Challenger]:
    """Choose the best model of each task that the run has models of, and register it."""
    found = {}
    for task in Task:
        mine = {model.record.name: model for model in published if model.record.description.task is task}
        if mine:
            choice = choose([_candidate(model) for model in mine.values()], metric_of(task, params))
            best = mine[choice.name]
            found[task] = Challenger(best, registry.register(_entry(task, best, f"{choice.reason}.", run)), choice)
    return found


class Judgement:
    """Brings challengers before a policy.

    Args:
        ledger: MLflow, which has the champions' bundles.
        dataset: what judges.
        evaluation: evaluate's output.
        data: what is known of the data besides.
        run: the run that made the challengers.
        policy: what is asked.
        work: a folder for the champions' bundles; left as it was.
        tell: called with the number of images of each batch that a champion is asked.
    """

    def __init__(
        self,
        ledger: Ledger,
        dataset: Dataset,
        evaluation: Path,
        data: DataContext,
        run: RunContext,
        policy: Policy,
        work: Path,
        tell: Callable[[int], None],
    ) -> None:
        self._ledger = ledger
        validated = Dataset(data.validated) if data.validated else None
        self._judge = Judge(dataset, validated, read_scores(evaluation).melanoma_specificity)
        self._evaluation = evaluation
        self._data = data
        self._run = run
        self._policy = policy
        self._work = work
        self._tell = tell

    def decide(self, challengers: Mapping[Task, Challenger], now: Release) -> list[Decision]:
        """What the policy makes of each challenger beside the release that serves now."""
        return [self._decide(task, challenger, now.of(task)) for task, challenger in challengers.items()]

    def _decide(self, task: Task, challenger: Challenger, champion: Version | None) -> Decision:
        if champion is not None and champion.digest == challenger.version.digest and not self._is_deleted(champion):
            return Decision(
                task=task, subject=champion, outcome=Outcome.SERVES, reason="it is the model that serves", champion=champion
            )
        compared = None if champion is None else self._compare(task, challenger, champion)
        return decide(self._evidence(task, challenger, champion, compared), self._policy)

    def _compare(self, task: Task, challenger: Challenger, champion: Version) -> Comparison | Incomparable:
        if self._is_deleted(champion):
            return Incomparable("it was deleted in MLflow")
        name = challenger.published.record.name
        _, test = split_judged(read_predictions(self._evaluation / "predictions" / f"{name}.parquet"))
        with tempfile.TemporaryDirectory(dir=self._work, prefix="champion-") as folder:
            fetch_bundle(self._ledger, champion, Path(folder) / task.value)
            bundle = Bundle.load(Path(folder) / task.value)
            return compare(bundle, champion, self._judge, test, self._data.learned(bundle.description), self._tell)

    def _is_deleted(self, version: Version) -> bool:
        return Registry(self._ledger).named(version.name, str(version.number)) is None

    def _evidence(
        self, task: Task, challenger: Challenger, champion: Version | None, compared: Comparison | Incomparable | None
    ) -> Evidence:
        record = challenger.published.record
        scores = record.scores
        figures = {name.removeprefix("test/"): value for name, value in flat(scores).items() if name.startswith("test/")}
        return Evidence(
            task=task,
            subject=challenger.version,
            figures=figures,
            intervals={name: (one.low, one.high) for name, one in scores.test.intervals.items()},
            phantom=record.description.saw_drawn,
            data_version=record.description.data_version,
            from_file=names_file(record.description.training.get("weights", "")),
            judged_on=self._judge.dataset.version,
            parent_learned=0 if record.description.parent is None else self._run.learned.get(record.name),
            commit=self._run.commit or "",
            dirty=self._run.dirty,
            megabytes=megabytes(record.bundle),
            milliseconds=milliseconds(record.bundle),
            champion=champion,
            comparison=compared if isinstance(compared, Comparison) else None,
            incomparable=compared.reason if isinstance(compared, Incomparable) else "",
            largest_gap=scores.largest_gap,
            audit=self._data.audit,
            official_difference=None if scores.official is None else scores.official.largest_difference,
            calibration_error=_calibration_error(scores),
        )


def _calibration_error(scores: ModelScores) -> float | None:
    if isinstance(scores, ClassifierScores) and scores.calibration is not None and scores.calibration.ece is not None:
        return scores.calibration.ece.value
    return None


def _candidate(model: PublishedModel) -> Candidate:
    record = model.record
    figures = {name.removeprefix("val/"): value for name, value in flat(record.scores).items() if name.startswith("val/")}
    return Candidate(record.name, record.description.parameters_total, figures)


def _entry(task: Task, best: PublishedModel, reason: str, run: RunContext) -> Entry:
    description = best.record.description
    tags = {
        "model": description.name,
        "run_id": run.run_id,
        "data_version": description.data_version,
        "commit": run.commit or "",
        "dirty": str(run.dirty).lower(),
        "phantom": str(description.saw_drawn).lower(),
        **({"parent": best.record.parent} if best.record.parent else {}),
    }
    return Entry(task, best.digest, best.model_id, best.run, reason, tags)
