"""The step: everything the run made goes to MLflow, and the policy decides whether its best models serve."""

import tempfile
import time
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path

from components.dataset import Dataset
from components.errors import TrackingDenied, TrackingError
from components.evaluate.interactive import INTERACTIVE
from components.lesions import Split, Task
from components.params import RegisterParams
from components.promotion.entries import Action, Content, Decision, Entry, Outcome, Version
from components.promotion.entries import Release as Served
from components.promotion.ledger import ReleaseLedger
from components.promotion.reading import read_promotion
from components.promotion.releases import decisions_of, serving, version_before
from components.provenance.images import image_list_digest
from components.provenance.splits import SPLITS, write_splits
from components.register.context import DataContext, RunContext
from components.register.decision_notes import run_tags, version_note, version_tags
from components.register.decisions import count_decisions
from components.register.follow import adopted, follow, refuse_another_ledger
from components.register.judgement import Challenger, Judgement, find_challengers, metric_of
from components.register.notes import Champion, children_links, model_note, parent_link, release_note, run_name, run_note
from components.register.publish import ModelRecord, Publisher, code_tags
from components.register.registry import Registry
from components.register.report import REPORT, Reviewed, write_report
from components.release import Judged, Release, write_release
from components.reporter import Reporter
from components.scores import flat, read_scores
from components.tracking import NAME, NOTE, Ledger, UsedData, is_absent

# A server that restarts is back within half a minute; all that is done here can be repeated.
_PAUSES = (5.0, 20.0)
_HEADLINE = ("macro_f1", "balanced_accuracy", "accuracy", "macro_auc", "dice", "jaccard")


def register(
    dataset: Path,
    models: Sequence[Path],
    evaluation: Path,
    out: Path,
    params: RegisterParams,
    reporter: Reporter,
    ledger: Ledger,
    releases: ReleaseLedger,
    run: RunContext,
    known: DataContext,
    figures: Mapping[str, Path] | None = None,
) -> None:
    """Publish the run's models whole, and have the policy decide whether the best classifier and segmenter serve: `release.json`.

    Can be killed anywhere and called again: nothing is written twice, no model version is doubled, nothing is decided again.

    Args:
        dataset: the preprocessed dataset folder.
        models: model bundles, of one task or of both, at least one.
        evaluation: evaluate's output.
        out: the folder to write.
        params: which figure chooses, and which policy decides.
        reporter: is told how many models are published.
        ledger: MLflow.
        releases: the ledger of what serves.
        run: the run that this belongs to.
        known: what is known of the data besides.
        figures: step → folder of pictures that belong to the run as a whole: `augment_balance` → its `figures/`.

    Raises:
        TrackingError: MLflow does not answer, or refuses.
        LedgerError: the ledger does not answer, is another one, or somebody else decided at the same moment; or the policy does not
            list the key that signs.
        ParamsError: there is no such policy.
        TrackingDenied: this user may not do all of it; what he may is done.
        BundleError: a bundle breaks its contract.
        DatasetError: `dataset` or `evaluation` breaks its contract.
    """
    read_promotion().signers.require(releases.public_key, Action.DECIDE)
    scores = read_scores(evaluation)
    records = [ModelRecord.read(model, scores.models, run) for model in models]
    work = _Registration(Dataset(dataset), evaluation, records, params, run, known)
    pictures = {"evaluate": evaluation / "figures", **(figures or {})}
    for pause in (*_PAUSES, None):
        try:
            with ledger.answering(f"publishing run {run.run_id}"):
                release = work.publish(ledger, releases, pictures, out, reporter)
            break
        except TrackingDenied:
            raise
        except TrackingError as error:
            if pause is None:
                raise
            reporter.message(f"{error} (trying again in {pause:.0f} s)")
            time.sleep(pause)
    write_release(out, release)


