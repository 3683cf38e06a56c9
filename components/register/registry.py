"""MLflow's registered models: one version a bundle, aliases `production` and `previous`.

A kill between any two of the calls below leaves a state from which the same calls reach the same end: a version is found by its
bundle before one is made, and what `previous` must point at is set while `production` still points there.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING

from components.lesions import Task
from components.register.logged_model import BUNDLE
from components.tracking import Ledger

if TYPE_CHECKING:
    from mlflow.entities.model_registry import ModelVersion

PRODUCTION = "production"
PREVIOUS = "previous"
REASON = "reason"
RUN = "run_id"

REGISTERED: Mapping[Task, str] = {Task.CLASSIFICATION: "lesion-classifier", Task.SEGMENTATION: "lesion-segmenter"}
_ABOUT: Mapping[Task, str] = {
    Task.CLASSIFICATION: "Tells eight diagnoses apart on dermoscopic images, given as encoded files in a column `image`.",
    Task.SEGMENTATION: "Draws the lesion's mask on dermoscopic images, given as encoded files in a column `image`.",
}


@dataclass(frozen=True)
class Entry:
    """A model as it is to be registered.

    Attributes:
        task: which registered model it is a version of.
        digest: see `bundle_digest`.
        model_id: MLflow's id of the stored bundle.
        run: MLflow's id of the run that it comes from.
        reason: why it goes to production, one sentence.
        tags: more tags.
    """

    task: Task
    digest: str
    model_id: str
    run: str
    reason: str
    tags: Mapping[str, str]


@dataclass(frozen=True)
class Promotion:
    """What `promote` found or did: versions behind the two aliases, and whether `production` moved."""

    version: int
    previous: int | None
    reason: str
    moved: bool


@dataclass(frozen=True)
class Version:
    """A version of a registered model.

    Attributes:
        name: of the registered model.
        number: of the version.
        digest: see `bundle_digest`.
        run_id: our id of the run that it comes from.
    """

    name: str
    number: int
    digest: str
    run_id: str

    @property
    def label(self) -> str:
        """As people write it: `lesion-classifier/7`."""
        return f"{self.name}/{self.number}"


class Registry:
    """The two registered models of a ledger."""

    def __init__(self, ledger: Ledger) -> None:
        self._client = ledger.client
        self._uri = ledger.uri

    def promote(self, entry: Entry) -> Promotion:
        """Let `production` point at the version of this bundle, made if absent, and `previous` at the one before it."""
        name = REGISTERED[entry.task]
        self._ensure_registered(entry.task)
        version = self._find(name, entry.digest)
        aliases = self.aliases(name)
        if version is not None and aliases.get(PRODUCTION) == int(version.version):
            # Where this run itself moved the alias before it was killed, it has moved.
            moved = version.tags.get(RUN) == entry.tags.get(RUN)
            return Promotion(int(version.version), aliases.get(PREVIOUS), version.tags.get(REASON, entry.reason), moved)
        number = int(self._make(name, entry).version if version is None else version.version)
        if version is not None:
            self._explain(name, number, entry)
        if PRODUCTION in aliases:
            self._client.set_registered_model_alias(name, PREVIOUS, str(aliases[PRODUCTION]))
        self._client.set_registered_model_alias(name, PRODUCTION, str(number))
        return Promotion(number, aliases.get(PRODUCTION), entry.reason, moved=True)

    def before(self, task: Task, run_id: str) -> "ModelVersion | None":
        """The version that was in production before a run of ours promoted another, or None where there was none."""
        name = REGISTERED[task]
        aliases = self.aliases(name)
        if PRODUCTION not in aliases:
            return None
        current = self._client.get_model_version(name, str(aliases[PRODUCTION]))
        if current.tags.get(RUN) != run_id:
            return current
        return self._client.get_model_version(name, str(aliases[PREVIOUS])) if PREVIOUS in aliases else None

    def aliases(self, name: str) -> dict[str, int]:
        """Alias → version of a registered model; empty where there is no such model."""
        found = self._client.search_registered_models(f"name = '{name}'")
        return {alias: int(version) for alias, version in found[0].aliases.items()} if found else {}

    def versions(self, name: str) -> list[Version]:
        """All versions of a registered model that we registered, oldest first; empty where there is no such model."""
        found = self._client.search_model_versions(f"name = '{name}'")
        versions = [_version(one) for one in found if BUNDLE in one.tags]
        return sorted(versions, key=lambda version: version.number)

    def named(self, name: str, which: str) -> Version | None:
        """The version of a registered model that a number or an alias names, or None where there is none."""
        number = int(which) if which.isdigit() else self.aliases(name).get(which)
        return next((version for version in self.versions(name) if version.number == number), None)

    def of_bundle(self, digest: str) -> Version | None:
        """The version whose bundle has this digest, or None where no registered model has it."""
        found = [self._find(name, digest) for name in REGISTERED.values()]
        return next((_version(one) for one in found if one is not None), None)

    def _ensure_registered(self, task: Task) -> None:
        name = REGISTERED[task]
        if not self._client.search_registered_models(f"name = '{name}'"):
            self._client.create_registered_model(name, description=_ABOUT[task])

    def _find(self, name: str, digest: str) -> "ModelVersion | None":
        found = self._client.search_model_versions(f"name = '{name}' and tags.`{BUNDLE}` = '{digest}'")
        return min(found, key=lambda version: int(version.version), default=None)

    def _make(self, name: str, entry: Entry) -> "ModelVersion":
        import mlflow

        # MLflow looks the model up through its global address, whatever client is asked.
        mlflow.set_tracking_uri(self._uri)
        return self._client.create_model_version(
            name,
            source=f"models:/{entry.model_id}",
            run_id=entry.run,
            tags={**entry.tags, BUNDLE: entry.digest, REASON: entry.reason},
            description=entry.reason,
            model_id=entry.model_id,
        )

    def _explain(self, name: str, version: int, entry: Entry) -> None:
        self._client.update_model_version(name, str(version), description=entry.reason)
        for key, value in {**entry.tags, REASON: entry.reason}.items():
            self._client.set_model_version_tag(name, str(version), key, value)


def _version(version: "ModelVersion") -> Version:
    return Version(version.name, int(version.version), version.tags[BUNDLE], version.tags.get(RUN, ""))
