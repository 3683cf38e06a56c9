"""A run as it goes on: a live table of bars on a terminal, plain lines elsewhere."""

from typing import Any, Protocol

from rich.progress import BarColumn, Progress, Task, TaskID, TaskProgressColumn, TextColumn, TimeElapsedColumn, TimeRemainingColumn
from rich.text import Text

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
        # When a step was first heard of in what it counts now, how far it was then, and is; what it counts.
        self._counted: dict[str, tuple[float, float, float, int]] = {}
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
        elif event["kind"] == "progress" and event["total"]:
            share = event["done"] / event["total"]
            then, begun, before, total = self._counted.get(step, (now, share, share, event["total"]))
            if share < before or total != event["total"]:  # it counts something else now
                then, begun = now, share
            self._counted[step] = then, begun, share, event["total"]
            if now - self._last > _PLAIN_EVERY:
                self._last = now
                console.print(f"{step}: {share:.0%}{self._left(event, share)}, {event['what']}", markup=False)

    def _left(self, event: dict[str, Any], share: float) -> str:
        """Time left: what the step says, else by how far it came since it was first heard of (it may have gone on from a break)."""
        left = event.get("left")
        then, begun, *_ = self._counted[event["step"]]
        if left is None and share > begun:
            left = (event["time"] - then) * (1 - share) / (share - begun)
        return "" if left is None else f", {duration(left)} left"

    def close(self) -> None:
        """Nothing is left open."""


class _TimeLeft(TimeRemainingColumn):
    """Time left as the step itself tells it, else by how fast the bar moves."""

    def render(self, task: Task) -> Text:
        """The column of one bar."""
        left = task.fields.get("left")
        return super().render(task) if left is None else Text(duration(left), style="progress.remaining")


class LiveView:
    """A bar with an ETA for each step that has started; messages scroll above."""

    def __init__(self, plan: Plan) -> None:
        self._progress = Progress(
            TextColumn("{task.description:<28}"),
            BarColumn(bar_width=24),
            TaskProgressColumn(),
            TimeElapsedColumn(),
            TextColumn("eta"),
            _TimeLeft(elapsed_when_finished=False),
            TextColumn("{task.fields[what]}", style="dim", markup=False),
            console=console,
        )
        self._tasks: dict[str, TaskID] = {
            step.name: self._progress.add_task(step.name, total=None, start=False, visible=False, what="", left=None)
            for step in plan.steps
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
            self._progress.update(task, completed=event["done"], total=event["total"], what=event["what"], left=event.get("left"))
        elif event["kind"] == "state" and event["state"] == "started":
            self._progress.update(task, visible=True)
            self._progress.start_task(task)
        elif event["kind"] == "state":
            done = event["state"] == "finished"
            self._progress.update(task, total=1, completed=1 if done else 0, what=event.get("outcome", "failed"), left=None)
            self._progress.stop_task(task)

    def close(self) -> None:
        """Leave the bars as they stand."""
        self._progress.stop()


def view_of(plan: Plan) -> View:
    """The view that suits where the output goes."""
    return LiveView(plan) if console.is_terminal else PlainView()
