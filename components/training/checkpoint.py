"""Checkpoints of a training, one after every epoch and some within: sealed files (sealed.py), written whole or not at all.

    checkpoints/0007-00000.npz     after 7 epochs (over both phases): all that the next step follows from
    checkpoints/0007-00250.npz     after 250 batches of the next epoch

The newest two are kept: should the disk spoil one, training goes on from the one before it and comes to the same weights.
"""

import json
import shutil
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import asdict, dataclass
from pathlib import Path

import numpy as np

from components.errors import CheckpointError
from components.files import write_text
from components.training.curves import names_prefix
from components.training.schedule import EarlyStopping, ReduceLROnPlateau
from components.training.sealed import Array, read_sealed, write_sealed

FOLDER = "checkpoints"
_KEPT = 2
_GROUPS = ("model", "optimiser", "average", "best")


@dataclass(frozen=True)
class Standing:
    """How far a training is; all of it is numbers.

    Attributes:
        phase: name of the phase.
        begun: epochs that were done before the phase.
        epoch: epochs done, over all phases.
        step: batches done of the next one.
        sums: of the loss and of the score over its images so far, and their number.
        rate: the learning rate's schedule.
        stopping: when to stop.
        figures: the newest epoch's measures on val, for the line that tells of progress.
        history: of each epoch of the phase: loss on train, loss on val, the headline figure of val.
    """

    phase: str
    begun: int
    epoch: int
    step: int
    sums: tuple[float, float, int]
    rate: ReduceLROnPlateau
    stopping: EarlyStopping
    figures: Mapping[str, float]
    history: tuple[tuple[float, float, float], ...] = ()


@dataclass(frozen=True)
class Checkpoint:
    """What the next epoch follows from.

    Attributes:
        standing: how far the training is.
        model: values of all the model's variables, random seeds included.
        optimiser: values of the optimiser's variables.
        average: values of the running mean of the weights; none where there is no mean.
        best: values of the model's variables that are kept if no later epoch is better; none where no epoch of the phase ended yet.
    """

    standing: Standing
    model: Iterable[Array]
    optimiser: Iterable[Array]
    average: Iterable[Array]
    best: Iterable[Array]


class Checkpoints:
    """The checkpoints in a step's work folder."""

    def __init__(self, work: Path) -> None:
        self.folder = work / FOLDER

    def save(self, checkpoint: Checkpoint) -> None:
        """Write a checkpoint and remove all but the newest two."""
        name = f"{checkpoint.standing.epoch:04d}-{checkpoint.standing.step:05d}.npz"
        write_sealed(self.folder / name, _arrays(checkpoint))
        for old in self._files()[:-_KEPT]:
            old.unlink()

    def newest(self, warn: Callable[[str], None]) -> Checkpoint | None:
        """The newest checkpoint that is as it was written; None where there is none.

        Args:
            warn: told of each damaged one, which is removed.
        """
        for path in reversed(self._files()):
            try:
                return _load(path)
            except CheckpointError as error:
                path.unlink()
                left = "going on from the one before it" if self._files() else "no other is left, so training starts anew"
                warn(f"{error}; this checkpoint is removed, {left}")
        return None

    def standing(self, warn: Callable[[str], None]) -> Standing | None:
        """How far the training is, by its newest checkpoint; see `newest`."""
        checkpoint = self.newest(warn)
        return checkpoint.standing if checkpoint else None

    def remove(self) -> None:
        """Remove all of them, and what else lies in their folder."""
        if self.folder.exists():
            shutil.rmtree(self.folder)

    def _files(self) -> list[Path]:
        return sorted(self.folder.glob("[0-9]*.npz"))


def rewind_metrics(file: Path, epochs: int, prefix: str = "") -> None:
    """Keep of what a member wrote into a metrics.jsonl the lines of the first `epochs` epochs alone, so that no epoch stands there
    twice.

    Its final values go as well: the step writes them again. So does a line that was cut off.

    Args:
        file: the metrics.jsonl.
        epochs: that the member has done.
        prefix: of the names of its values (`components.training.curves.prefix_of`); empty: of the first member.
    """
    if file.exists():
        lines = file.read_text(encoding="utf-8").splitlines()
        write_text(file, "".join(f"{line}\n" for line in lines if _stays(line, epochs, prefix)))


def _stays(line: str, epochs: int, prefix: str) -> bool:
    try:
        values = json.loads(line)
    except ValueError:
        return False
    is_own = names_prefix(values["values"]) == prefix
    return not is_own or (values["epoch"] is not None and values["epoch"] < epochs)


def _arrays(checkpoint: Checkpoint) -> Iterator[tuple[str, Array]]:
    yield "standing", np.array(json.dumps(asdict(checkpoint.standing)))
    for group in _GROUPS:
        for place, value in enumerate(getattr(checkpoint, group)):
            yield f"{group}/{place:05d}", value


def _load(path: Path) -> Checkpoint:
    arrays = read_sealed(path)
    values = json.loads(str(arrays["standing"]))
    groups = [[value for name, value in arrays.items() if name.startswith(f"{group}/")] for group in _GROUPS]
    schedules = {"rate": ReduceLROnPlateau(**values["rate"]), "stopping": EarlyStopping(**values["stopping"])}
    rows = {"sums": tuple(values["sums"]), "history": tuple(tuple(epoch) for epoch in values["history"])}
    standing = Standing(**values | schedules | rows)
    return Checkpoint(standing, *groups)