class _Registration:
    """Everything that is known before MLflow is asked."""

    def __init__(
        self,
        dataset: Dataset,
        evaluation: Path,
        records: Sequence[ModelRecord],
        params: RegisterParams,
        run: RunContext,
        known: DataContext,
    ) -> None:
        self._scores = read_scores(evaluation)
        self._records = records
        self._dataset = dataset
        self._evaluation = evaluation
        self._data = _used_data(dataset)
        self._images = {task: image_list_digest(dataset, task) for task in dataset.tasks()}
        self._params = params
        self._promotion = read_promotion()
        self._policy = self._promotion.policy(params.policy)
        self._run = run
        self._known = known

    def publish(
        self, ledger: Ledger, releases: ReleaseLedger, pictures: Mapping[str, Path], out: Path, reporter: Reporter
    ) -> Release:
        """Write it all, in an order in which every part may be repeated."""
        parent, must_end = ledger.join_pipeline_run(self._run.details())
        registry = Registry(ledger)
        records = [record.with_parent(registry) for record in self._records]
        note = run_note(records, self._scores, self._data, self._run, self._known.leak)
        ledger.set_tags(parent, {NOTE: note, "dermacare.data_version": self._data.version, **code_tags(self._run)})
        ledger.log_dataset(parent, self._data)
        with tempfile.TemporaryDirectory(dir=out, prefix="splits-") as place:
            write_splits(Path(place) / SPLITS, self._dataset)
            ledger.client.log_artifact(parent, str(Path(place) / SPLITS))
        for step, folder in pictures.items():
            _log_pictures(ledger, parent, folder, f"figures/{step}")
        publisher = Publisher(ledger, parent, self._run, self._data, self._evaluation, self._scores.test_sets, self._images, out)
        published = []
        for done, record in enumerate(records):
            reporter.progress(done, len(records), f"models published, {record.name}")
            leading = parent_link(ledger.experiment_id, parent)
            published.append(publisher.publish(record, f"{leading} {model_note(record, self._data, self._run)}"))
        reporter.progress(len(records), len(records), "models published")
        note = f"{children_links(ledger.experiment_id, {one.record.name: one.run for one in published})}\n\n{note}"
        challengers = find_challengers(registry, published, self._params, self._run)
        judgement = Judgement(
            ledger, self._dataset, self._evaluation, self._known, self._run, self._policy, out, self._teller(reporter, challengers)
        )
        entry, entries = self._decide(registry, releases, judgement, challengers, reporter)
        release = self._release(entry, entries, challengers)
        self._show(ledger, registry, parent, note, release, entry, entries, out)
        if must_end:
            ledger.end_with_children(parent, "FINISHED")
        return release

    def _decide(
        self,
        registry: Registry,
        releases: ReleaseLedger,
        judgement: Judgement,
        challengers: Mapping[Task, Challenger],
        reporter: Reporter,
    ) -> tuple[Entry, list[Entry]]:
        """Have the policy decide, once a run, and let the aliases follow; the entry, and the ledger with it."""
        entries = self._entries(registry, releases)
        for sentence in follow(registry, entries).all:
            reporter.message(sentence)
        entry = decisions_of(entries, self._run.run_id)
        if entry is None:
            decisions = judgement.decide(challengers, serving(entries))
            if not self._promotion.signers.decides(releases.public_key):
                decisions = [_left_to_a_person(decision) for decision in decisions]
            entry = releases.append(self._content(decisions, serving(entries)), after=entries[-1] if entries else None)
            entries = [*entries, entry]
            for sentence in follow(registry, entries).left:
                reporter.message(sentence)
        return entry, entries

    def _show(
        self,
        ledger: Ledger,
        registry: Registry,
        parent: str,
        note: str,
        release: Release,
        entry: Entry,
        entries: Sequence[Entry],
        out: Path,
    ) -> None:
        """Write the decision wherever a reviewer looks: the versions, the run, the page."""
        before = serving(entries[: entry.number - 1])
        champions = {decision.task: _champion(ledger, before.of(decision.task)) for decision in entry.decisions}
        for decision in entry.decisions:
            tags = version_tags(decision, entry)
            registry.tell(decision.subject.name, decision.subject.number, tags, version_note(decision, self._params.policy))
        ledger.log_figures(parent, self._headline(release))
        taken = {Task(task): count_decisions(ledger, digest) for task, digest in self._scores.test_sets.items()}
        figures = self._evaluation / "figures"
        write_report(out / REPORT, Reviewed(release, entry, self._scores, figures, taken, self._data, self._known, self._run))
        ledger.client.log_artifact(parent, str(out / REPORT))
        if (self._evaluation / INTERACTIVE).exists():
            ledger.client.log_artifact(parent, str(self._evaluation / INTERACTIVE), "figures")
        story = release_note(release, entry, champions, self._data, self._run)
        # MLflow shows the first lines, and the rest to who asks for it.
        ledger.set_tags(parent, {NOTE: f"{story}\n\n{note}", NAME: run_name(release, champions, self._run), **run_tags(release)})

    def _entries(self, registry: Registry, releases: ReleaseLedger) -> list[Entry]:
        """The ledger; what served before there was one is its first entry."""
        entries = releases.entries()
        refuse_another_ledger(registry, releases.url, entries)
        if not entries and (served := adopted(registry)) != Served():
            self._promotion.signers.require(releases.public_key, Action.ADOPT)
            reason = "it served before there was a ledger"
            return [releases.append(Content(action=Action.ADOPT, release=served, reason=reason), after=None)]
        return entries

    def _content(self, decisions: Sequence[Decision], now: Served) -> Content:
        moved = [decision for decision in decisions if decision.outcome is Outcome.PROMOTE]
        release = now
        for decision in moved:
            release = release.having(decision.task, decision.subject)
        return Content(
            action=Action.DECIDE,
            release=release,
            reason="; ".join(f"{decision.subject.label}: {decision.outcome}" for decision in decisions),
            run_id=self._run.run_id,
            decisions=tuple(decisions),
            policy=self._params.policy,
            policy_digest=self._promotion.digest,
            data_version=self._data.version,
            commit=self._run.commit or "",
            dirty=self._run.dirty,
        )

    def _release(self, entry: Entry, entries: Sequence[Entry], challengers: Mapping[Task, Challenger]) -> Release:
        judged = {one.task: self._judged(one, entry, entries, challengers[one.task]) for one in entry.decisions}
        return Release(
            run_id=self._run.run_id,
            policy=entry.policy,
            ledger=entry.head,
            classifier=judged.get(Task.CLASSIFICATION),
            segmenter=judged.get(Task.SEGMENTATION),
        )

    def _judged(self, decision: Decision, entry: Entry, entries: Sequence[Entry], challenger: Challenger) -> Judged:
        metric, record = metric_of(decision.task, self._params), challenger.published.record
        figures = flat(record.scores)
        serves, before = entry.release.of(decision.task), version_before(entries[: entry.number], decision.task)
        return Judged(
            name=decision.subject.name,
            version=decision.subject.number,
            model=record.name,
            chosen=f"{challenger.choice.reason}.",
            outcome=decision.outcome,
            reason=decision.reason,
            verdicts=decision.verdicts,
            serving=serves.number if serves else None,
            previous=before.number if before else None,
            metric=metric,
            validation=figures.get(f"val/{metric}"),
            test=figures.get(f"test/{metric}"),
            phantom=record.description.saw_drawn,
        )

    def _headline(self, release: Release) -> dict[str, float]:
        """The main figures of the two models that were chosen, so that whole runs can be compared in a list."""
        figures = {name: value for one in release.judged for name, value in flat(self._scores.models[one.model]).items()}
        return {name: value for name, value in figures.items() if name.partition("/")[2] in _HEADLINE}

    def _teller(self, reporter: Reporter, challengers: Mapping[Task, Challenger]) -> Callable[[int], None]:
        total = sum(len(self._dataset.rows(task, Split.TEST)) for task in challengers)
        done = 0

        def tell(images: int) -> None:
            nonlocal done
            done += images
            reporter.progress(done, total, "images, what serves")

        return tell


