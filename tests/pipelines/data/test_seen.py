"""What MLflow knows to have used withdrawn data: named, tagged, kept, and its pictures gone."""

import json
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from mlflow import MlflowClient

from components.dataset import Dataset
from components.withdrawn import FILE, read_withdrawn, withdrawn_for
from pipelines.data.seen import WITHDRAWN_TAG, Tracked
from pipelines.home import Home
from tests.bundles import classifier_bundle
from tests.data_project import DataProject, holding
from tests.mlflow_server import address, make_database

RUN = "20261124-153012-a1b2"


@pytest.fixture(scope="session")
def database(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return make_database(tmp_path_factory.mktemp("mlflow"))


def a_run(client: MlflowClient, version: str, tmp_path: Path, name: str) -> str:
    """A run of this data version with a picture of an image, a curve of its training and a table."""
    experiment = client.get_experiment_by_name("dermacare")
    place = (tmp_path / "home" / "mlartifacts").as_uri()
    found = experiment.experiment_id if experiment else client.create_experiment("dermacare", artifact_location=place)
    tags = {"dermacare.data_version": version, "dermacare.run_id": name, "dermacare.role": "pipeline"}
    run = client.create_run(found, tags=tags).info.run_id
    showing = {"overlays.png": "figures/evaluation", "worst.png": "figures/training"}
    for file, folder in (showing | {"curves.png": "figures/training", "table.csv": "tables"}).items():
        (tmp_path / file).write_bytes(b"pixels of T_MEL_001_0" if file in showing else b"curve")
        client.log_artifact(run, str(tmp_path / file), folder)
    return str(run)


def test_runs_and_models_that_saw_the_images_are_named_tagged_and_kept(
    project: DataProject, database: Path, tmp_path: Path
) -> None:
    client = MlflowClient(address(database, project.home))
    version = Dataset(project.root / "data/validate").version
    saw, did_not = a_run(client, version, tmp_path, RUN), a_run(client, "0" * 64, tmp_path, "another")
    client.create_registered_model("lesion-classifier")
    for data_version in (version, "0" * 64):
        place = f"{client.get_run(saw).info.artifact_uri}/tables"
        client.create_model_version("lesion-classifier", source=place, run_id=saw, tags={"data_version": data_version})
    client.set_registered_model_alias("lesion-classifier", "production", "1")
    told = project("withdraw", "T_MEL_001", "--yes")
    assert f"run {RUN}" in told
    assert "lesion-classifier version 1 (production)" in told
    assert "lesion-classifier version 2" not in told
    assert "data versions 00000000 of other runs" in told  # no manifest of it is left
    row = read_withdrawn(project.root / FILE).rows[0]
    assert client.get_run(saw).data.tags[WITHDRAWN_TAG] == f"{row.when}: lesion T_MEL_001"
    assert WITHDRAWN_TAG not in client.get_run(did_not).data.tags
    assert client.get_model_version("lesion-classifier", "1").tags[WITHDRAWN_TAG] == f"{row.when}: lesion T_MEL_001"
    assert WITHDRAWN_TAG not in client.get_model_version("lesion-classifier", "2").tags
    assert row.seen_by == (f"run {RUN}", "lesion-classifier version 1 (production)")
    pictures = holding([b"pixels of T_MEL_001_0"], project.home / "mlartifacts", tmp_path / "home")
    assert {did_not in str(picture) for picture in pictures} == {True}
    assert [one.path for one in client.list_artifacts(saw, "figures/training")] == ["figures/training/curves.png"]
    assert client.list_artifacts(saw, "tables")


def test_a_second_withdrawal_adds_to_the_tag(project: DataProject, database: Path, tmp_path: Path) -> None:
    client = MlflowClient(address(database, project.home))
    run = a_run(client, Dataset(project.root / "data/validate").version, tmp_path, RUN)
    tracked = Tracked(Home(project.home))
    seen = tracked.find({Dataset(project.root / "data/validate").version}, set())
    for text in ("first", "second", "first"):
        tracked.tag(seen, text)
    assert client.get_run(run).data.tags[WITHDRAWN_TAG] == "first; second"


def test_a_home_without_mlflow_makes_none(project: DataProject) -> None:
    project("withdraw", "T_MEL_001", "--yes")
    assert not (project.home / "mlflow.db").exists()


def test_overlays_and_plans_made_from_the_data_go_with_it(project: DataProject) -> None:
    from components.augment_balance import augment_balance
    from components.params import load_params
    from components.reporter import Reporter
    from components.store import Store

    store, params = Store(project.home), load_params(Path(__file__).parents[3] / "params.yaml").params

    def work(out: Path) -> None:
        augment_balance(project.root / "data/preprocess", out, params.augment_balance, Reporter(out, "augment_balance"))

    store.execute("augment_balance", "made", work, code="0")
    pages = Home(project.home).audit
    pages.mkdir()
    version = Dataset(project.root / "data/validate").version
    (pages / "audit.json").write_text(json.dumps({"data_version": version}))
    (pages / "audit.html").write_text("thumbnails")
    store.execute("train_unet", "stays", lambda out: np.save(out / "weights.npy", np.zeros(2)), code="0")
    project("withdraw", "T_MEL_001", "--yes")
    assert not store.has("augment_balance", "made")
    assert store.has("train_unet", "stays")
    assert not pages.exists()


def test_pictures_of_models_that_learnt_from_the_data_go_and_the_models_stay(project: DataProject) -> None:
    from components.store import Store

    store, version = Store(project.home), Dataset(project.root / "data/validate").version

    def trained(data_version: str) -> Callable[[Path], None]:
        def work(out: Path) -> None:
            classifier_bundle(out, data_version=data_version)
            draw(out)

        return work

    def draw(out: Path) -> None:
        (out / "figures").mkdir(parents=True)
        for name in ("worst.png", "curves.png"):
            (out / "figures" / name).write_bytes(b"pixels")

    saw, did_not = (store.execute("train_classifier/tiny", key, trained(key)).out for key in (version, "0" * 64))
    killed = store.place("train_classifier", "killed") / "work"
    draw(killed)
    told = project("withdraw", "T_MEL_001", "--yes")
    assert "model tiny_classifier" in told
    pictures = {path for path in project.home.rglob("*.png") if "figures" in path.parts}
    assert pictures == {
        *(did_not / "figures" / name for name in ("worst.png", "curves.png")),
        saw / "figures" / "curves.png",
        killed / "figures" / "curves.png",
    }
    assert (saw / "model.onnx").exists()
    assert "nothing is left" in project("withdraw", "T_MEL_001", "--yes")


def test_a_home_without_a_project_is_cleaned_and_the_record_lies_where_ingest_looks(
    project: DataProject, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    from components.store import Store, copy_tree

    store = Store(tmp_path / "elsewhere" / "home")
    store.execute("validate", "key", lambda out: copy_tree(project.root / "data/validate", out), code="0")
    (tmp_path / "elsewhere").mkdir(exist_ok=True)
    alone = DataProject(tmp_path / "elsewhere", tmp_path / "elsewhere" / "home")
    told = alone("withdraw", "T_MEL_001", "--yes")
    assert "`dermacare run` makes" in told
    assert not store.has("validate", "key")
    monkeypatch.chdir(tmp_path)  # cron starts elsewhere
    assert withdrawn_for(alone.home).refuses("T_MEL_001_0") is not None
