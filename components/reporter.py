"""What a step tells while it works: progress, metrics, figures, messages.

A step is handed a Reporter and knows neither MLflow nor Kubeflow. Metrics and figures go into the step's output, so that they
outlive a tracking server that is away; the same lines go, live, to the run's event file where there is one.
"""

import json
import math
import sys
import time
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

from components.files import writing

if TYPE_CHECKING:
    import numpy as np
    from matplotlib.figure import Figure


_MINUTE = 60.0


class Reporter:
    """Writes a step's events as JSON lines.

    Args:
        out: the step's output folder (while it runs: its work folder); gets `metrics.jsonl` and `figures/`.
        step: the step's name, with the model's for training: `train_classifier/resnet50`.
        events: the run's event file, read live by whoever started the run; None: nobody listens.
    """

    def __init__(self, out: Path, step: str, events: Path | None = None) -> None:
        self.out = out
        self.step = step
        self._events = events
        self._last = 0.0

    def progress(self, done: int, total: int, what: str = "", left: float | None = None) -> None:
        """Say how far the step is; calls more frequent than ten a second are dropped, the last one (done = total) never.

        Args:
            done: of `total`.
            total: of whatever the step counts.
            what: a few words on it.
            left: seconds left, where the step knows better than `done` and `total` tell.
        """
        now = time.monotonic()
        if done >= total or now - self._last >= 0.1:
            self._last = now
            self._send({"kind": "progress", "done": done, "total": total, "what": what, "left": left})

    def message(self, text: str) -> None:
        """One line that the user should read."""
        self._send({"kind": "message", "text": text})

    def metrics(self, values: Mapping[str, float], *, epoch: int | None = None) -> None:
        """Record figures; with `epoch` (from 0) they are a point of a curve, without it final values."""
        # One time for both files, so that a point which was sent live is known again when the whole curve is published.
        now = round(time.time(), 3)
        line = {"time": now, "kind": "metrics", "epoch": epoch, "values": {name: float(value) for name, value in values.items()}}
        append_event(self.out / "metrics.jsonl", self.step, line)
        self._send(line)

    def figure(self, name: str, figure: "Figure | np.ndarray[Any, np.dtype[np.uint8]]") -> Path:
        """Save a matplotlib figure or an H x W x 3 RGB picture as `figures/<name>.png` of the output."""
        path = self.out / "figures" / f"{name}.png"
        with writing(path):
            path.parent.mkdir(parents=True, exist_ok=True)
            if hasattr(figure, "savefig"):
                figure.savefig(path, dpi=110, bbox_inches="tight")
            else:
                from PIL import Image

                Image.fromarray(figure).save(path)
        return path

    def _send(self, line: dict[str, Any]) -> None:
        if self._events is not None:
            append_event(self._events, self.step, line)


class LogReporter(Reporter):
    """Tells a log that people read, such as a pod's, where nobody listens to events: progress once a minute, all else at once."""

    _said = -math.inf

    def _send(self, line: dict[str, Any]) -> None:
        match line:
            case {"kind": "message", "text": text}:
                self._say(text)
            case {"kind": "metrics", "epoch": int() as epoch, "values": values}:
                self._say(f"epoch {epoch + 1}: " + ", ".join(f"{name} {value:.4g}" for name, value in values.items()))
            case {"kind": "progress", "done": done, "total": total, "what": what} if time.monotonic() - self._said >= _MINUTE:
                self._said = time.monotonic()
                self._say(f"{done / max(total, 1):.0%} {what}")

    def _say(self, text: str) -> None:
        sys.stdout.write(f"{self.step}: {text}\n")
        sys.stdout.flush()


def append_event(path: Path, step: str, line: Mapping[str, Any]) -> None:
    """Append one event as a JSON line with its time and step; one write, so that lines of several processes do not mix."""
    stamped = {"time": round(time.time(), 3), "step": step, **line}
    with writing(path), path.open("a", encoding="utf-8") as handle:
        handle.write(json.dumps(stamped) + "\n")
