"""`python -m pipelines.serving.fetch`: bring what the ledger lets serve into a home's cache.

A process of its own, so that whoever serves imports neither MLflow nor what it drags along.
"""

import json
import shutil
import sys
from collections.abc import Sequence
from datetime import datetime
from pathlib import Path

from components.bundle import MODEL, read_description
from components.errors import DermaCareError, LedgerError, TrackingError
from components.files import locked, sha256_file, write_text
from components.grad_cam import explained, write_heads
from components.lesions import Task
from components.promotion.entries import Entry, Release, Version
from components.promotion.reading import read_promotion
from components.promotion.releases import serving
from components.registered import fetch_bundle
from components.tracking import Ledger
from pipelines.home import Home, open_ledger
from pipelines.serving.cache import DERIVED, HEADS, NETWORK, WHOLE, ServingCache
from pipelines.serving.facts import ModelFacts, ServedRelease
from pipelines.serving.learn import learn_facts

NOTHING = "nothing serves yet; run the pipeline, or let a version serve with `dermacare promote`"


def fetch_release(home: Home) -> ServedRelease:
    """Fetch both models of the newest release, what of them is not here yet, and what is known of them.

    Raises:
        LedgerError: nothing serves, the ledger does not answer, or something in it was changed.
        TrackingError: MLflow does not answer, and a model is not here.
        BundleError: a model is not the one that was registered.
    """
    cache = ServingCache(home.serving)
    with locked(cache.lock):
        entries = _believed(home)
        release = serving(entries)
        if release == Release():
            raise LedgerError(f"{home.root}: {NOTHING}")
        mlflow = open_ledger(home)
        served = ServedRelease(
            entry=entries[-1].number,
            head=entries[-1].hash,
            since=_since(entries),
            classifier=_model(cache, mlflow, entries, release.classifier),
            segmenter=_model(cache, mlflow, entries, release.segmenter),
        )
        cache.stage(served)
        return served


def _believed(home: Home) -> list[Entry]:
    """The ledger's entries, if their chain and signatures hold."""
    ledger = home.releases()
    problems = ledger.verify({}, read_promotion().signers)
    if problems:
        where = "the ledger" if problems[0].number is None else f"entry {problems[0].number}"
        raise LedgerError(f"{ledger.url}: {where}: {problems[0].sentence}; `dermacare history --verify` tells all")
    return ledger.entries()


def _since(entries: Sequence[Entry]) -> datetime:
    """When what serves now began to, without a break."""
    first = entries[-1]
    for entry in reversed(entries):
        if entry.release != first.release:
            break
        first = entry
    return datetime.fromisoformat(first.time)


def _model(cache: ServingCache, mlflow: Ledger | None, entries: Sequence[Entry], version: Version | None) -> ModelFacts | None:
    if version is None:
        return None
    folder = cache.model(version.digest)
    if not (folder / DERIVED).exists():
        _bring(mlflow, version, folder)
    facts = learn_facts(mlflow, entries, version, folder / WHOLE)
    earlier = _known(cache, version)
    if facts.missing is None or earlier is None or earlier.missing is not None:
        return facts
    return earlier.model_copy(update={"decision": facts.decision})  # MLflow is away: what it said before still holds


def _known(cache: ServingCache, version: Version) -> ModelFacts | None:
    """What was known of a version when it was fetched before."""
    releases = [release for release in (cache.fetched, cache.remembered) if release is not None]
    models = [model for release in releases for model in (release.classifier, release.segmenter) if model is not None]
    return next((model for model in models if model.reference.digest == version.digest), None)


def _bring(mlflow: Ledger | None, version: Version, folder: Path) -> None:
    """Fetch a bundle and derive from it what serving needs besides."""
    if mlflow is None:
        raise TrackingError(f"{version.label}: serves, but this home has no MLflow; set MLFLOW_TRACKING_URI")
    shutil.rmtree(folder, ignore_errors=True)
    folder.mkdir(parents=True)
    fetch_bundle(mlflow, version, folder / WHOLE)
    description = read_description(folder / WHOLE)
    digests: dict[str, str] = {}
    if description.task is Task.CLASSIFICATION:
        network, heads = explained((folder / WHOLE / MODEL).read_bytes())
        (folder / NETWORK).write_bytes(network)
        write_heads(folder / HEADS, heads)
        digests = {name: sha256_file(folder / name) for name in (NETWORK, HEADS)}
    write_text(folder / DERIVED, json.dumps(digests, indent=1) + "\n")


def main() -> int:
    """Fetch into this home; 1 and one sentence on stderr where that failed."""
    try:
        served = fetch_release(Home.here())
    except DermaCareError as error:
        print(error, file=sys.stderr)
        return 1
    print(f"entry {served.entry}: {served.label}")
    return 0


if __name__ == "__main__":
    sys.exit(main())
