"""Trainings that are killed: `python -m tests.components.training.killing FOLDER TASK:[SHARE,…] …`.

Trains the tiny architecture of a task without a break, then once for each moment: a process kills itself there (SIGKILL), a second
one goes on in the same folder. TASK+folds trains with folds. Moments are counted: each time that the training tells of progress,
and each time that a file is written but not yet there under its name. SHARE is a share of them, 0 to 1; without any, every moment's
turn comes. A fake clock lets every step end with a checkpoint.

Processes are forked from one that has imported what they need and not used it yet, which spares each the import. Prints JSON.
"""

import json
import os
import signal
import sys
import traceback
from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import Any

import matplotlib.backends.backend_agg  # noqa: F401

import components.train_classifier.step
import components.train_unet.step
import components.training.loop
from components.files import sha256_file
from components.params import Stage, TrainClassifierParams, TrainUnetParams
from components.reporter import Reporter
from tests.trainings import classifier_params, make_data, train_tiny, unet_params

# Everything that has a state of its own.
_RECIPE = {
    "weight_decay": 0.01,
    "schedule": "cosine",
    "ema": 0.9,
    "input_size": (32, 32),
    "progressive": [Stage(epochs=1, size=(16, 16))],
}


class Moments:
    """Counts what happens in this process, and ends it at a chosen count."""

    def __init__(self, last: int | None) -> None:
        self.count = 0
        self._last = last
        os.fsync = self._before(os.fsync)
        Reporter.progress = self._before(Reporter.progress)  # type: ignore[method-assign]

    def _before(self, function: Callable[..., None]) -> Callable[..., None]:
        def counted(*args: object, **kwargs: object) -> None:
            self.count += 1
            if self.count == self._last:
                os.kill(os.getpid(), signal.SIGKILL)
            function(*args, **kwargs)

        return counted


class _Hours:
    """A fake clock: each look at it takes longer than there is between two checkpoints."""

    def __init__(self) -> None:
        self._now = 0.0

    def perf_counter(self) -> float:
        """Seconds."""
        self._now += 3600
        return self._now


def start(work: Callable[[], object]) -> int:
    """Run a function in a fork of this process and give its id."""
    process = os.fork()
    if process == 0:
        try:
            work()
        except BaseException:
            traceback.print_exc()
            os._exit(1)
        os._exit(0)
    return process


def in_a_process(work: Callable[[], object]) -> int:
    """Run a function in a fork of this process and give its exit code, -9 where it was killed."""
    return os.waitstatus_to_exitcode(os.waitpid(start(work), 0)[1])


def left_by(out: Path) -> dict[str, object]:
    """What a training left: digests of its files, and its curves without what is of the clock."""
    lines = [json.loads(line) for line in (out / "metrics.jsonl").read_text().splitlines()]
    curves = [[line["epoch"], {k: v for k, v in line["values"].items() if not k.endswith("images_per_second")}] for line in lines]
    files = sorted(path.relative_to(out).as_posix() for path in out.rglob("*") if path.is_file())
    digests = {name: sha256_file(out / name) for name in files if name != "metrics.jsonl"}
    return {"digests": digests, "curves": sorted(curves, key=lambda curve: curve[0] if curve[0] is not None else -1)}


def run(task: str, folder: Path, shares: list[float]) -> dict[str, object]:
    """What the uninterrupted training of a task and each killed one left."""
    task, _, folds = task.partition("+")
    data = make_data(folder, per_class=6 if folds else 3, folds=2)
    recipe: dict[str, Any] = _RECIPE | ({"folds": 2, "epochs": 2} if folds else {})
    if task == "segmentation":
        params: TrainUnetParams | TrainClassifierParams = unet_params(**recipe, mask_threshold=None if folds else 0.5)
    else:
        params = classifier_params(**recipe, mix="mixup")

    def train(out: Path, last: int | None = None) -> None:
        components.training.loop.time = _Hours()  # type: ignore[assignment]
        moments = Moments(last)
        train_tiny(data, out, params)
        (folder / "count").write_text(str(moments.count))

    code = in_a_process(lambda: train(folder / "whole"))
    total = int((folder / "count").read_text())
    chosen = sorted({max(1, round(share * total)) for share in shares}) or list(range(1, total + 1))
    killed = {moment: _kill(folder / f"killed-{moment}", moment, train) for moment in chosen}
    return {"code": code, "whole": left_by(folder / "whole"), "killed": killed}


def _kill(out: Path, moment: int, train: Callable[..., None]) -> dict[str, object]:
    codes = [in_a_process(lambda: train(out, moment)), in_a_process(lambda: train(out))]
    for part in out.rglob(".*.part"):  # the step store does so before it lets a step go on
        part.unlink()
    return {"codes": codes, **left_by(out)}


def main(folder: Path, plans: list[str]) -> None:
    """Print the result of each task; the tasks run side by side."""
    files = {task: folder / f"{task}.json" for task in (plan.partition(":")[0] for plan in plans)}

    def write(plan: str) -> None:
        task, _, shares = plan.partition(":")
        files[task].write_text(json.dumps(run(task, folder / task, [float(share) for share in shares.split(",") if share])))

    for process in [start(partial(write, plan)) for plan in plans]:
        os.waitpid(process, 0)
    print(json.dumps({task: json.loads(file.read_text()) for task, file in files.items()}))


if __name__ == "__main__":
    main(Path(sys.argv[1]), sys.argv[2:])
