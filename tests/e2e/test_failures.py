"""A step that fails fails the run, names itself and shows its log; the steps after it do not start."""

import pytest

from pipelines.runs import RunState, all_runs
from tests.e2e.conftest import Project
from tests.e2e.test_resume import STEPS

pytestmark = pytest.mark.slow

TRAININGS = {"train_unet/unet_tiny", "train_classifier/tiny_cnn"}


def test_every_step_that_fails_stops_the_run_and_the_steps_after_it(project: Project) -> None:
    # A file where the store wants the step's folder is a real failure that every step can have.
    for position, step in enumerate(STEPS):
        obstacle = project.home.root / "steps" / step.partition("/")[0]
        obstacle.parent.mkdir(parents=True, exist_ok=True)
        obstacle.touch()
        out = project.run()
        assert out.returncode == 1, out.stdout
        assert f"error: {step}: " in out.stderr
        assert str(obstacle) in out.stderr
        assert "last lines of" in out.stderr
        assert "Traceback" not in out.stderr
        run = all_runs(project.home)[-1]
        assert run.state is RunState.FAILED
        # The two trainings wait for none of each other; Kubeflow takes them in either order.
        later = set(STEPS[position + 1 :]) - (TRAININGS if step in TRAININGS else set())
        assert not set(project.finished()) & {step, *later}
        obstacle.unlink()
    assert project.mlflow("select distinct status from runs where status = 'RUNNING'") == []
    assert project.run().returncode == 0
