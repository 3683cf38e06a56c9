"""A registered bundle out of MLflow: as it was registered, or not at all."""

from pathlib import Path
from urllib.parse import unquote, urlsplit

import pytest

from components.bundle import Bundle, bundle_digest
from components.errors import BundleError, TrackingError
from components.promotion.entries import Version
from components.register.registry import Registry
from components.registered import describe_version, fetch_bundle
from components.tracking import Ledger
from tests.components.register.conftest import Made
from tests.mlflow_server import address, free_port, server

NAME = "lesion-classifier"


def one(ledger: Ledger) -> Version:
    (version,) = Registry(ledger).versions(NAME)
    return version


def stored(ledger: Ledger) -> Path:
    """The folder of the bundle in MLflow."""
    return Path(unquote(urlsplit(ledger.client.get_model_version_download_uri(NAME, "1")).path)) / "artifacts" / "bundle"


def test_a_number_an_alias_and_a_digest_name_the_same_version(made: Made, registered) -> None:
    registry = Registry(registered.ledger)
    version = one(registered.ledger)
    assert version.digest == bundle_digest(made.models[2])
    assert version.label == "lesion-classifier/1"
    assert registry.named(NAME, "1") == registry.named(NAME, "production") == registry.of_bundle(version.digest) == version
    assert registry.named(NAME, "2") is registry.named(NAME, "staging") is registry.of_bundle("0" * 64) is None


def test_it_is_the_bundle_that_was_registered_and_takes_no_room(made: Made, registered, tmp_path: Path) -> None:
    ledger = registered.ledger
    assert describe_version(ledger, one(ledger)) == Bundle.load(made.models[2]).description
    fetch_bundle(ledger, one(ledger), tmp_path / "parent")
    assert bundle_digest(tmp_path / "parent") == bundle_digest(made.models[2])
    for file in (tmp_path / "parent").iterdir():
        assert file.samefile(stored(ledger) / file.name)
    assert [path.name for path in tmp_path.iterdir()] == ["parent"]


def test_what_a_killed_attempt_left_is_fetched_anew(registered, tmp_path: Path) -> None:
    (tmp_path / "bundle").mkdir()
    (tmp_path / "bundle" / "bundle.json").write_text("half")
    fetch_bundle(registered.ledger, one(registered.ledger), tmp_path / "parent")
    Bundle.load(tmp_path / "parent")
    assert [path.name for path in tmp_path.iterdir()] == ["parent"]


@pytest.mark.parametrize("name", ["bundle.json", "weights.weights.h5"])
def test_a_bundle_that_changed_in_mlflow_is_refused(name: str, skilled: Made, ledger: Ledger, tmp_path: Path) -> None:
    skilled.register(ledger, tmp_path / "registered")
    file = stored(ledger) / name
    content = file.read_bytes()
    file.unlink()  # a hard link: the test's own bundle stays as it is
    file.write_bytes(content[:-1] + b" ")
    with pytest.raises(BundleError, match=r"lesion-classifier/1: its bundle\.json .* was registered|its bytes changed"):
        fetch_bundle(ledger, one(ledger), tmp_path / "parent")
    assert not (tmp_path / "parent").exists()


def test_a_bundle_that_mlflow_has_lost_is_an_error_that_names_it(skilled: Made, ledger: Ledger, tmp_path: Path) -> None:
    skilled.register(ledger, tmp_path / "registered")
    for file in stored(ledger).iterdir():
        file.unlink()
    stored(ledger).rmdir()
    for fetch in (lambda: fetch_bundle(ledger, one(ledger), tmp_path / "parent"), lambda: describe_version(ledger, one(ledger))):
        with pytest.raises(TrackingError, match=r"fetching .*lesion-classifier/1.* failed"):
            fetch()


@pytest.mark.slow
def test_it_comes_from_a_server_too(skilled: Made, mlflow_database: Path, tmp_path: Path) -> None:
    address(mlflow_database, tmp_path / "server")
    port = free_port()
    with server(tmp_path / "server", port):
        ledger = Ledger(f"http://127.0.0.1:{port}", "dermacare")
        skilled.register(ledger, tmp_path / "registered")
        assert describe_version(ledger, one(ledger)).name == "skilled"
        fetch_bundle(ledger, one(ledger), tmp_path / "here" / "parent")
    assert bundle_digest(tmp_path / "here" / "parent") == bundle_digest(skilled.models[0])
    assert [path.name for path in (tmp_path / "here").iterdir()] == ["parent"]
