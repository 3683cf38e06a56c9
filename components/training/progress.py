"""How fast training is and how long it will take, for the line that a person watches."""

import time
from collections import deque

from components.quantities import duration
from components.reporter import Reporter
from components.training.checkpoint import Standing
from components.training.phase import Phase

# Steps that the pace is measured over: enough to be steady, few enough to follow a machine that gets busy.
_RECENT = 50
# Steps after the first, which is traced, until it is told how long all of them will take.
_WARM = 5


class Progress:
    """Tells of the steps of a phase: epoch, loss, the newest figure on val, images/s, time left.

    Only steps of this process are timed, so that a training which goes on from a checkpoint tells the time of what is left. The
    first step of all is not: it is traced. Time left is of this phase, with the judging on val and the checkpoint after each epoch,
    which are known from the second epoch on. It is the most there can be: training may stop earlier. Epochs that will see larger
    images are taken to be longer by as much.

    Args:
        reporter: is told.
        phase: whose steps.
        steps: batches of an epoch.
        epochs: most epochs over all phases.
        headline: the figure of val that the line shows.
    """

    def __init__(self, reporter: Reporter, phase: Phase, steps: int, epochs: int, headline: str) -> None:
        self._reporter = reporter
        self._phase = phase
        self._steps = steps
        self._epochs = epochs
        self._headline = headline
        self._recent: deque[tuple[float, int]] = deque(maxlen=_RECENT)
        self._between = 0.0
        self._ended: float | None = None
        self._forecast = False

    def start_epoch(self) -> None:
        """The next step is the first of an epoch, or of what is left of one."""
        now = time.perf_counter()
        if self._ended is not None:
            self._between = now - self._ended
        # A step's time is that since the one before it; between epochs there is more.
        self._recent = deque([(now, 0)] if self._recent else [], _RECENT)

    def step(self, standing: Standing, done: int, images: int, loss: float) -> None:
        """A step was done.

        Args:
            standing: how far training was when the epoch began.
            done: batches done of the epoch.
            images: of this step.
            loss: mean of the epoch so far.
        """
        self._ended = time.perf_counter()
        self._recent.append((self._ended, images))
        what = f"{self._epoch(standing)}, loss {loss:.2f}{self._val(standing)}{self._speed()}"
        self._tell_forecast(standing, done)
        total = self._epochs * self._steps
        self._reporter.progress(standing.epoch * self._steps + done, total, what, self._seconds_left(standing, done))

    def _tell_forecast(self, standing: Standing, done: int) -> None:
        """Say once, as soon as the pace is known, how long what is left of the phase will take."""
        left = self._seconds_left(standing, done)
        if not self._forecast and left is not None and len(self._recent) > min(_WARM, self._steps - 2):
            self._forecast = True
            name = f"{self._phase.name}: " if self._phase.name else ""
            epochs = standing.begun + self._phase.epochs - standing.epoch
            self._reporter.message(
                f"{name}up to {duration(left)} for {epochs} epochs of {self._steps} steps{self._speed()}, judging on val aside"
            )

    @property
    def seconds_a_step(self) -> float | None:
        """Mean of the recent steps; None before two were done."""
        if len(self._recent) < 2:
            return None
        return (self._recent[-1][0] - self._recent[0][0]) / (len(self._recent) - 1)

    @property
    def images_a_second(self) -> float | None:
        """Mean of the recent steps; None before two were done."""
        if len(self._recent) < 2:
            return None
        return sum(images for _, images in list(self._recent)[1:]) / max(self._recent[-1][0] - self._recent[0][0], 1e-9)

    def _seconds_left(self, standing: Standing, done: int) -> float | None:
        step = self.seconds_a_step
        if step is None:
            return None
        epoch = standing.epoch - standing.begun
        pixels = [self._phase.pixels(one) for one in range(epoch, self._phase.epochs)]
        return (sum(pixels) / pixels[0] * self._steps - done) * step + len(pixels) * self._between

    def _epoch(self, standing: Standing) -> str:
        name = f"{self._phase.name}: " if self._phase.name else ""
        return f"{name}epoch {standing.epoch - standing.begun + 1}/{self._phase.epochs}"

    def _val(self, standing: Standing) -> str:
        if not standing.figures:
            return ""
        return f", {self._headline.replace('_', ' ').replace('f1', 'F1')} {standing.figures[self._headline]:.2f}"

    def _speed(self) -> str:
        speed = self.images_a_second
        return "" if speed is None else f", {speed:.3g} images/s" if speed < 100 else f", {speed:,.0f} images/s"
