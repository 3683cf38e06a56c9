"""A run of two steps before: a drawn dataset, three tiny models with curves and pictures, and what evaluate says of them."""

import re
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from components.conformal import Conformal
from components.dataset import Dataset
from components.evaluate import evaluate
from components.lesions import CODES
from components.params import EvaluateParams, RegisterParams
from components.promotion import reading
from components.promotion.ledger import ReleaseLedger
from components.refusal import Gaussian, Refusal
from components.register import register
from components.register.context import DataContext, RunContext
from components.release import Release, read_release
from components.reporter import Reporter
from components.tracking import Ledger
from tests.bundles import classifier_bundle, segmenter_bundle
from tests.datasets import preprocessed_dataset
from tests.mlflow_server import address

RUN = "20261124-153012-a1b2"
SETS = Conformal(level=0.9, least=dict.fromkeys(CODES, 0.1), own=())
# Refuses what is nearly black.
DARK = Refusal(Gaussian(*(np.array(one, np.float32) for one in ([0.8] * 3, [1] * 3, np.zeros((0, 3)), [], [1], [0.5]))))
PARAMS = RegisterParams(metric="macro_f1", policy="trial", experiment="dermacare")
UNSEEN = DataContext(learned=lambda _: 0)
"""No model learned from images of test."""


@dataclass(frozen=True)
class Made:
    """What the steps before register made."""

    dataset: Path
    models: Sequence[Path]
    evaluation: Path

    def register(
        self,
        ledger: Ledger,
        out: Path,
        run: RunContext | None = None,
        params: RegisterParams = PARAMS,
        known: DataContext = UNSEEN,
    ) -> Release:
        """Run the step and read what it says; the ledger of what serves lies beside `out`."""
        out.mkdir(parents=True, exist_ok=True)
        context = run or RunContext(run_id=RUN, profile="demo", commit="c" * 40, params={"train_unet.epochs": "2"})
        events = out.parent / f"{out.name}.jsonl"
        inputs = self.dataset, self.models, self.evaluation, out, params, Reporter(out, "register", events)
        register(*inputs, ledger, releases_of(out), context, known)
        return read_release(out)


def releases_of(out: Path) -> ReleaseLedger:
    """The ledger of what serves that `Made.register` writes to."""
    return ReleaseLedger(f"sqlite:///{out.parent / 'ledger.db'}")


def classifier(dataset: Path, root: Path, **more: Any) -> Path:
    """A classifier that says that it was trained on a dataset, with its curves."""
    return trained(classifier_bundle(root, data_version=Dataset(dataset).version, **more))


@pytest.fixture
def every_model_serves(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Policy `trial` without comparison: a run's best model serves, better or not."""
    text = reading.project_file(reading.FILE).read_text()
    file = tmp_path / "promotion.yaml"
    file.write_text(re.sub(r"figure: \w+", "figure: null", text))
    monkeypatch.setattr(reading, "project_file", lambda _: file)


def trained(bundle: Path) -> Path:
    """Give a bundle the curves and the picture that training leaves beside it."""
    reporter = Reporter(bundle, f"train/{bundle.name}")
    for epoch in range(2):
        reporter.metrics({"loss": 1 / (epoch + 1), "val_loss": 1.5 / (epoch + 1)}, epoch=epoch)
    reporter.figure("curves", np.full((8, 8, 3), 200, np.uint8))
    return bundle


def judged(dataset: Path, models: Sequence[Path], out: Path) -> Path:
    """What evaluate says of models, without overlays."""
    out.mkdir()
    evaluate(dataset, models, out, EvaluateParams(overlays=0), Reporter(out, "evaluate"))
    return out


@pytest.fixture(scope="session")
def made(tmp_path_factory: pytest.TempPathFactory) -> Made:
    """One segmenter, and two classifiers of which `skilled` is better than `blind`."""
    root = tmp_path_factory.mktemp("made")
    dataset = preprocessed_dataset(root / "data", per_class=3)
    models = [
        trained(segmenter_bundle(root / "outliner", name="outliner", data_version=Dataset(dataset).version)),
        classifier(dataset, root / "blind", name="blind", sharpness=0),
        classifier(dataset, root / "skilled", name="skilled", conformal=SETS, refusal=DARK),
    ]
    return Made(dataset, models, judged(dataset, models, root / "evaluation"))


@pytest.fixture
def skilled(made: Made) -> Made:
    """The better classifier alone."""
    return Made(made.dataset, made.models[2:], made.evaluation)


@dataclass(frozen=True)
class Registered:
    """The step's work after one call, to look at and not to change."""

    ledger: Ledger
    home: Path
    release: Release


@pytest.fixture(scope="session")
def registered(made: Made, mlflow_database: Path, tmp_path_factory: pytest.TempPathFactory) -> Registered:
    home = tmp_path_factory.mktemp("registered")
    ledger = Ledger(address(mlflow_database, home), "dermacare")
    return Registered(ledger, home, made.register(ledger, home / "out"))


@pytest.fixture
def ledger(mlflow_uri: str) -> Ledger:
    return Ledger(mlflow_uri, "dermacare")
