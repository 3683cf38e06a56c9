"""What `dermacare compare` compares: runs of this home, runs that MLflow alone knows, registered versions.

A version stands for the run that made it. Where this home has that run, nothing is predicted anew. Where it has not, the bundle is
fetched from MLflow and judged on data of this home that went through the same preprocessing: first that of the other side, then the
newest.
"""

import re
import tempfile
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, replace
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING

from components.bundle import Bundle, Description, bundle_digest, read_description
from components.compare import Comparison, compare
from components.compare.sides import Answers, Model, Side, with_truth
from components.dataset import Dataset
from components.errors import RunError
from components.evaluate.judged import answered, read_predictions
from components.evaluate.test_set import test_set_digest
from components.lesions import Split, Task
from components.promotion.entries import Version
from components.register.decisions import count_decisions
from components.register.registry import REGISTERED, Registry
from components.registered import fetch_bundle
from components.release import read_release
from components.scores import flat, read_scores
from components.store import Store
from components.tracking import MODEL, PARENT, ROLE, RUN_ID, TEST_SET, Ledger
from pipelines import publish, runs
from pipelines.home import Home, open_ledger
from pipelines.parents import KnownSplits, learned_of
from pipelines.runs import RunRecord, RunState
from pipelines.start_from import saw_such_images

if TYPE_CHECKING:
    import pandas as pd
    from mlflow.entities import Run

_MOST_NAMED = 5


@dataclass(frozen=True)
class Target:
    """What a name on the command line means: a run, or a registered version and the run that made it.

    Attributes:
        name: what a reader knows it by.
        run_id: our id of the run; empty where MLflow has lost it.
        record: the run, where this home has it and its models were judged.
        version: the version; None for a run.
    """

    name: str
    run_id: str
    record: RunRecord | None
    version: Version | None


class Targets:
    """Finds what names mean.

    Args:
        home: whose runs and whose MLflow are asked.
    """

    def __init__(self, home: Home) -> None:
        self.home = home
        self.store = Store(home.root)

    @cached_property
    def ledger(self) -> Ledger | None:
        """MLflow, or None where there is none yet."""
        return open_ledger(self.home)

    def find(self, name: str) -> Target | None:
        """What a name means: a run's id; a version's number or alias, which is lesion-classifier's unless it names the other.

        Raises:
            RunError: the run is here, and has not come to judging its models.
            TrackingError: MLflow does not answer.
        """
        if Path(name).name == name and (self.home.run(name) / "run.json").is_file():
            record = runs.load(self.home, name)
            if self._judged(record):
                return Target(name, name, record, None)
            if record.state is not RunState.DONE:
                raise RunError(f"{name}: is {record.state} and has judged no model yet; run it to its end, or compare another")
        if self.ledger is None:
            return None
        with self.ledger.answering(f"looking up {name}"):
            return self._version(self.ledger, name) or self._elsewhere(self.ledger, name)

    def newest(self, like: Target) -> Target:
        """The newest of what may be compared with a target: a run with a run, a version with one of the same registered model.

        Raises:
            RunError: there is no other.
        """
        if like.version is None:
            others = [run for run in runs.all_runs(self.home) if run.state is RunState.DONE and run.id != like.run_id]
            found = self.find(others[-1].id) if others else None
        else:
            assert self.ledger is not None
            with self.ledger.answering("looking up the newest version"):
                versions = [one for one in Registry(self.ledger).versions(like.version.name) if one != like.version]
            found = self.find(versions[-1].label) if versions else None
        if found is None:
            raise RunError(f"{like.name}: there is no other to compare it with yet; name one, or run again with something changed")
        return found

    def data(self, name: str) -> str | None:
        """The folder of validated data in this home whose data version begins with these eight digits or more; else None."""
        if not re.fullmatch(r"[0-9a-f]{8,64}", name):
            return None
        return next((str(out) for out in self.store.outs("validate") if Dataset(out).version.startswith(name)), None)

    def known(self) -> str:
        """The newest runs, and the versions, as an error lists them."""
        names = [run.id for run in runs.all_runs(self.home) if self._judged(run)][-_MOST_NAMED:]
        return f"runs: {', '.join(reversed(names)) or 'none'}; versions: {', '.join(self._labels()) or 'none'}"

    def _labels(self) -> list[str]:
        if self.ledger is None:
            return []
        with self.ledger.answering("looking up versions"):
            registry = Registry(self.ledger)
            return [_named(registry, one) for name in REGISTERED.values() for one in registry.versions(name)[-_MOST_NAMED:]]

    def _version(self, ledger: Ledger, name: str) -> Target | None:
        registry = Registry(ledger)
        model, _, which = name.rpartition("/")
        model = model or REGISTERED[Task.CLASSIFICATION]
        version = registry.named(model, which) if model in REGISTERED.values() else None
        if version is None:
            return None
        record = None
        if version.run_id and (self.home.run(version.run_id) / "run.json").is_file():
            record = runs.load(self.home, version.run_id)
        return Target(_named(registry, version), version.run_id, record if record and self._judged(record) else None, version)

    def _elsewhere(self, ledger: Ledger, name: str) -> Target | None:
        return Target(name, name, None, None) if find_pipeline_run(ledger, name) is not None else None

    def _judged(self, record: RunRecord) -> bool:
        return all(self.store.has(step, record.steps[step].key) for step in ("preprocess", "evaluate"))