def _left_to_a_person(decision: Decision) -> Decision:
    """The decision where the key that judges may not decide."""
    if decision.outcome is not Outcome.PROMOTE:
        return decision
    reason = f"{decision.reason}, and the key that judged it may not decide"
    return decision.model_copy(update={"outcome": Outcome.NEEDS_APPROVAL, "reason": reason, "approvals": 1})


def _champion(ledger: Ledger, version: Version | None) -> Champion | None:
    """What MLflow knows of the version that served before the run."""
    from mlflow.exceptions import MlflowException

    if version is None:
        return None
    try:
        known = ledger.client.get_model_version(version.name, str(version.number))
        tags, run = known.tags, known.run_id
    except MlflowException as error:
        if not is_absent(error):
            raise
        tags, run = {}, None  # somebody deleted it
    parent = ledger.pipeline_run(version.run_id)
    return Champion(
        version=version.number,
        model=version.model or "a model",
        run_id=version.run_id or "unknown",
        data_version=tags.get("data_version", "unknown"),
        commit=tags.get("commit", ""),
        params=parent.data.params if parent else {},
        figures=ledger.client.get_run(run).data.metrics if run else {},
    )


def _used_data(dataset: Dataset) -> UsedData:
    images = {task.value: {split.value: len(dataset.rows(task, split)) for split in Split} for task in dataset.tasks()}
    sources = " + ".join(sorted(set(dataset.manifest["source"])))
    licences = sorted(set(dataset.manifest["licence"].dropna()))
    return UsedData(sources, dataset.version, {"images": images, "licences": licences, "phantom": dataset.phantom})


def _log_pictures(ledger: Ledger, run: str, folder: Path, place: str) -> None:
    """The pictures that lie in the folder itself; those in folders below belong to a model."""
    for file in sorted(folder.glob("*.png")):
        ledger.client.log_artifact(run, str(file), place)
