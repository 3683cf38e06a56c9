"""Time left in the plain view."""

from typing import Any

import pytest

from dermacare.progress import PlainView


def event(now: float, done: int, left: float | None = None) -> dict[str, Any]:
    return {"kind": "progress", "time": now, "step": "train", "done": done, "total": 100, "what": "epoch 1/2", "left": left}


def lines(capsys: pytest.CaptureFixture[str], *events: dict[str, Any]) -> list[str]:
    view = PlainView()
    view.show({"kind": "state", "state": "started", "time": 0.0, "step": "train"})
    for one in events:
        view.show(one)
    return capsys.readouterr().out.splitlines()[1:]


def test_a_step_that_went_on_from_the_middle_is_not_taken_for_a_fast_one(capsys: pytest.CaptureFixture[str]) -> None:
    assert lines(capsys, event(1, 50), event(21, 60)) == ["train: 60%, 1:20 left, epoch 1/2"]


def test_what_the_step_says_itself_goes_before(capsys: pytest.CaptureFixture[str]) -> None:
    assert lines(capsys, event(1, 50), event(21, 60, left=7)) == ["train: 60%, 7.0 s left, epoch 1/2"]


@pytest.mark.parametrize("total", [100, 200])
def test_what_is_counted_next_is_not_timed_from_the_start_of_what_was_counted_before(
    capsys: pytest.CaptureFixture[str], total: int
) -> None:
    trained = [event(1, 0), event(3600, 99, left=7)]
    share = total // 100
    predicted = [event(3601, 10 * share) | {"total": total}, event(3621, 60 * share) | {"total": total}]
    assert lines(capsys, *trained, *predicted)[-1] == "train: 60%, 16.0 s left, epoch 1/2"
