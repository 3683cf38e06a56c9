"""MLflow's registered models: one version a bundle, and the aliases `production` and `previous`, which follow the ledger.

A kill between any two of the calls below leaves a state from which the same calls reach the same end: a version is found by its
bundle before one is made, and an alias that points where it must is left alone.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING

from components.lesions import Task
from components.promotion.entries import Version
from components.register.logged_model import BUNDLE
from components.tracking import Ledger

if TYPE_CHECKING:
    from mlflow.entities.model_registry import ModelVersion

PRODUCTION = "production"
PREVIOUS = "previous"
REASON = "reason"
RUN = "run_id"
MODEL = "model"

REGISTERED: Mapping[Task, str] = {Task.CLASSIFICATION: "lesion-classifier", Task.SEGMENTATION: "lesion-segmenter"}
# Characters of a description or a tag that MLflow's database has room for; what the ledger says is whole there.
_LONGEST = 5000
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
        reason: why it is the one of its run that is registered, one sentence.
        tags: more tags.
    """

    task: Task
    digest: str
    model_id: str
    run: str
    reason: str
    tags: Mapping[str, str]


class Registry:
    """The two registered models of a ledger."""

    def __init__(self, ledger: Ledger) -> None:
        self._client = ledger.client
        self._uri = ledger.uri

    def register(self, entry: Entry) -> Version:
        """The version of this bundle, made if absent; it serves nobody by that."""
        name = REGISTERED[entry.task]
        self._ensure_registered(entry.task)
        version = self._find(name, entry.digest)
        return _version(self._make(name, entry) if version is None else version)

    def point(self, name: str, alias: str, number: int | None) -> None:
        """Let an alias of a registered model point at a version; None: at none."""
        at = self.aliases(name).get(alias)
        if number is None and at is not None:
            self._client.delete_registered_model_alias(name, alias)
        elif number is not None and at != number:
            self._client.set_registered_model_alias(name, alias, str(number))

    def tell(self, name: str, number: int, tags: Mapping[str, str], description: str) -> None:
        """Write tags and description of a version."""
        self._client.update_model_version(name, str(number), description=description[:_LONGEST])
        self.tag(name, number, tags)

    def describe_further(self, name: str, number: int, line: str) -> None:
        """Put a line of Markdown before the description of a version; one that stands there is not repeated."""
        known = self._client.get_model_version(name, str(number)).description or ""
        if line[:_LONGEST] not in known:
            self._client.update_model_version(name, str(number), description=f"{line}\n\n{known}"[:_LONGEST])

    def tag(self, name: str, number: int, tags: Mapping[str, str]) -> None:
        """Write tags of a version."""
        for key, value in tags.items():
            self._client.set_model_version_tag(name, str(number), key, value[:_LONGEST])

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

    def noted(self, key: str) -> dict[str, str]:
        """Version, as people write it → what stands in a tag of it; versions without the tag are left out."""
        found = [one for name in REGISTERED.values() for one in self._client.search_model_versions(f"name = '{name}'")]
        return {f"{one.name}/{one.version}": one.tags[key] for one in found if key in one.tags}

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


def _version(version: "ModelVersion") -> Version:
    return Version(
        name=version.name,
        number=int(version.version),
        digest=version.tags[BUNDLE],
        run_id=version.tags.get(RUN, ""),
        model=version.tags.get(MODEL, ""),
    )
