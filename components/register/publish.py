"""A model's MLflow run, whole: whatever the live line has or has not written, once all is written it looks the same."""

import json
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from components.bundle import CARD, Description, bundle_digest, read_description
from components.lesions import Task
from components.provenance.machine import read_machines
from components.provenance.tags import CODE, DVC_REVISION, IMAGES, LOCK, MACHINE, TRAINED_BY
from components.register.context import RunContext
from components.register.logged_model import BUNDLE, ensure_logged_model, find_source_run
from components.register.registry import Registry
from components.scores import SCORES_FILE, ModelScores, flat
from components.tracking import NOTE, STEP_KEY, TEST_SET, Ledger, Point, UsedData

TRAINED_IN = "dermacare.trained_in"


@dataclass(frozen=True)
class ModelRecord:
    """A model of a run and its scores.

    Attributes:
        bundle: its folder.
        description: what the bundle says of itself.
        scores: what evaluate measured.
        reused: our id of the earlier run that trained it, or None where this run did.
        parent: the registered version that it was trained on from, `lesion-classifier/7`, or its digest where no version has it;
            empty where it was not.
    """

    bundle: Path
    description: Description
    scores: ModelScores
    reused: str | None
    parent: str = ""

    @classmethod
    def read(cls, bundle: Path, scores: Mapping[str, ModelScores], run: RunContext) -> "ModelRecord":
        """Put together what is known of a bundle without asking MLflow."""
        description = read_description(bundle)
        return cls(bundle, description, scores[description.name], run.reused.get(description.name))

    def with_parent(self, registry: Registry) -> "ModelRecord":
        """The same, with the version that it was trained on from, where it was."""
        parent = self.description.parent
        if parent is None:
            return self
        version = registry.of_bundle(parent.digest)
        return replace(self, parent=version.label if version else parent.digest)

    @property
    def name(self) -> str:
        """The model's name."""
        return self.description.name


@dataclass(frozen=True)
class PublishedModel:
    """A model as MLflow knows it: ids of its run and of its stored bundle, and the bundle's digest."""

    record: ModelRecord
    run: str
    model_id: str
    digest: str


