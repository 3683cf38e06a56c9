"""A training whose pods are lost, disks and all: `python -m tests.components.lost_pods FOLDER s3://BUCKET/PREFIX`.

Trains the tiny classifier once without a break; then in pods, each with a home of its own: two that are killed (SIGKILL) as soon
as a new checkpoint lies in the store, and one that ends. Prints JSON: exit codes, and what the first and the last one left.
"""

import json
import os
import shutil
import signal
import sys
from pathlib import Path
from typing import Any

import components.training.loop
from components.remote_store import RemoteStore
from components.store import Store
from tests.components.training.killing import _RECIPE, _Hours, in_a_process, left_by
from tests.trainings import Data, classifier_params, make_data, train_tiny

__all__ = ["in_a_process"]

STEP, KEY = "train_classifier/tiny_cnn", "0123456789abcdef0123"


def train(data: Data, home: Path, remote: RemoteStore | None) -> None:
    """Do the step in a home; a fake clock lets every step end with a checkpoint."""
    components.training.loop.time = _Hours()  # type: ignore[assignment]
    recipe: dict[str, Any] = _RECIPE
    params = classifier_params(**recipe, mix="mixup")
    finished = Store(home, remote).execute(STEP, KEY, lambda work: void(train_tiny(data, work, params)))
    (home / "outcome").write_text(finished.outcome)


def void(result: object) -> None:
    """What a step's work gives back."""


class FatalStore(RemoteStore):
    """Kills its process once a checkpoint lies in the store that did not lie there before."""

    def list_work(self, step: str, key: str, files: Any) -> None:
        """See `RemoteStore`."""
        listed, _ = self._read(step, key, "work.json")
        super().list_work(step, key, files)
        old = (listed or {"files": {}})["files"]
        if any(Path(path).parent.name == "checkpoints" and path not in old for path in files):
            os.kill(os.getpid(), signal.SIGKILL)


def main(folder: Path, place: str) -> None:
    """Print the result."""
    data = make_data(folder, per_class=3)

    def pod(name: str, kind: type[RemoteStore] | None) -> int:
        return in_a_process(lambda: train(data, folder / name, kind(place, send_seconds=0.02) if kind else None))

    codes = [pod("whole", None), pod("first", FatalStore)]
    shutil.rmtree(folder / "first")
    codes.append(pod("second", FatalStore))
    shutil.rmtree(folder / "second")
    codes.append(pod("third", RemoteStore))
    outcome = (folder / "third" / "outcome").read_text()
    left = {name: left_by(Store(folder / name).out(STEP, KEY)) for name in ("whole", "third")}
    print(json.dumps({"codes": codes, "outcome": outcome, "whole": left["whole"], "left": left["third"]}))


if __name__ == "__main__":
    main(Path(sys.argv[1]), sys.argv[2])
