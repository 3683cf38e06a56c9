"""The step: everything the run made goes to MLflow, and the best models go to production."""

import time
from collections.abc import Mapping, Sequence
from pathlib import Path

from components.dataset import Dataset
from components.errors import TrackingError
from components.lesions import Split, Task
from components.params import RegisterParams
from components.register.choose import Candidate, choose
from components.register.context import RunContext
from components.register.notes import Champion, model_note, release_note, run_name, run_note
from components.register.publish import ModelRecord, PublishedModel, Publisher, code_tags
from components.register.registry import REGISTERED, Entry, Registry
from components.release import Promoted, Release, write_release
from components.reporter import Reporter
from components.scores import Scores, flat, read_scores
from components.tracking import NAME, NOTE, Ledger, UsedData

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
    run: RunContext,
    figures: Mapping[str, Path] | None = None,
    appendix: str = "",
) -> None:
    """Publish the run's models whole, and put the best classifier and segmenter into production: `release.json`.

    Can be killed anywhere and called again: nothing is written twice, no model version is doubled.

    Args:
        dataset: the preprocessed dataset folder.
        models: model bundles, of one task or of both, at least one.
        evaluation: evaluate's output.
        out: the folder to write.
        params: which figure chooses.
        reporter: is told how many models are published.
        ledger: MLflow.
        run: the run that this belongs to.
        figures: step → folder of pictures that belong to the run as a whole: `augment_balance` → its `figures/`.
        appendix: what the run's description says besides, Markdown.

    Raises:
        TrackingError: MLflow does not answer, or refuses.
        BundleError: a bundle breaks its contract.
        DatasetError: `dataset` or `evaluation` breaks its contract.
    """
    scores = read_scores(evaluation)
    records = [ModelRecord.read(model, scores.models, run) for model in models]
    work = _Registration(scores, records, _used_data(Dataset(dataset)), params, run, appendix)
    pictures = {"evaluate": evaluation / "figures", **(figures or {})}
    for pause in (*_PAUSES, None):
        try:
            with ledger.answering(f"publishing run {run.run_id}"):
                release = work.publish(ledger, evaluation, pictures, out, reporter)
            break
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
        scores: Scores,
        records: Sequence[ModelRecord],
        data: UsedData,
        params: RegisterParams,
        run: RunContext,
        appendix: str,
    ) -> None:
        self._scores = scores
        self._records = records
        self._data = data
        self._run = run
        self._appendix = appendix
        self._metrics = {Task.CLASSIFICATION: params.metric, Task.SEGMENTATION: "dice"}

    def publish(self, ledger: Ledger, evaluation: Path, pictures: Mapping[str, Path], out: Path, reporter: Reporter) -> Release:
        """Write it all, in an order in which every part may be repeated."""
        parent, must_end = ledger.join_pipeline_run(self._run.details())
        registry = Registry(ledger)
        records = [record.with_parent(registry) for record in self._records]
        note = run_note(records, self._scores, self._data, self._run) + self._appendix
        ledger.set_tags(parent, {NOTE: note, "dermacare.data_version": self._data.version, **code_tags(self._run)})
        ledger.log_dataset(parent, self._data)
        for step, folder in pictures.items():
            _log_pictures(ledger, parent, folder, f"figures/{step}")
        publisher = Publisher(ledger, parent, self._run, self._data, evaluation, out)
        published = []
        for done, record in enumerate(records):
            reporter.progress(done, len(records), f"models published, {record.name}")
            published.append(publisher.publish(record, model_note(record, self._data, self._run)))
        reporter.progress(len(records), len(records), "models published")
        release = self._promote(ledger, registry, parent, note, published)
        if must_end:
            ledger.end_with_children(parent, "FINISHED")
        return release

    def _promote(self, ledger: Ledger, registry: Registry, parent: str, note: str, published: Sequence[PublishedModel]) -> Release:
        champions = {REGISTERED[task]: champion for task in Task if (champion := _champion(ledger, registry, task, self._run))}
        promoted = {task: self._promote_best(registry, task, published, champions) for task in Task}
        release = Release(run_id=self._run.run_id, classifier=promoted[Task.CLASSIFICATION], segmenter=promoted[Task.SEGMENTATION])
        ledger.log_figures(parent, self._headline(release))
        story = release_note(release, champions, self._data, self._run)
        ledger.set_tags(parent, {NOTE: f"{note}\n{story}", NAME: run_name(release, champions, self._run)})
        return release

    def _headline(self, release: Release) -> dict[str, float]:
        """The main figures of the two models that were chosen, so that whole runs can be compared in a list."""
        chosen = [one.model for one in (release.classifier, release.segmenter) if one is not None]
        figures = {name: value for model in chosen for name, value in flat(self._scores.models[model]).items()}
        return {name: value for name, value in figures.items() if name.partition("/")[2] in _HEADLINE}

    def _promote_best(
        self, registry: Registry, task: Task, published: Sequence[PublishedModel], champions: Mapping[str, Champion]
    ) -> Promoted | None:
        mine = {model.record.name: model for model in published if model.record.description.task is task}
        if not mine:
            return None
        metric = self._metrics[task]
        choice = choose([_candidate(model.record) for model in mine.values()], metric)
        best = mine[choice.name]
        promotion = registry.promote(self._entry(task, best, f"{choice.reason}{_instead(champions.get(REGISTERED[task]))}."))
        figures = flat(best.record.scores)
        return Promoted(
            name=REGISTERED[task],
            version=promotion.version,
            model=choice.name,
            reason=promotion.reason,
            moved=promotion.moved,
            previous=promotion.previous,
            metric=metric,
            validation=figures.get(f"val/{metric}"),
            test=figures.get(f"test/{metric}"),
            phantom=best.record.description.phantom,
        )

    def _entry(self, task: Task, best: PublishedModel, reason: str) -> Entry:
        description = best.record.description
        tags = {
            "model": description.name,
            "run_id": self._run.run_id,
            "data_version": description.data_version,
            "commit": self._run.commit or "",
            "dirty": str(self._run.dirty).lower(),
            "phantom": str(description.phantom).lower(),
            **({"parent": best.record.parent} if best.record.parent else {}),
        }
        return Entry(task, best.digest, best.model_id, best.run, reason, tags)


