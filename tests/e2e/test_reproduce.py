"""A training is traced and repeated from what MLflow keeps of it; what was changed there shows."""

import json
import shutil
import sqlite3
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from components.provenance.machine import this_machine
from pipelines.home import Home
from pipelines.runs import all_runs
from tests.e2e.conftest import TINY, Project
from tests.seaweedfs import S3Server

pytestmark = pytest.mark.slow

MODEL = ["--model", "tiny_cnn"]


@pytest.fixture(scope="module")
def trained(tmp_path_factory: pytest.TempPathFactory) -> Project:
    """A home with a run of a classifier; not to be changed."""
    settings = TINY | {"train_unet.models": "[]", "train_classifier.epochs": "1", "ingest.phantom.lesions_per_class": "8"}
    project = Project(Home(tmp_path_factory.mktemp("trained") / "home"), settings)
    done = project.run()
    assert done.returncode == 0, done.stderr
    return project


@pytest.fixture
def run(trained: Project) -> str:
    (record,) = all_runs(trained.home)
    return record.id


def rows(text: str) -> dict[str, Any]:
    return {row["name"]: row["equal"] for row in json.loads(text)["tiny_cnn"]}


def test_a_training_is_traced_and_repeated_to_the_same_digests(trained: Project, run: str, s3_server: S3Server) -> None:
    told = trained.dermacare("trace", run, "--json")
    assert told.returncode == 0, told.stderr
    (chain,) = json.loads(told.stdout)
    assert chain["model"]["version"] == "lesion-classifier/1"
    assert chain["training"]["machines"] == [this_machine()]
    assert chain["training"]["seeds"]["train_classifier.seed"] == "2019"
    assert chain["unknown"].keys() == {"data.revision"}

    # Runs share a store on S3: it has no part in a repetition, which would take from it what it is to make again.
    bucket = s3_server.bucket("reproduce")
    shared = {**s3_server.environment, "AWS_ENDPOINT_URL_S3": s3_server.endpoint, "DERMACARE_STORE": f"s3://{bucket}/steps"}
    repeated = replace(trained, variables=shared).dermacare("reproduce", run, "--json")
    assert not s3_server.client().list_objects_v2(Bucket=bucket).get("Contents")
    assert repeated.returncode == 0, repeated.stderr
    equal = rows(repeated.stdout)
    assert set(equal.values()) == {True}
    assert equal.keys() >= {"data version", "images and splits", "model.onnx", "weights.weights.h5", "bundle.json"}
    assert len(all_runs(trained.home)) == 1
    assert trained.mlflow("select version from model_versions") == [(1,)]


@pytest.mark.parametrize(
    ("key", "value", "differs", "same"),
    [
        ("train_classifier.learning_rate", "0.0123", {"weights.weights.h5", "model.onnx"}, {"data version", "images and splits"}),
        ("ingest.phantom.seed", "7", {"data version", "images and splits"}, set()),
    ],
)
def test_a_parameter_that_was_changed_in_mlflow_shows(
    trained: Project, run: str, tmp_path: Path, key: str, value: str, differs: set[str], same: set[str]
) -> None:
    shutil.copytree(trained.home.root, tmp_path / "home", ignore=shutil.ignore_patterns("reproduce", "kfp*"))
    changed = Project(Home(tmp_path / "home"))
    with sqlite3.connect(changed.home.root / "mlflow.db") as connection:
        assert connection.execute("update params set value = ? where key = ?", (value, key)).rowcount == 1
    told = changed.dermacare("reproduce", run, "--json", *MODEL)
    assert told.returncode == 1, told.stderr
    equal = rows(told.stdout)
    assert {name for name, same in equal.items() if same is False} >= differs
    assert {name for name in same if equal[name]} == same
