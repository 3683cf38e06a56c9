"""Two runs, and what people do about the second: the commands as they are typed."""

import json
import shutil

import pytest

from tests.e2e.conftest import Finished, Project

pytestmark = pytest.mark.slow


def test_a_second_run_waits_for_a_person_who_lets_it_serve_and_takes_it_back(finished: Finished, used_project: Project) -> None:
    project = used_project
    assert "in production: lesion-classifier version 1 (tiny_cnn)" in finished.printed

    project.settings["train_classifier.learning_rate"] = "0.01"
    second = project.run()
    assert second.returncode == 0, second.stderr
    assert "needs approval: lesion-classifier version 2 (tiny_cnn): comparison: balanced accuracy" in second.stdout
    assert "in production: lesion-segmenter version 1" in second.stdout
    assert aliases(project) == {"production": 1}

    assert "serving: lesion-classifier/2 + lesion-segmenter/1" in project.dermacare("approve", "--reason", "seen").stdout
    assert aliases(project) == {"production": 2, "previous": 1}
    assert "serving: lesion-classifier/1 + lesion-segmenter/1" in project.dermacare("rollback", "--reason", "back").stdout
    assert aliases(project) == {"production": 1, "previous": 2}
    assert project.dermacare("promote", "lesion-classifier/2", "--reason", "forth").returncode == 0

    entries = json.loads(project.dermacare("history", "--json").stdout)
    assert [entry["action"] for entry in entries] == ["decide", "decide", "approve", "rollback", "promote"]
    verified = project.dermacare("history", "--verify")
    assert verified.returncode == 0, verified.stdout
    assert verified.stdout.startswith("5 entries, each whole, in its place and signed")

    refused = project.dermacare("promote", "lesion-classifier/2", "--reason", "again")
    assert (refused.returncode, refused.stderr) == (1, "error: lesion-classifier/2: serves already\n")


def test_without_a_profile_drawn_images_are_refused(used_project: Project) -> None:
    project = used_project
    # The step store alone stays: nothing was registered yet, and no run is known that this one could equal.
    for name in ("runs", "mlartifacts"):
        shutil.rmtree(project.home.root / name)
    for name in ("mlflow.db", "ledger.db"):
        (project.home.root / name).unlink()
    project.settings["register.policy"] = "production"
    done = project.run()
    assert done.returncode == 0, done.stderr
    assert "refused: lesion-classifier version 1 (tiny_cnn): phantom: it learned from drawn images (phantom)" in done.stdout
    assert "So nothing serves." in done.stdout
    assert aliases(project) == {}


def aliases(project: Project) -> dict[str, int]:
    """Alias → version of the classifier, as MLflow has them."""
    rows = project.mlflow("select alias, version from registered_model_aliases where name = 'lesion-classifier'")
    return {str(alias): int(version) for alias, version in rows}