class Publisher:
    """Writes the model runs of one pipeline run.

    Args:
        ledger: where.
        parent: MLflow's id of the pipeline run.
        run: the pipeline run.
        data: the dataset that the models learnt from and were judged on.
        evaluation: evaluate's output.
        test_sets: task → what tells the test set apart that its models were judged on.
        images: task → what tells the images apart that its models were made with: `components.provenance.images`.
        work: folder for what is stored, while it is put together.
    """

    def __init__(
        self,
        ledger: Ledger,
        parent: str,
        run: RunContext,
        data: UsedData,
        evaluation: Path,
        test_sets: Mapping[str, str],
        images: Mapping[Task, str],
        work: Path,
    ) -> None:
        self._ledger = ledger
        self._parent = parent
        self._run = run
        self._data = data
        self._evaluation = evaluation
        self._test_sets = test_sets
        self._images = images
        self._work = work

    def publish(self, record: ModelRecord, note: str) -> PublishedModel:
        """Write a model's run: parameters, curves, figures, pictures, data, tags, the bundle; and end it."""
        ledger, points = self._ledger, list(read_points(record.bundle))
        # A reused model was trained in another run; this one's clock has nothing to do with it.
        times = [point.time for point in points] if record.reused is None else []
        run = ledger.ensure_model_run(self._parent, self._run.run_id, record.name, min(times, default=None))
        # Before the first picture: a withdrawal finds by it what a kill leaves here.
        ledger.set_tags(run, {"dermacare.data_version": record.description.data_version})
        ledger.log_params(run, _params(record.description))
        ledger.log_points(run, points)
        ledger.client.log_artifact(run, str(record.bundle / CARD))
        ledger.log_folder(run, record.bundle / "figures", "figures/training")
        ledger.log_folder(run, self._evaluation / "figures" / record.name, "figures/evaluation")
        ledger.log_dataset(run, self._data)
        # The confusion matrix, which no metric holds.
        ledger.client.log_text(run, record.scores.model_dump_json(indent=2) + "\n", SCORES_FILE)
        tags = self._tags(record) | self._origin(record, run)
        ledger.set_tags(run, tags | {BUNDLE: bundle_digest(record.bundle), NOTE: note})
        model_id = ensure_logged_model(ledger, run, record.bundle, record.description, tags, self._work)
        counts = {"parameters_total": record.description.parameters_total}
        counts["parameters_trainable"] = record.description.parameters_trainable
        ledger.log_figures(run, flat(record.scores) | counts, model_id)
        if ledger.client.get_run(run).info.status == "RUNNING":
            ledger.end(run, "FINISHED", max(times, default=None))
        return PublishedModel(record, run, model_id, bundle_digest(record.bundle))

    def _tags(self, record: ModelRecord) -> dict[str, str]:
        return {
            **code_tags(self._run),
            "dermacare.data_version": record.description.data_version,
            "dermacare.phantom": str(record.description.saw_drawn).lower(),
            "dermacare.val_rows": record.scores.val_rows,
            STEP_KEY: self._run.step_key(record.name),
            TEST_SET: self._test_sets[record.scores.task],
            IMAGES: self._images[record.description.task],
            **_known({"dermacare.parent": record.parent, **self._provenance(record)}),
        }

    def _provenance(self, record: ModelRecord) -> dict[str, str]:
        """What the model was made by; empty what is not known."""
        return {
            CODE: self._run.code(record.name),
            LOCK: self._run.lock,
            DVC_REVISION: self._run.dvc_revision,
            MACHINE: "\n".join(read_machines(record.bundle)),
            TRAINED_BY: record.reused or "",
        }

    def _origin(self, record: ModelRecord, run: str) -> dict[str, str]:
        """The tag that names the MLflow run which trained a model, where that is another than its own."""
        earlier = self._ledger.model_run(record.reused, record.name) if record.reused else None
        trained = earlier.info.run_id if earlier else find_source_run(self._ledger, record.bundle)
        return {} if trained is None or trained == run else {TRAINED_IN: trained}


def _known(tags: Mapping[str, str]) -> dict[str, str]:
    return {key: value for key, value in tags.items() if value}


def code_tags(run: RunContext) -> dict[str, str]:
    """Which code a run ran, as tags; `mlflow.source.git.commit` is the one that MLflow's own pages show."""
    tags = {"dermacare.dirty": str(run.dirty).lower()}
    if run.commit:
        tags |= {"dermacare.commit": run.commit, "mlflow.source.git.commit": run.commit}
    return tags


def read_points(bundle: Path) -> Iterator[Point]:
    """The curves of a training, from the `metrics.jsonl` beside its bundle, in the order in which they were written."""
    file = bundle / "metrics.jsonl"
    if not file.exists():
        return
    for text in file.read_text(encoding="utf-8").splitlines():
        line = json.loads(text)
        if line["epoch"] is not None:
            for key, value in line["values"].items():
                yield Point(key, value, line["time"], line["epoch"])


def _params(description: Description) -> dict[str, str]:
    """A model's parameters, flat: those of its training by their own names, others after `preprocess.` and `library.`."""
    training = {key: value for key, value in description.training.items() if key not in ("models", "overrides")}
    facts: dict[str, Any] = {
        **training,
        "architecture": description.architecture,
        "input_size": description.input_size,
        "parameters_total": description.parameters_total,
        "parameters_trainable": description.parameters_trainable,
        **{f"preprocess.{key}": value for key, value in description.preprocess.model_dump(mode="json").items()},
        **{f"library.{name}": version for name, version in description.libraries.items()},
    }
    return {key: _text(value) for key, value in facts.items()}


def _text(value: object) -> str:
    if isinstance(value, (list, tuple)):
        return " x ".join(map(str, value))
    return str(value)
