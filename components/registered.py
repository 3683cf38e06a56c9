"""A registered model's bundle, out of MLflow: whole or not at all, and only as it was registered."""

import shutil
import tempfile
from pathlib import Path
from typing import TYPE_CHECKING
from urllib.parse import unquote, urlsplit

from components.bundle import DESCRIPTION, Bundle, Description, bundle_digest, read_description
from components.errors import BundleError
from components.promotion.entries import Version
from components.provenance.files import file_digests
from components.store import link_tree
from components.tracking import ROLE, Ledger

if TYPE_CHECKING:
    import pandas as pd

# Where the bundle lies among the files of MLflow's model: see `components/register/logged_model.py`.
_FOLDER = "bundle"


def describe_version(ledger: Ledger, version: Version) -> Description:
    """What the bundle of a version says of itself; nothing else of it is fetched.

    Raises:
        TrackingError: MLflow does not answer, or has lost the bundle.
        BundleError: bundle.json is not the one that was registered.
    """
    with tempfile.TemporaryDirectory(prefix="dermacare-") as folder:
        with ledger.answering(f"fetching what {version.label} says of itself"):
            _download(ledger, version, DESCRIPTION, Path(folder))
        _check(Path(folder), version)
        return read_description(Path(folder))


def fetch_digests(ledger: Ledger, model_id: str) -> dict[str, str]:
    """Name → SHA-256 of each file of a stored bundle; of a home's own files nothing is fetched, from a server bundle.json alone.

    Args:
        ledger: MLflow.
        model_id: MLflow's id of the stored bundle.

    Raises:
        TrackingError: MLflow does not answer, or has lost the bundle.
        BundleError: bundle.json is no such file, or was changed.
    """
    from mlflow.artifacts import download_artifacts

    with ledger.answering(f"fetching the digests of model {model_id}"):
        place = f"{ledger.client.get_logged_model(model_id).artifact_location}/artifacts/{_FOLDER}"
        if place.startswith("file:"):
            return file_digests(Path(unquote(urlsplit(place).path)))
        with tempfile.TemporaryDirectory(prefix="dermacare-") as folder:
            download_artifacts(artifact_uri=f"{place}/{DESCRIPTION}", dst_path=folder, tracking_uri=ledger.uri)
            return file_digests(Path(folder))


def fetch_splits(ledger: Ledger, data_version: str) -> "pd.DataFrame | None":
    """How a version of the data was split (`components.provenance.splits`), by any run that used it; None where none tells.

    Raises:
        TrackingError: MLflow does not answer.
        DatasetError: what MLflow has is no such table.
    """
    from mlflow.artifacts import download_artifacts

    from components.provenance.splits import SPLITS, read_splits

    with ledger.answering(f"looking up how data version {data_version[:12]} was split"):
        for run in ledger.search_everywhere(f"tags.`dermacare.data_version` = '{data_version}' and tags.`{ROLE}` = 'pipeline'"):
            if SPLITS in {one.path for one in ledger.client.list_artifacts(run.info.run_id)}:
                with tempfile.TemporaryDirectory(prefix="dermacare-") as folder:
                    place = f"runs:/{run.info.run_id}/{SPLITS}"
                    return read_splits(Path(download_artifacts(artifact_uri=place, dst_path=folder, tracking_uri=ledger.uri)))
    return None


def fetch_bundle(ledger: Ledger, version: Version, target: Path) -> None:
    """Put the bundle of a version into the folder `target`, which appears when every byte of it is checked.

    From a home's own files by hard links, from a server over the network. Killed, it can be called again.

    Raises:
        TrackingError: MLflow does not answer, or has lost the bundle.
        BundleError: its bytes are not those that were registered.
    """
    unchecked = target.with_name(_FOLDER)
    shutil.rmtree(unchecked, ignore_errors=True)
    with ledger.answering(f"fetching the bundle of {version.label}"):
        _download(ledger, version, "", target.parent)
    _check(unchecked, version)
    Bundle.load(unchecked)
    unchecked.rename(target)


def _download(ledger: Ledger, version: Version, name: str, folder: Path) -> None:
    """Put one file of a bundle into a folder; without a name all of them, as `bundle/`."""
    from mlflow.artifacts import download_artifacts

    stored = ledger.client.get_model_version_download_uri(version.name, str(version.number))
    place = "/".join(filter(None, (stored, "artifacts", _FOLDER, name)))
    if place.startswith("file:") and not name:
        link_tree(Path(unquote(urlsplit(place).path)), folder / _FOLDER)
    else:
        download_artifacts(artifact_uri=place, dst_path=str(folder), tracking_uri=ledger.uri)


def _check(folder: Path, version: Version) -> None:
    found = bundle_digest(folder)
    if found != version.digest:
        raise BundleError(
            f"{version.label}: its bundle.json in MLflow has the SHA-256 {found}, but {version.digest} was registered; "
            "it was changed since, so start from another version"
        )