def _candidate(record: ModelRecord) -> Candidate:
    figures = {name.removeprefix("val/"): value for name, value in flat(record.scores).items() if name.startswith("val/")}
    return Candidate(record.name, record.description.parameters_total, figures)


def _instead(champion: Champion | None) -> str:
    return "" if champion is None else f"; it takes over from version {champion.version} ({champion.model})"


def _champion(ledger: Ledger, registry: Registry, task: Task, run: RunContext) -> Champion | None:
    version = registry.before(task, run.run_id)
    if version is None:
        return None
    tags = version.tags
    parent = ledger.pipeline_run(tags.get("run_id", ""))
    return Champion(
        version=int(version.version),
        model=tags.get("model", "a model"),
        run_id=tags.get("run_id", "unknown"),
        data_version=tags.get("data_version", "unknown"),
        commit=tags.get("commit", ""),
        params=parent.data.params if parent else {},
        figures=ledger.client.get_run(version.run_id).data.metrics if version.run_id else {},
    )


def _used_data(dataset: Dataset) -> UsedData:
    images = {task.value: {split.value: len(dataset.rows(task, split)) for split in Split} for task in dataset.tasks()}
    sources = " + ".join(sorted(set(dataset.manifest["source"])))
    return UsedData(sources, dataset.version, {"images": images, "phantom": dataset.phantom})


def _log_pictures(ledger: Ledger, run: str, folder: Path, place: str) -> None:
    """The pictures that lie in the folder itself; those in folders below belong to a model."""
    for file in sorted(folder.glob("*.png")):
        ledger.client.log_artifact(run, str(file), place)
