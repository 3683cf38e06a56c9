"""The members of a model, trained one after another.

    members/00/checkpoints/          while the first member trains
    members/00/weights.weights.h5    its weights for Keras
    members/00/model.onnx            its network
    members/00/member.json           its numbers of parameters; written last, so that a member which has one is whole

Each member has a folder of its own in the work folder and starts from seeds of its own, so that one that is whole is never touched
again, and a training which was killed in the fourth comes to what it would have come to.
"""

import json
import math
import shutil
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any, Generic, TypeVar

from components.augment_balance.plan import Plan
from components.bundle import FEATURES, MODEL, WEIGHTS
from components.dataset import Dataset
from components.files import atomic_write, write_text, writing
from components.lesions import Task
from components.params import TrainClassifierParams, TrainUnetParams, names_file
from components.reporter import Reporter
from components.training.backend import keras
from components.training.checkpoint import Checkpoints, Standing, rewind_metrics
from components.training.curves import prefix_of
from components.training.feed import Feed, open_feed
from components.training.folds import Member, plan_members, unlearned
from components.training.loop import Run
from components.training.onnx_export import export_onnx

FOLDER = "members"
OUTPUTS = {Task.CLASSIFICATION: "probabilities", Task.SEGMENTATION: "mask"}
_FEATURES = {Task.CLASSIFICATION: FEATURES, Task.SEGMENTATION: None}
_WHOLE = "member.json"

P = TypeVar("P", TrainClassifierParams, TrainUnetParams)


@dataclass(frozen=True)
class Parameters:
    """Numbers of a model's weights: all of them, and those that training may change."""

    total: int
    trainable: int


@dataclass(frozen=True)
class Learning(Generic[P]):
    """What a model learns from, and how.

    Attributes:
        dataset: a preprocessed dataset.
        plan: for its train split.
        task: whose images.
        params: how it is trained; `models` holds one name.
    """

    dataset: Dataset
    plan: Plan
    task: Task
    params: P

    @property
    def members(self) -> list[Member]:
        """The members of the model."""
        return plan_members(self.params)


@dataclass(frozen=True)
class Trained:
    """A member that is whole.

    Attributes:
        member: which one.
        folder: where its network and its weights lie.
        parameters: of its network.
    """

    member: Member
    folder: Path
    parameters: Parameters


def count_parameters(model: keras.Model) -> Parameters:
    """Count a model's weights as it stands, frozen layers as not trainable."""
    return Parameters(model.count_params(), sum(math.prod(variable.shape) for variable in model.trainable_variables))


def train_members(
    learning: Learning[P],
    train: Callable[[Feed, P, Run, Standing | None], tuple[keras.Model, Parameters]],
    epochs: int,
    out: Path,
    reporter: Reporter,
) -> list[Trained]:
    """Train every member that is not whole yet.

    Args:
        learning: what from, and how.
        train: trains one: (data, parameters with its own seed, what to write to, how far its newest checkpoint is) → the trained
            model, and its numbers of parameters as it was trained.
        epochs: most epochs of a member.
        out: the step's work folder.
        reporter: is told of every step and epoch.

    Returns:
        The members, in their order.

    Raises:
        DatasetError: see `open_feed`; before any member is trained.
    """
    members, trained = learning.members, []
    if names_file(learning.params.weights):
        reporter.message("it starts from a file; what that learned from is not known, and figures of val and test may be too good")
    for member in members:  # one that cannot be trained is told before any is
        open_feed(learning.dataset, learning.plan, learning.task, learning.params, member)
    seconds = None
    for place, member in enumerate(members):
        folder = out / FOLDER / f"{place:02d}"
        if not (folder / _WHOLE).exists():
            told = reporter if len(members) == 1 else MemberReporter(reporter, place, members, seconds)
            begun = time.monotonic()
            feed = open_feed(learning.dataset, learning.plan, learning.task, learning.params, member)
            for label in unlearned(learning.dataset, feed.rows) if learning.task is Task.CLASSIFICATION else ():
                told.message(f"it cannot learn {label}: none of its images is among those that it learns from")
            params = learning.params.model_copy(update={"seed": learning.params.seed + member.seed})
            checkpoints = Checkpoints(folder)
            newest = checkpoints.standing(told.message)
            rewind_metrics(out / "metrics.jsonl", newest.epoch if newest else 0, prefix_of(place))
            _keep(folder, learning.task, *train(feed, params, Run(checkpoints, told, epochs), newest))
            if newest is None:
                seconds = time.monotonic() - begun
        # A kill may have come between the two.
        Checkpoints(folder).remove()
        trained.append(Trained(member, folder, Parameters(**json.loads((folder / _WHOLE).read_text(encoding="utf-8")))))
    return trained


def _keep(folder: Path, task: Task, model: keras.Model, parameters: Parameters) -> None:
    """Write what is needed of a trained member."""
    folder.mkdir(parents=True, exist_ok=True)
    with writing(folder / WEIGHTS):
        model.save_weights(folder / WEIGHTS)
    with atomic_write(folder / MODEL) as handle:
        handle.write(export_onnx(model, OUTPUTS[task], _FEATURES[task]))
    write_text(folder / _WHOLE, json.dumps(asdict(parameters)) + "\n")


def remove_members(out: Path) -> None:
    """Remove the members' folders."""
    shutil.rmtree(out / FOLDER, ignore_errors=True)


class MemberReporter(Reporter):
    """Tells of one member among several: progress is that of all, names of curves and figures start with the member's prefix.

    Args:
        whole: tells of the step.
        place: of the member, from 0.
        members: all of them.
        seconds: that one of them took, from its first step to its last; None: this process trained none so far.
    """

    def __init__(self, whole: Reporter, place: int, members: Sequence[Member], seconds: float | None) -> None:
        super().__init__(whole.out, whole.step)
        self._whole = whole
        self._place = place
        self._members = members
        self._prefix = prefix_of(place)
        self._seconds = seconds
        self._begun = time.monotonic()

    def progress(self, done: int, total: int, what: str = "", left: float | None = None) -> None:
        """As the whole step's: `total` times as many as there are members; see `_left` for the time."""
        name = self._members[self._place].name
        self._whole.progress(self._place * total + done, len(self._members) * total, f"{name}: {what}", self._left(left))

    def message(self, text: str) -> None:
        """One line, with the member's name before it."""
        self._whole.message(f"{self._members[self._place].name}: {text}")

    def metrics(self, values: Mapping[str, float], *, epoch: int | None = None) -> None:
        """Record figures under the member's prefix."""
        self._whole.metrics({f"{self._prefix}{name}": value for name, value in values.items()}, epoch=epoch)

    def figure(self, name: str, figure: Any) -> Path:
        """Save a picture under the member's prefix."""
        return self._whole.figure(f"{self._prefix}{name}", figure)

    def _left(self, left: float | None) -> float | None:
        """Seconds left of all members; `left` are those of a phase of this one, whose steps do not tell how long others take."""
        to_come = len(self._members) - self._place - 1
        if self._seconds is not None:
            here = self._seconds - (time.monotonic() - self._begun)
            return max(here, left or 0.0) + to_come * self._seconds
        return None if to_come else left
