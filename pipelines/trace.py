"""Finds the chain of a model in MLflow and the ledger alone, so that it can be read on any machine, years later."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import TYPE_CHECKING

from components.errors import BundleError, RunError, TrackingError
from components.promotion.entries import Entry, Version
from components.promotion.releases import decisions_of
from components.provenance.chain import Chain, Code, Data, Model, Training
from components.provenance.decisions import find_decisions
from components.provenance.tags import CODE, DVC_REVISION, IMAGES, LOCK, MACHINE, TRAINED_BY
from components.register.logged_model import BUNDLE
from components.register.publish import TRAINED_IN
from components.register.registry import REGISTERED, Registry
from components.registered import fetch_digests
from components.tracking import MODEL, PARENT, RUN_ID, STEP_KEY, Ledger
from pipelines.compare import find_pipeline_run
from pipelines.home import Home, open_ledger

if TYPE_CHECKING:
    from mlflow.entities import Run

_OLD = "its run in MLflow does not note it"
_LIBRARY = "library."
_STORED = "models:/"
_SOURCES = "ingest.sources"


@dataclass
class _Unknown:
    """Collects what is not known, and why."""

    why: dict[str, str] = field(default_factory=dict)

    def known(self, name: str, value: str | None, why: str) -> str | None:
        """The value; where there is none, the reason is kept."""
        if not value:
            self.why[name] = why
        return value or None


class Chains:
    """Chains of the models that a home's MLflow and ledger know.

    Args:
        home: whose MLflow and ledger are asked; nothing else of it is read.

    Raises:
        RunError: nothing was ever registered there.
    """

    def __init__(self, home: Home) -> None:
        ledger = open_ledger(home)
        if ledger is None:
            raise RunError(
                f"{home.root}: nothing was registered there yet; set DERMACARE_HOME, or MLFLOW_TRACKING_URI and DERMACARE_LEDGER"
            )
        self._mlflow: Ledger = ledger
        self._registry = Registry(ledger)
        self._entries: Sequence[Entry] = home.releases().entries()

    def find(self, name: str) -> list[Chain]:
        """The chains of all models that a name means.

        Args:
            name: a version's number or alias, of both registered models unless it says `lesion-classifier/7`; or the id of a run,
                which stands for the best models that it registered.

        Raises:
            RunError: it means nothing; the text says what there is.
            TrackingError: MLflow does not answer.
        """
        with self._mlflow.answering(f"looking up {name}"):
            versions = self._versions(name) or self._of_run(name)
            if not versions:
                raise RunError(self._nothing(name))
            return [self._chain(version) for version in versions]

    def of_model(self, run_id: str, model: str) -> Chain:
        """The chain of a run's model, whether it was registered or not.

        Raises:
            RunError: MLflow has no such model; the text says which it has.
            TrackingError: MLflow does not answer.
        """
        with self._mlflow.answering(f"looking up {run_id}"):
            pipeline = find_pipeline_run(self._mlflow, run_id)
            children = [] if pipeline is None else self._mlflow.search_everywhere(f"tags.`{PARENT}` = '{pipeline.info.run_id}'")
            child = next((one for one in children if one.data.tags.get(MODEL) == model), None)
            if child is None:
                names = ", ".join(one.data.tags.get(MODEL, "") for one in children) or "none"
                raise RunError(f"{run_id}: MLflow has no model {model} of it; it has {names}")
            version = self._registry.of_bundle(child.data.tags.get(BUNDLE, ""))
            return self._put_together(child, version, model, run_id)

    def models_of(self, run_id: str) -> list[str]:
        """Names of the best models of a run; empty where it registered none."""
        with self._mlflow.answering(f"looking up {run_id}"):
            return [version.model for version in self._of_run(run_id)]

    def _versions(self, name: str) -> list[Version]:
        model, slash, which = name.rpartition("/")
        names = [model] if slash else list(REGISTERED.values())
        return [found for one in names if one in REGISTERED.values() and (found := self._registry.named(one, which)) is not None]

    def _of_run(self, run_id: str) -> list[Version]:
        """The versions that a run's best models are; of one from before the ledger, those that name it."""
        entry = decisions_of(self._entries, run_id)
        if entry is not None:
            return [decision.subject for decision in entry.decisions]
        return [one for name in REGISTERED.values() for one in self._registry.versions(name) if one.run_id == run_id]

    def _nothing(self, name: str) -> str:
        if find_pipeline_run(self._mlflow, name) is not None:
            return f"{name}: is a run that registered no model; `dermacare runs` tells how it ended"
        there = ", ".join(one.label for model in REGISTERED.values() for one in self._registry.versions(model)[-5:])
        return f"{name}: is no registered version and no run that MLflow has; versions: {there or 'none'}"

    def _chain(self, version: Version) -> Chain:
        """The chain of a version, from the run that MLflow says it is of."""
        return self._put_together(self._model_run(version), version, version.model, version.run_id)

    def _model_run(self, version: Version) -> "Run | None":
        """The MLflow run of the model; None where it was deleted for good."""
        entry = self._mlflow.client.get_model_version(version.name, str(version.number))
        return None if not entry.run_id else self._run(entry.run_id)

    def _run(self, mlflow_id: str) -> "Run | None":
        from mlflow.exceptions import MlflowException

        try:
            return self._mlflow.client.get_run(mlflow_id)
        except MlflowException as error:
            if error.error_code != "RESOURCE_DOES_NOT_EXIST":
                raise
            return None

    def _put_together(self, child: "Run | None", version: Version | None, model: str, run_id: str) -> Chain:
        unknown, astray = _Unknown(), []
        tags = self._tags(child, version)
        missing = _OLD if child else f"MLflow has lost the run of {model}"
        pipeline = self._run(tags[PARENT]) if PARENT in tags else None
        trainer = self._trainer(tags)
        label = version.label if version else None
        decisions, judged = find_decisions(self._entries, label) if label else find_decisions((), "")
        digest = version.digest if version else tags.get(BUNDLE)
        files = self._files(child, version, unknown)
        if judged is not None and judged != digest:
            astray.append(f"the ledger judged {label} as the bundle {judged}, but MLflow has {digest} under this number")
        if files and digest and files["bundle.json"] != digest:
            astray.append(f"the stored bundle.json has the SHA-256 {files['bundle.json']}, but {digest} was registered")
        if label is not None and decisions.outcome is None:
            unknown.why["decisions"] = "no entry of the ledger names this version"
        return Chain(
            model=Model(
                version=label,
                aliases=self._aliases(version),
                name=model,
                digest=unknown.known("model.digest", digest, missing),
                files=files,
                parent=tags.get("dermacare.parent") or tags.get("parent"),
                phantom=_flag(tags.get("dermacare.phantom") or tags.get("phantom")),
            ),
            training=self._training(child, pipeline, trainer, run_id, missing, unknown),
            data=_data(tags, pipeline, missing, unknown),
            code=_code(tags, trainer or pipeline, missing, unknown),
            decisions=decisions,
            unknown=unknown.why,
            astray=tuple(astray),
        )

    def _tags(self, child: "Run | None", version: Version | None) -> Mapping[str, str]:
        """Tags of the model's run; those of its version where the run is lost."""
        if child is not None:
            return dict(child.data.tags)
        assert version is not None
        return dict(self._mlflow.client.get_model_version(version.name, str(version.number)).tags)

    def _aliases(self, version: Version | None) -> tuple[str, ...]:
        if version is None:
            return ()
        return tuple(sorted(alias for alias, number in self._registry.aliases(version.name).items() if number == version.number))

    def _trainer(self, tags: Mapping[str, str]) -> "Run | None":
        """The pipeline run that trained the model, where that is another than the one that published it."""
        trained = self._run(tags[TRAINED_IN]) if TRAINED_IN in tags else None
        return self._run(trained.data.tags[PARENT]) if trained and PARENT in trained.data.tags else None

    def _files(self, child: "Run | None", version: Version | None, unknown: _Unknown) -> dict[str, str]:
        if version is not None:
            source = self._mlflow.client.get_model_version(version.name, str(version.number)).source or ""
            stored = source.removeprefix(_STORED) if source.startswith(_STORED) else None
        else:
            outputs = child.outputs.model_outputs if child and child.outputs else []
            stored = outputs[0].model_id if outputs else None
        if not stored:
            unknown.why["model.files"] = "MLflow does not say where the bundle is stored"
            return {}
        try:
            return fetch_digests(self._mlflow, stored)
        except (BundleError, TrackingError) as error:
            unknown.why["model.files"] = str(error)
            return {}

    def _training(
        self,
        child: "Run | None",
        pipeline: "Run | None",
        trainer: "Run | None",
        run_id: str,
        missing: str,
        unknown: _Unknown,
    ) -> Training:
        made = trainer or pipeline
        tags = child.data.tags if child else {}
        params = dict(made.data.params) if made else {}
        own = dict(child.data.params) if child else {}
        libraries = {key.removeprefix(_LIBRARY): value for key, value in own.items() if key.startswith(_LIBRARY)}
        machines = unknown.known("training.machines", tags.get(MACHINE), missing)
        trained_in = trainer.data.tags[RUN_ID] if trainer else tags.get(TRAINED_BY)
        if trained_in and not trainer:
            unknown.why["training"] = (
                f"MLflow does not know run {trained_in}, which trained it: commit and parameters are those of the run that "
                "published it, whose training step has the same code and parameters"
            )
        if not libraries:
            unknown.why["training.libraries"] = missing
        if not params:
            unknown.why["training.params"] = "MLflow has lost the run"
        elif _SOURCES not in params:
            unknown.why["training.params"] = "its steps were carried out one by one; params.yaml of the commit says how"
            params |= {f"{tags.get(MODEL)}.{key}": value for key, value in own.items() if not key.startswith(_LIBRARY)}
        return Training(
            run_id=run_id,
            trained_in=trained_in,
            profile=pipeline.data.tags.get("dermacare.profile", "") if pipeline else "",
            started=_time(pipeline.info.start_time) if pipeline else None,
            ended=_time(pipeline.info.end_time) if pipeline else None,
            status=pipeline.info.status if pipeline else None,
            step_key=unknown.known("training.step_key", tags.get(STEP_KEY), missing),
            machines=tuple(machines.splitlines()) if machines else (),
            libraries=libraries,
            seeds={key: value for key, value in sorted(params.items()) if key.rpartition(".")[2] in ("seed", "seeds")},
            params=params,
        )


