"""New data arrived: the command that trains on from production, and what it tells."""

import signal

import pytest

from components.bundle import Bundle, bundle_digest
from pipelines.runs import RunState, all_runs
from tests.e2e.conftest import Event, Finished, Project

pytestmark = pytest.mark.slow


def bundles(project: Project, run: int, model: str) -> Bundle:
    step = all_runs(project.home)[run].steps[f"train_classifier/{model}"]
    return Bundle.load(project.home.root / "steps" / "train_classifier" / step.key / "out")


def test_a_run_goes_on_from_production_and_says_what_it_forgot_and_learned(finished: Finished, used_project: Project) -> None:
    project = used_project
    assert "trained on from" not in finished.printed

    project.settings["ingest.phantom.lesions_per_class"] = "16"
    second = project.run("--from", "production")
    assert second.returncode == 0, second.stderr
    assert "tiny_cnn starts from lesion-classifier/1" in second.stdout
    assert "unet_tiny starts from lesion-segmenter/1" in second.stdout
    assert "before and after training on, on the test split" in second.stdout
    assert "forgotten (right before, wrong now)" in second.stdout
    assert "forgotten (Dice fell by more than 0.1)" in second.stdout
    assert "optimistic" not in second.stdout
    parent, child = (bundles(project, run, "tiny_cnn") for run in (0, 1))
    assert child.description.parent.data_version == parent.description.data_version != child.description.data_version
    tags = project.mlflow("select name, version, value from model_version_tags where key = 'parent'")
    assert sorted(tags) == [("lesion-classifier", 2, "lesion-classifier/1"), ("lesion-segmenter", 2, "lesion-segmenter/1")]

    # Production is now what this command made: typed again, it has nothing to do.
    again = project.run("--from", "production")
    assert "nothing changed: this equals run" in again.stdout
    assert "before and after training on" in again.stdout
    assert len(all_runs(project.home)) == 2


def test_a_kill_while_it_is_registered_is_gone_on_from(project: Project) -> None:
    project.settings |= {"ingest.phantom.lesions_per_class": "8", "train_unet.models": "[]", "train_classifier.epochs": "1"}
    assert project.run().returncode == 0
    project.settings["train_classifier.epochs"] = "2"

    def published(event: Event) -> bool:
        return event["step"] == "register" and event["kind"] == "progress" and event["done"] == event["total"]

    killed = project.run_until(published, signal.SIGKILL, "--from", "production")
    done = project.run("--from", "production")
    assert done.returncode == 0, done.stderr
    assert [run.state for run in all_runs(project.home)][1:] == ([RunState.KILLED, RunState.DONE] if killed else [RunState.DONE])
    ends = project.finished()["train_classifier/tiny_cnn"]
    assert ends.count("done") == 2, "trained on once"
    versions = project.mlflow("select version from model_versions where name = 'lesion-classifier'")
    assert sorted(versions) == [(1,), (2,)]
    parents = [path.parent / "parent" for path in (project.home.root / "steps").glob("train_classifier/*/out/bundle.json")]
    assert len({bundle_digest(parent) for parent in parents if parent.exists()}) == 1
