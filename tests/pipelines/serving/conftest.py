"""A home in which a release serves: a classifier that refuses and explains, and a segmenter, registered for real."""

import shutil
from pathlib import Path

import pytest

from components.dataset import Dataset
from components.tracking import Ledger
from pipelines.home import Home
from tests.bundles import segmenter_bundle
from tests.components.register.conftest import DARK, SETS, Made, classifier, judged, trained
from tests.datasets import preprocessed_dataset
from tests.mlflow_server import address


@pytest.fixture(autouse=True)
def _own_mlflow(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("MLFLOW_TRACKING_URI", raising=False)
    monkeypatch.delenv("DERMACARE_LEDGER", raising=False)


@pytest.fixture(scope="session")
def served(tmp_path_factory: pytest.TempPathFactory) -> Made:
    """What the steps before register made."""
    root = tmp_path_factory.mktemp("served")
    dataset = preprocessed_dataset(root / "data", per_class=3)
    models = [
        classifier(dataset, root / "skilled", name="skilled", conformal=SETS, refusal=DARK, explainable=True),
        trained(segmenter_bundle(root / "outliner", name="outliner", data_version=Dataset(dataset).version)),
    ]
    return Made(dataset, models, judged(dataset, models, root / "evaluation"))


@pytest.fixture(scope="session")
def kept_home(served: Made, mlflow_database: Path, tmp_path_factory: pytest.TempPathFactory) -> Home:
    """Not to be changed."""
    root = tmp_path_factory.mktemp("kept") / "home"
    served.register(Ledger(address(mlflow_database, root), "dermacare"), root / "out")
    return Home(root)


@pytest.fixture
def home(kept_home: Home, tmp_path: Path) -> Home:
    """A copy of it, to be changed; MLflow's files stay where they are."""
    shutil.copytree(kept_home.root, tmp_path / "home")
    return Home(tmp_path / "home")