def _data(tags: Mapping[str, str], pipeline: "Run | None", missing: str, unknown: _Unknown) -> Data:
    # A run from before revisions were noted has no digest of its images either.
    not_versioned = "DVC has no data of this version where it was registered" if IMAGES in tags else missing
    sources = pipeline.data.params.get(_SOURCES, "") if pipeline else ""
    if not sources:
        unknown.why["data.sources"] = "ingest was carried out by itself" if pipeline else missing
    return Data(
        version=unknown.known("data.version", tags.get("dermacare.data_version") or tags.get("data_version"), missing),
        images=unknown.known("data.images", tags.get(IMAGES), missing),
        revision=unknown.known("data.revision", tags.get(DVC_REVISION), not_versioned),
        sources=sources,
    )


def _code(tags: Mapping[str, str], made: "Run | None", missing: str, unknown: _Unknown) -> Code:
    """The code of the run that trained; a version's own tags where that run is lost."""
    known = made.data.tags if made else tags
    commit = known.get("dermacare.commit") or known.get("commit")
    return Code(
        commit=unknown.known("code.commit", commit, "the code was no clone of a git repository"),
        dirty=_flag(known.get("dermacare.dirty") or known.get("dirty")),
        digest=unknown.known("code.digest", tags.get(CODE), missing),
        lock=unknown.known("code.lock", tags.get(LOCK), missing),
    )


def _flag(text: str | None) -> bool | None:
    return None if text is None else text == "true"


def _time(milliseconds: int | None) -> str | None:
    """MLflow's milliseconds since 1970 as ISO 8601, UTC."""
    return None if milliseconds is None else datetime.fromtimestamp(milliseconds / 1000, UTC).isoformat(timespec="seconds")
