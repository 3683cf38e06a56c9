"""Models trained with folds, from images to production; what a leak is worth stands in the next run."""

from pathlib import Path

import pytest

from components.bundle import Bundle
from components.register.report import REPORT
from components.scores import read_scores
from components.store import Store
from tests.e2e.conftest import Project

pytestmark = [pytest.mark.slow, pytest.mark.timeout(1800)]


def outs(project: Project, step: str) -> list[Path]:
    return Store(project.home.root).outs(step)


def test_folds_are_judged_audited_and_released_and_the_leak_is_told(project: Project) -> None:
    project.settings |= {"train_classifier.folds": "5", "train_classifier.epochs": "2", "train_unet.epochs": "1"}
    done = project.run()
    assert done.returncode == 0, done.stderr
    scores = read_scores(outs(project, "evaluate")[0])
    assert {name: model.val_rows for name, model in scores.models.items()} == {"unet_tiny": "val", "tiny_cnn": "out of fold"}
    (classifier,) = outs(project, "train_classifier")
    assert Bundle.load(classifier).description.members == tuple(f"fold {fold}" for fold in range(5))

    audited = project.dermacare("data", "audit")
    assert audited.returncode == 0, audited.stderr
    assert f"labels judged by: {classifier / 'out_of_fold.parquet'}" in audited.stdout

    settings = [*project.assignments(), "--set", "train_classifier.epochs=1", "--set", "validate.test_share=0.3"]
    studied = project.dermacare("study", "leak", "--model", "tiny_cnn", "--profile", "demo", *settings)
    assert studied.returncode == 0, studied.stderr
    (leak,) = outs(project, "leak_study")

    # Another choice of `register` alone would be no new work.
    assert project.run("--set", "evaluate.overlays=3").returncode == 0
    notes = [note for (note,) in project.mlflow("SELECT value FROM tags WHERE key = 'mlflow.note.content'")]
    (told,) = [note for note in notes if "### What a leak is worth" in note]
    assert any("What a leak is worth" in (out / REPORT).read_text() for out in outs(project, "register"))
    assert "val of tiny_cnn: out-of-fold predictions of train and val" in told
    assert (leak / "leak.md").is_file()
