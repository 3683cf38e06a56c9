"""Nothing is lost when a run is killed, and nothing is done twice."""

import signal
from collections.abc import Callable, Hashable

import pytest

from pipelines.runs import RunState, all_runs
from tests.e2e.conftest import Event, Project

pytestmark = pytest.mark.slow

STEPS = (
    "ingest",
    "validate",
    "preprocess",
    "augment_balance",
    "train_unet/unet_tiny",
    "train_classifier/tiny_cnn",
    "evaluate",
    "register",
)


def epoch(step: str, number: int) -> Callable[[Event], bool]:
    return lambda event: event["step"] == step and event["kind"] == "metrics" and event["epoch"] == number


def kill_at_each(project: Project, moment: Callable[[Event], Hashable | None]) -> set[Hashable]:
    """Kill a run at every moment that `moment` names, each once, in whatever order they come, until a run ends by itself."""
    met: set[Hashable] = set()

    def new(event: Event) -> bool:
        name = moment(event)
        if name is None or name in met:
            return False
        met.add(name)
        return True

    while project.run_until(new):
        assert len(met) < 50, "the run never ends by itself"
    return met


def assert_whole(project: Project) -> None:
    """One version of each model, aliases set, nothing RUNNING, nothing half-written, no step done twice."""
    assert [run.state for run in all_runs(project.home)].count(RunState.DONE) == 1
    assert all(run.state in (RunState.DONE, RunState.KILLED) for run in all_runs(project.home))
    versions = project.mlflow("select name, version from model_versions")
    assert sorted(versions) == [("lesion-classifier", 1), ("lesion-segmenter", 1)]
    aliases = project.mlflow("select name, alias, version from registered_model_aliases")
    assert {("lesion-classifier", "production", 1), ("lesion-segmenter", "production", 1)} <= {tuple(row) for row in aliases}
    assert project.mlflow("select count(*) from runs where status = 'RUNNING'") == [(0,)]
    assert not list(project.home.root.glob("steps/*/*/work"))
    assert not list(project.home.root.rglob("*.part"))


def test_a_run_killed_at_every_step_boundary_finishes_and_repeats_no_finished_step(project: Project) -> None:
    met = kill_at_each(project, lambda event: (event["step"], event["state"]) if event["kind"] == "state" else None)
    # The run may be over before a kill on its very last word arrives; every other boundary was met.
    boundaries = {(step, state) for step in STEPS for state in ("started", "finished")}
    assert boundaries - {(STEPS[-1], "finished")} <= met
    ends = project.finished()
    for step in STEPS[:-1]:
        assert len([outcome for outcome in ends[step] if outcome != "reused"]) == 1, (step, ends[step])
    assert_whole(project)


def test_a_run_killed_inside_training_goes_on_from_the_newest_checkpoint(project: Project) -> None:
    trainings = ("train_unet/unet_tiny", "train_classifier/tiny_cnn")
    # Enough epochs that a training never ends between the figures of its first ones and the kill.
    project.settings |= {"train_unet.epochs": "12", "train_classifier.epochs": "12"}

    def epoch_of(event: Event) -> Hashable | None:
        return (event["step"], event["epoch"]) if event["kind"] == "metrics" and event["epoch"] in (0, 1) else None

    met = kill_at_each(project, epoch_of)
    assert {(step, 0) for step in trainings} <= met
    for step in trainings:
        assert project.finished()[step] == ["resumed"]
        epochs = [e["epoch"] for e in project.events() if e["step"] == step and e["kind"] == "metrics" and e["epoch"] is not None]
        assert set(epochs) == set(range(12))
        # An epoch is done again only where a kill came between its figures and its checkpoint.
        assert len(epochs) <= 12 + len(met)
    assert_whole(project)


def test_ctrl_c_ends_in_one_line_and_the_same_command_goes_on(project: Project) -> None:
    project.settings |= {"train_unet.models": "[unet_tiny, unet_plain]", "train_unet.epochs": "12"}
    assert project.run_until(epoch("train_unet/unet_tiny", 0), signal.SIGINT)
    (stopped,) = all_runs(project.home)
    assert stopped.state is RunState.KILLED
    assert not [event for event in project.events() if event["step"] == "train_unet/unet_plain"]
    last = project.run()
    assert last.returncode == 0, last.stdout + last.stderr
    assert f"goes on from {stopped.id}" in last.stdout
    assert_whole(project)


def test_a_run_with_nothing_changed_says_which_run_it_equals_and_fresh_does_it_again(used_project: Project) -> None:
    project = used_project
    (first,) = all_runs(project.home)
    again = project.run()
    assert again.returncode == 0
    assert f"nothing changed: this equals run {first.id}" in again.stdout
    assert len(all_runs(project.home)) == 1
    fresh = project.run("--fresh")
    assert fresh.returncode == 0, fresh.stdout + fresh.stderr
    assert all(ends == ["done", "done"] for ends in project.finished().values())


def test_a_changed_unet_trains_the_unet_and_what_follows_it_alone(used_project: Project) -> None:
    project = used_project
    project.settings["train_unet.epochs"] = "2"
    plan = project.run("--plan").stdout
    assert "train_unet.epochs 3 → 2" in plan
    second = project.run()
    assert second.returncode == 0, second.stdout + second.stderr
    carried_out = {step for step, ends in project.finished().items() if ends.count("done") == 2}
    assert carried_out == {"train_unet/unet_tiny", "evaluate", "register"}


def test_what_nothing_refers_to_is_listed_and_deleted_on_a_yes(used_project: Project) -> None:
    project = used_project
    project.settings["ingest.phantom.seed"] = "7"
    # Refused, so that no alias points at it; which of two so small models is better is chance.
    assert project.run("--set", "register.policy=production").returncode == 0
    project.settings["ingest.phantom.seed"] = "8"
    assert project.run().returncode == 0
    kept = {path.parent for path in project.home.root.glob("steps/*/*/out")}
    listed = project.dermacare("gc")  # no answer is a no
    assert "Delete these" in listed.stdout
    assert kept == {path.parent for path in project.home.root.glob("steps/*/*/out")}
    assert project.dermacare("gc", "--yes").returncode == 0
    assert {path.parent for path in project.home.root.glob("steps/*/*/out")} < kept
    assert "nothing changed" in project.run().stdout
