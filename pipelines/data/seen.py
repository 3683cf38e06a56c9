"""What MLflow's runs and models learnt from data that was withdrawn: found by their data version, tagged, and kept."""

from collections.abc import Iterator, Set
from dataclasses import dataclass
from pathlib import PurePosixPath
from typing import Any

from components.register.registry import REGISTERED
from components.tracking import MODEL, ROLE, RUN_ID, Ledger
from pipelines.home import Home

WITHDRAWN_TAG = "dermacare.withdrawn"
_VERSION_TAG = "dermacare.data_version"
SHOWING = frozenset({".png", ".jpg", ".jpeg", ".html", ".svg", ".gif"})
"""Endings of pictures and pages, which may show images."""

CURVES = "curves.png"
"""The one picture of a training that shows none."""


@dataclass(frozen=True)
class SeenRun:
    """A run of MLflow's that used the data: MLflow's id, what it is, and its data version."""

    mlflow_id: str
    name: str
    version: str


@dataclass(frozen=True)
class SeenModel:
    """A version of a registered model that learnt from the data, with its aliases."""

    model: str
    number: str
    aliases: tuple[str, ...]
    version: str

    @property
    def name(self) -> str:
        """As people call it: `lesion-classifier version 3 (production)`."""
        return f"{self.model} version {self.number}" + (f" ({', '.join(self.aliases)})" if self.aliases else "")


@dataclass(frozen=True)
class Seen:
    """All that used the data.

    Attributes:
        runs, models: those.
        unknown: data versions of other runs, of which no manifest is left here that would tell what they held.
    """

    runs: tuple[SeenRun, ...] = ()
    models: tuple[SeenModel, ...] = ()
    unknown: tuple[str, ...] = ()


class Tracked:
    """MLflow as far as a withdrawal needs it; where there is no MLflow yet, nothing was seen."""

    def __init__(self, home: Home) -> None:
        there = not home.tracking_uri.startswith("sqlite:") or (home.root / "mlflow.db").exists()
        self._ledger = Ledger(home.tracking_uri, "dermacare") if there else None

    def find(self, versions: Set[str], known: Set[str]) -> Seen:
        """Runs and model versions of these data versions.

        Args:
            versions: data versions that held what is withdrawn.
            known: data versions of which a manifest says what they held.

        Raises:
            TrackingError: MLflow does not answer.
        """
        if self._ledger is None:
            return Seen()
        with self._ledger.answering("looking up what used the data"):
            runs = [self._seen(run) for run in self._ledger.search_everywhere() if run.data.tags.get(_VERSION_TAG)]
            models = [model for model in self._models() if model.version in versions]
        unknown = sorted({run.version for run in runs} - versions - known)
        return Seen(tuple(run for run in runs if run.version in versions), tuple(models), tuple(unknown))

    def tag(self, seen: Seen, text: str) -> int:
        """Tag what used the data, and delete the pictures that may show it; repeatable.

        Returns:
            The number of pictures that were deleted.

        Raises:
            TrackingError: MLflow does not answer or refuses.
        """
        if self._ledger is None:
            return 0
        client, deleted = self._ledger.client, 0
        with self._ledger.answering("tagging what used the data"):
            for run in seen.runs:
                before = client.get_run(run.mlflow_id).data.tags.get(WITHDRAWN_TAG, "")
                client.set_tag(run.mlflow_id, WITHDRAWN_TAG, _joined(before, text))
                deleted += self._delete_pictures(run.mlflow_id)
            for model in seen.models:
                before = client.get_model_version(model.model, model.number).tags.get(WITHDRAWN_TAG, "")
                client.set_model_version_tag(model.model, model.number, WITHDRAWN_TAG, _joined(before, text))
        return deleted

    def _models(self) -> Iterator[SeenModel]:
        assert self._ledger is not None
        client = self._ledger.client
        for name in REGISTERED.values():
            found = client.search_registered_models(f"name = '{name}'")
            aliases = found[0].aliases if found else {}
            for version in client.search_model_versions(f"name = '{name}'"):
                mine = tuple(sorted(alias for alias, number in aliases.items() if str(number) == str(version.version)))
                yield SeenModel(name, str(version.version), mine, version.tags.get("data_version", ""))

    @staticmethod
    def _seen(run: Any) -> SeenRun:
        tags = run.data.tags
        model = f", model {tags[MODEL]}" if tags.get(ROLE) == "model" and MODEL in tags else ""
        return SeenRun(run.info.run_id, f"run {tags.get(RUN_ID, run.info.run_id)}{model}", tags[_VERSION_TAG])

    def _delete_pictures(self, run: str) -> int:
        assert self._ledger is not None
        from mlflow.store.artifact.artifact_repository_registry import get_artifact_repository

        store = get_artifact_repository(self._ledger.client.get_run(run).info.artifact_uri)
        waiting, pictures = [""], []
        while waiting:
            for entry in store.list_artifacts(waiting.pop() or None):
                path = PurePosixPath(entry.path)
                if entry.is_dir:
                    waiting.append(entry.path)
                elif path.suffix.lower() in SHOWING and path.name != CURVES:
                    pictures.append(entry.path)
        for picture in pictures:
            store.delete_artifacts(picture)  # type: ignore[no-untyped-call]
        return len(pictures)


def _joined(before: str, text: str) -> str:
    return before if text in before.split("; ") else "; ".join(filter(None, (before, text)))
