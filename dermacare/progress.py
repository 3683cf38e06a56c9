"""A run as it goes on: a live table of bars on a terminal, plain lines elsewhere."""

from typing import Any, Protocol

from rich.progress import BarColumn, Progress, TaskID, TaskProgressColumn, TextColumn, TimeElapsedColumn, TimeRemainingColumn

from dermacare.console import console, duration
from pipelines.plan import Plan

_PLAIN_EVERY = 15.0  # seconds between two plain progress lines of a step


class View(Protocol):
    """Shows events of a run."""

    def show(self, event: dict[str, Any]) -> None:
        """Take one event."""

    def close(self) -> None:
        """The run is over."""


class PlainView:
    """One line for each start and end of a step, and now and then one for how far it is."""

    def __init__(self) -> None:
        self._started: dict[str, float] = {}
        self._last = 0.0

    def show(self, event: dict[str, Any]) -> None:
        """Take one event."""
        step, now = event["step"], event["time"]
        if event["kind"] == "state":
            if event["state"] == "started":
                self._started[step] = self._last = now
                console.print(f"{step}: started")
            elif event["state"] == "finished":
                console.print(f"{step}: {event['outcome']} in {duration(now - self._started.get(step, now))}")
            else:
                console.print(f"{step}: failed")
        elif event["kind"] == "message":
            console.print(f"{step}: {event['text']}", markup=False)
        elif event["kind"] == "progress" and now - self._last > _PLAIN_EVERY and event["total"]:
            self._last = now
            share = event["done"] / event["total"]
            left = (now - self._started.get(step, now)) * (1 - share) / share if share else 0
            console.print(f"{step}: {share:.0%}, {duration(left)} left, {event['what']}", markup=False)

    def close(self) -> None:
        """Nothing is left open."""


class LiveView:
    """A bar with an ETA for each step that has started; messages scroll above."""

    def __init__(self, plan: Plan) -> None:
        self._progress = Progress(
            TextColumn("{task.description:<28}"),
            BarColumn(bar_width=24),
            TaskProgressColumn(),
            TimeElapsedColumn(),
            TextColumn("eta"),
            TimeRemainingColumn(elapsed_when_finished=False),
            TextColumn("{task.fields[what]}", style="dim", markup=False),
            console=console,
        )
        self._tasks: dict[str, TaskID] = {
            step.name: self._progress.add_task(step.name, total=None, start=False, visible=False, what="") for step in plan.steps
        }
        self._progress.start()

    def show(self, event: dict[str, Any]) -> None:
        """Take one event."""
        task = self._tasks.get(event["step"])
        if task is None:
            return
        if event["kind"] == "message":
            self._progress.console.print(f"{event['step']}: {event['text']}", markup=False)
        elif event["kind"] == "progress":
            self._progress.update(task, completed=event["done"], total=event["total"], what=event["what"])
        elif event["kind"] == "state" and event["state"] == "started":
            self._progress.update(task, visible=True)
            self._progress.start_task(task)
        elif event["kind"] == "state":
            done = event["state"] == "finished"
            self._progress.update(task, total=1, completed=1 if done else 0, what=event.get("outcome", "failed"))
            self._progress.stop_task(task)

    def close(self) -> None:
        """Leave the bars as they stand."""
        self._progress.stop()


def view_of(plan: Plan) -> View:
    """The view that suits where the output goes."""
    return LiveView(plan) if console.is_terminal else PlainView()
