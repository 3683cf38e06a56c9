"""A step that fails fails the run, names itself and shows its log; the steps after it do not start."""

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from pipelines.runs import EventTail, RunState, all_runs
from tests.e2e.conftest import Project
from tests.e2e.test_resume import STEPS

pytestmark = pytest.mark.slow

TRAININGS = {"train_unet/unet_tiny", "train_classifier/tiny_cnn"}


@contextmanager
def blocked(folder: Path) -> Iterator[None]:
    """Put a file where the store wants a step's folder: a real failure that every step can have."""
    kept = folder.with_suffix(".kept")
    folder.parent.mkdir(parents=True, exist_ok=True)
    if folder.exists():
        folder.rename(kept)
    folder.touch()
    yield
    folder.unlink()
    if kept.exists():
        kept.rename(folder)


def test_every_step_that_fails_stops_the_run_and_the_steps_after_it(project: Project) -> None:
    for position, step in enumerate(STEPS):
        folder = project.home.root / "steps" / step.partition("/")[0]
        with blocked(folder):
            out = project.run()
        assert out.returncode == 1, out.stdout
        assert f"error: {step}: " in out.stderr
        assert str(folder) in out.stderr
        assert "last lines of" in out.stderr
        assert "Traceback" not in out.stderr
        run = all_runs(project.home)[-1]
        assert run.state is RunState.FAILED
        events = EventTail(project.home, run.id).new()
        started = {event["step"] for event in events if event["kind"] == "state" and event["step"] != step}
        # The two trainings do not wait for each other; Kubeflow takes them in either order.
        assert not started & (set(STEPS[position + 1 :]) - (TRAININGS if step in TRAININGS else set()))
    assert project.mlflow("select distinct status from runs where status = 'RUNNING'") == []
    assert project.run().returncode == 0
