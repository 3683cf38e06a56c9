"""The data behind what serves: the ledger says which version it was."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from components.dataset import Dataset
from components.promotion.entries import Entry, Release, Version
from components.promotion.releases import decisions_of, serving
from components.store import Store
from pipelines import runs
from pipelines.home import Home, open_ledger
from pipelines.plan import Plan


@dataclass(frozen=True)
class Production:
    """What serves, and the data that it was trained and judged on.

    Attributes:
        release: what serves.
        data: label of each version that serves → data version; empty: nobody knows it.
        version: the newest of them; empty: nothing serves, or it is not known.
    """

    release: Release
    data: Mapping[str, str]
    version: str

    def is_on(self, data_version: str) -> bool:
        """Whether all that serves was trained on this version of the data."""
        return set(self.data.values()) == {data_version}

    def came_from(self, home: Home, plan: Plan) -> bool:
        """Whether the runs behind all that serves are in this home and read the same files in the same way: nothing is computed."""
        versions = _versions(self.release)
        return bool(versions) and all(_validated(home, version.run_id) == plan["validate"].key for version in versions)


def validated_of(home: Home, data_version: str) -> Path | None:
    """The output of `validate` with a version of the data; None: it is not in this home."""
    return next((out for out in Store(home.root).outs("validate") if Dataset(out).version == data_version), None)


def find_production(home: Home) -> Production:
    """Ask the ledger what serves, and of which data it is; MLflow alone knows that of what served before there was a ledger.

    Raises:
        LedgerError, TrackingError: one of the two does not answer.
    """
    entries = home.releases().entries()
    release = serving(entries)
    data = {version.label: _data_of(home, entries, version) for version in _versions(release)}
    newest = max(_versions(release), key=lambda version: _judged_in(entries, version), default=None)
    return Production(release, data, "" if newest is None else data[newest.label])


def _versions(release: Release) -> list[Version]:
    return [version for version in (release.classifier, release.segmenter) if version is not None]


def _judged_in(entries: Sequence[Entry], version: Version) -> int:
    entry = decisions_of(entries, version.run_id)
    return 0 if entry is None else entry.number


def _data_of(home: Home, entries: Sequence[Entry], version: Version) -> str:
    entry = decisions_of(entries, version.run_id)
    if entry is not None:
        return entry.data_version
    ledger = open_ledger(home)
    if ledger is None:
        return ""
    with ledger.answering(f"looking up the data of {version.label}"):
        return str(ledger.client.get_model_version(version.name, str(version.number)).tags.get("data_version", ""))


def _validated(home: Home, run_id: str) -> str:
    """Key of the validate step of a run of this home; empty where it is not of this home."""
    if not run_id or not (home.run(run_id) / "run.json").is_file():
        return ""
    plan = runs.load(home, run_id).steps
    return next((step.key for step in plan.steps if step.name == "validate"), "")