@contextmanager
def compared(targets: Targets, first: Target, second: Target) -> Iterator[Comparison]:
    """Compare two targets; bundles that were fetched are gone when the block ends.

    Raises:
        RunError: they are versions of two registered models, or one and the same.
        TrackingError: MLflow does not answer, or has lost a bundle.
        BundleError, DatasetError: what a run left is damaged.
    """
    names = {target.version.name for target in (first, second) if target.version is not None}
    if len(names) > 1:
        raise RunError(f"{first.name} and {second.name} answer different questions; compare versions of one registered model")
    if first.version is not None and first.version == second.version:
        raise RunError(f"{first.version.label} is named twice; compare it with another version")
    with tempfile.TemporaryDirectory(prefix="dermacare-") as folder:
        sides = _Sides(targets, (first, second), Path(folder))
        one, other = sides.side(first), sides.side(second)
        yield compare(one, other, sides.decisions(one, other))


class _Sides:
    """Puts together what is known of two targets."""

    def __init__(self, targets: Targets, both: tuple[Target, Target], folder: Path) -> None:
        self._home = targets.home
        self._store = targets.store
        self._splits = KnownSplits(targets.home)
        self._ledger = targets.ledger
        self._records = [target.record for target in both if target.record is not None]
        self._folder = folder

    def side(self, target: Target) -> Side:
        """All that is known of a target."""
        if target.record is not None:
            side = self._of_home(target.record)
            if target.version is None:
                return side
            mine = next((model for model in side.models if _is_bundle_of(target.version, model)), None)
            if mine is not None:
                version = replace(mine, chosen=True, version=target.version.label)
                return replace(side, name=target.name, models=(version,))
        assert self._ledger is not None
        with self._ledger.answering(f"looking up {target.name}"):
            side = self._of_mlflow(self._ledger, target)
        return side if target.version is None else self._judge(side, target.version)

    def decisions(self, *sides: Side) -> dict[str, int]:
        """Test set → how many decisions it has taken, of each that a model was judged on; none where MLflow knows of none."""
        if self._ledger is None:
            return {}
        with self._ledger.answering("counting what was decided on the test sets"):
            counted = {
                model.test_set: count_decisions(self._ledger, model.test_set)
                for side in sides
                for model in side.models
                if model.test_set
            }
        return {test_set: count for test_set, count in counted.items() if count}

    def _of_home(self, record: RunRecord) -> Side:
        evaluation = self._store.out("evaluate", record.steps["evaluate"].key)
        dataset = Dataset(self._store.out("preprocess", record.steps["preprocess"].key))
        scores = read_scores(evaluation)
        chosen = self._chosen(record)
        models: list[Model] = []
        libraries: dict[str, str] = {}
        for name, one in scores.models.items():
            bundle = self._bundle(record, name)
            description = read_description(bundle)
            libraries |= description.libraries
            table = with_truth(dataset, description.task, read_predictions(evaluation / "predictions" / f"{name}.parquet"))
            said, left_out = self._unlearned(description, dataset, table)
            answers = Answers(said, left_out, dataset, bundle)
            test_set = scores.test_sets[one.task]
            models.append(Model(name, description.task, flat(one), name in chosen, chosen.get(name, ""), test_set, answers))
        facts = {
            "data version": scores.data_version[:12],
            **self._commit(record.id),
            "profile": record.profile or "none",
            **{f"code of {step.step}": step.code[:8] for step in record.steps.steps if step.step != "register"},
            **_libraries(libraries),
        }
        return Side(record.id, facts, publish.flat(publish.recorded(record.params)), tuple(models), scores.phantom)

    def _chosen(self, record: RunRecord) -> dict[str, str]:
        """Model that the run chose → its version."""
        out = self._store.out("register", record.steps["register"].key)
        if not out.is_dir():
            return {}
        release = read_release(out)
        return {one.model: f"{one.name}/{one.version}" for one in (release.classifier, release.segmenter) if one is not None}

    def _bundle(self, record: RunRecord, model: str) -> Path:
        step = next(step for step in record.steps.steps if step.name.partition("/")[2] == model)
        return self._store.out(step.name, step.key)

    def _commit(self, run_id: str) -> dict[str, str]:
        if self._ledger is None:
            return {}
        with self._ledger.answering(f"looking up {run_id}"):
            run = find_pipeline_run(self._ledger, run_id)
        return {} if run is None else _code(run.data.tags)

    def _unlearned(self, description: Description, dataset: Dataset, rows: "pd.DataFrame") -> "tuple[pd.DataFrame, int | None]":
        """The rows that a model, and those before it, are not known to have learned from, and how many others; None: not known."""
        elsewhere = [version for version in description.learned_from if version != dataset.version]
        shown = dataset.rows(description.task).set_index("image_id", drop=False).loc[rows["image_id"]]
        learned, is_all = learned_of(self._splits, elsewhere, shown, description.task, description.training.get("folds", 1))
        return rows[~learned.to_numpy()].reset_index(drop=True), int(learned.sum()) if is_all else None

    def _of_mlflow(self, ledger: Ledger, target: Target) -> Side:
        """What MLflow knows of a run, or of the model of one that became a version."""
        if target.version is None:
            pipeline = find_pipeline_run(ledger, target.run_id)
            assert pipeline is not None
            children = ledger.search_everywhere(f"tags.`{PARENT}` = '{pipeline.info.run_id}'")
            labels = _labels_of(ledger, target.run_id)
            models = [_model(run, labels.get(run.data.tags[MODEL], "")) for run in children if MODEL in run.data.tags]
        else:
            entry = ledger.client.get_model_version(target.version.name, str(target.version.number))
            child = ledger.client.get_run(str(entry.run_id))
            children = [child]
            pipeline = ledger.client.get_run(child.data.tags[PARENT])
            models = [replace(_model(child, target.version.label), task=_task(target.version.name))]
        tags = {key: value for run in (*children, pipeline) for key, value in run.data.tags.items()}
        params = {key: value for run in children for key, value in run.data.params.items()}
        facts = {
            "data version": tags.get("dermacare.data_version", "unknown")[:12],
            **_code(tags),
            "profile": pipeline.data.tags.get("dermacare.profile") or "none",
            **_libraries({key.removeprefix("library."): value for key, value in params.items() if key.startswith("library.")}),
        }
        note = f"run {target.run_id} is not in this home: its figures are those that MLflow has"
        phantom = tags.get("dermacare.phantom") == "true"
        return Side(target.name, facts, pipeline.data.params, tuple(models), phantom, (note,))

    def _judge(self, side: Side, version: Version) -> Side:
        """The side of a version with what its bundle says of test images of this home, if any can be shown to it."""
        assert self._ledger is not None
        folder = self._folder / version.label.replace("/", "-") / "whole"
        folder.parent.mkdir()
        fetch_bundle(self._ledger, version, folder)
        fetched = Bundle.load(folder)
        description = fetched.description
        dataset = next((one for one in self._datasets() if _fits(description, one)), None)
        if dataset is None:
            note = f"no data of this home went through the preprocessing of {version.label}, so that no image could be shown to it"
            return replace(side, notes=(*side.notes, note))
        asked, left_out = self._unlearned(description, dataset, dataset.rows(description.task, Split.TEST))
        if asked.empty:
            return replace(side, notes=(*side.notes, f"{version.label} learned from all test images of this home"))
        said = answered(fetched.on(dataset.preprocessing), dataset, asked, lambda images: None)
        table = with_truth(dataset, description.task, said)
        model = replace(side.models[0], answers=Answers(table, left_out, dataset, folder))
        if model.test_set != test_set_digest(dataset, description.task):
            note = f"image by image {version.label} was judged now, on data version {dataset.version[:12]} of this home"
            return replace(side, models=(model,), notes=(*side.notes, note))
        return replace(side, models=(model,))

    def _datasets(self) -> Iterator[Dataset]:
        """Preprocessed data on which a fetched model may be judged, the best suited first."""
        outs = [self._store.out("preprocess", record.steps["preprocess"].key) for record in self._records]
        yield from map(Dataset, dict.fromkeys([*outs, *self._store.outs("preprocess")]))


