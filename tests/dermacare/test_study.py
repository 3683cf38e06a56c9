"""`dermacare study leak`: on which data, once, and where it stands afterwards."""

import shutil
from pathlib import Path

import pytest

from components.errors import DataRefused, DatasetError, ParamsError
from components.params import Params, bundle_weights, load_params
from components.project import project_file
from components.store import Store
from components.tracking import Ledger
from dermacare.study_command import study_leak
from pipelines.home import VARIABLE
from tests.components.leak_study.studies import coloured_lesions
from tests.datasets import preprocessed_dataset, resize_alone
from tests.mlflow_server import free_port, make_database, server

_RECIPE = ("models=[tiny_cnn]", "weights=none", "frozen_epochs=0", "epochs=1", "batch_size=16")


@pytest.fixture(scope="module")
def params() -> Params:
    recipe = [f"train_classifier.{one}" for one in _RECIPE]
    told = load_params(project_file("params.yaml"), assignments=[*recipe, "train_unet.models=[]", "validate.test_share=0.3"]).params
    return told.model_copy(update={"preprocess": resize_alone((16, 16))})


@pytest.fixture
def home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A home of its own."""
    monkeypatch.setenv(VARIABLE, str(tmp_path / "home"))
    monkeypatch.delenv("MLFLOW_TRACKING_URI", raising=False)
    return tmp_path / "home"


def stored(home: Path, folder: Path) -> None:
    Store(home).execute("preprocess", "a" * 20, lambda work: shutil.copytree(folder, work, dirs_exist_ok=True) and None)


def test_the_study_is_made_once_and_stands_in_mlflow(
    home: Path, tmp_path: Path, params: Params, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    stored(home, coloured_lesions(tmp_path / "data"))
    # What another version of this program wrote is in nobody's way.
    Store(home).execute("preprocess", "b" * 20, lambda work: (work / "preprocess.json").write_text("{}") and None)
    make_database(home)
    study_leak(params, "tiny_cnn")
    said = " ".join(capsys.readouterr().out.split())
    assert "leak_study/tiny_cnn: started" in said
    assert "balanced accuracy" in said
    assert "These images were drawn" in said
    assert said.endswith("the run stands in MLflow: dermacare ui")
    study_leak(params, "tiny_cnn")
    assert "started" not in capsys.readouterr().out
    ledger = Ledger(f"sqlite:///{home}/mlflow.db", "dermacare")
    (run,) = ledger.search("")
    assert run.info.run_name.startswith("leak study: tiny_cnn ")
    assert run.data.params["classifier.models"] == "['tiny_cnn']"
    port = free_port()
    with server(home, port):
        monkeypatch.setenv("MLFLOW_TRACKING_URI", f"http://eva:secret@127.0.0.1:{port}")
        study_leak(params, "tiny_cnn")
    said = capsys.readouterr().out.strip()
    assert said.endswith(f"the run stands in MLflow: http://127.0.0.1:{port}")
    assert "secret" not in said


def test_a_home_without_data_says_how_to_come_by_some(home: Path, params: Params) -> None:
    with pytest.raises(DatasetError, match="holds no preprocessed data yet; `dermacare run` makes some"):
        study_leak(params, "tiny_cnn")


def test_data_that_went_through_something_else_is_not_taken_for_the_newest(home: Path, tmp_path: Path, params: Params) -> None:
    stored(home, coloured_lesions(tmp_path / "data"))
    larger = params.model_copy(update={"preprocess": resize_alone((32, 32))})
    with pytest.raises(DatasetError, match="none of its 1 preprocessed datasets went through what `preprocess` of these"):
        study_leak(larger, "tiny_cnn")


def test_data_of_one_image_a_lesion_is_refused(home: Path, tmp_path: Path, params: Params) -> None:
    stored(home, preprocessed_dataset(tmp_path / "data", per_class=6, images_per_lesion=1, size=(16, 16)))
    with pytest.raises(DataRefused, match="would leak nothing that can be measured"):
        study_leak(params, "tiny_cnn")


def test_a_start_from_a_registered_version_is_refused(home: Path, params: Params) -> None:
    section = params.train_classifier
    weights = bundle_weights("lesion-classifier/7", "a" * 64)
    trained_on = params.model_copy(update={"train_classifier": section.model_copy(update={"weights": weights})})
    with pytest.raises(
        ParamsError, match=r"bundle:lesion-classifier/7#sha256=a+, which learned from lesions of .*, none or a file that never saw"
    ):
        study_leak(trained_on, "tiny_cnn")


def test_an_unknown_architecture_is_named(home: Path, params: Params) -> None:
    with pytest.raises(ParamsError, match="--model: resnet18 is no registered architecture; there are resnet50"):
        study_leak(params, "resnet18")