def _fits(description: Description, dataset: Dataset) -> bool:
    """Whether a dataset has test images of the model's task that went through what the model saw."""
    return saw_such_images(description, dataset.preprocessing) and not dataset.rows(description.task, Split.TEST).empty


def _is_bundle_of(version: Version, model: Model) -> bool:
    return model.answers is not None and bundle_digest(model.answers.bundle) == version.digest


def _named(registry: Registry, version: Version) -> str:
    aliases = [alias for alias, number in sorted(registry.aliases(version.name).items()) if number == version.number]
    return version.label + (f" ({', '.join(aliases)})" if aliases else "")


def _task(registered: str) -> Task:
    return next(task for task, name in REGISTERED.items() if name == registered)


def find_pipeline_run(ledger: Ledger, run_id: str) -> "Run | None":
    """The MLflow run of a run of ours, of whatever experiment; None where MLflow has none.

    Raises:
        MLflow's own errors: see `Ledger.answering`.
    """
    if not re.fullmatch(r"[\w.-]+", run_id):
        return None
    return next(iter(ledger.search_everywhere(f"tags.`{RUN_ID}` = '{run_id}' and tags.`{ROLE}` = 'pipeline'")), None)


def _labels_of(ledger: Ledger, run_id: str) -> dict[str, str]:
    """Model of a run → the version that it became."""
    registry = Registry(ledger)
    versions = [one for name in REGISTERED.values() for one in registry.versions(name) if one.run_id == run_id]
    return {ledger.client.get_model_version(one.name, str(one.number)).tags.get("model", ""): one.label for one in versions}


def _model(run: "Run", version: str) -> Model:
    """A model as MLflow knows it; what it answers is told by what was measured of it."""
    figures = {name: value for name, value in run.data.metrics.items() if name.startswith(("val/", "test/"))}
    task = Task.SEGMENTATION if "test/dice" in figures else Task.CLASSIFICATION
    return Model(run.data.tags[MODEL], task, figures, bool(version), version, run.data.tags.get(TEST_SET, ""))


def _code(tags: Mapping[str, str]) -> dict[str, str]:
    commit = tags.get("dermacare.commit", "")[:12] or "outside git"
    return {"commit": commit + (" with uncommitted changes" if tags.get("dermacare.dirty") == "true" else "")}


def _libraries(versions: Mapping[str, str]) -> dict[str, str]:
    return {f"library {name}": version for name, version in sorted(versions.items())}
