"""A run of `dermacare run` in a home of its own, and what its steps left."""

import json
import os
import shlex
import subprocess
import sys
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from components.store import Store
from pipelines import runs
from pipelines.home import VARIABLE, Home
from pipelines.runs import EventTail, RunRecord, RunState


@dataclass(frozen=True)
class Finished:
    """A run that is done."""

    home: Home
    record: RunRecord

    def output(self, step: str) -> Path:
        """The output folder of a step: `validate`, `train_unet/unet_plain`."""
        planned = self.record.steps[step]
        return Store(self.home.root).out(step, planned.key)

    def minutes(self, step: str) -> float:
        """Minutes that a step took, in all attempts together."""
        seconds = 0.0
        for one in runs.all_runs(self.home):
            if self.record.steps[step] in one.steps.steps:
                times = [event["time"] for event in EventTail(self.home, one.id).new() if event["step"] == step]
                seconds += max(times) - min(times) if times else 0.0
        return seconds / 60


def real_data() -> Path:
    """The folder of real images."""
    place = os.environ.get("DERMACARE_REAL_DATA")
    if not place:
        sys.exit("set DERMACARE_REAL_DATA to the folder that holds isic/ and ham10000/")
    return Path(place)


def folder(name: str) -> Path:
    """$DERMACARE_HOME/results/<name>."""
    return Home.here().root / "results" / name


def assigned(values: Mapping[str, Any]) -> list[str]:
    """Parameters as `--set` takes them."""
    return [part for key, value in values.items() for part in ("--set", f"{key}={json.dumps(value)}")]


def run(name: str, *arguments: str) -> Finished:
    """Carry out `dermacare run` in $DERMACARE_HOME/results/<name>; started again it goes on from where it was."""
    home = Home(folder(name))
    command = [str(Path(sys.executable).with_name("dermacare")), "run", *arguments]
    told = shlex.join(["dermacare", *command[1:]])
    print(told, flush=True)
    subprocess.run(command, check=True, env=os.environ | {VARIABLE: str(home.root)})
    return Finished(home, newest(home, told))


def newest(home: Home, command: str) -> RunRecord:
    """The newest run of a command that is done: where nothing had changed, it is not the home's newest."""
    done = [one for one in runs.all_runs(home) if one.command == command and one.state is RunState.DONE]
    if not done:
        sys.exit(f"{home.root}: another command did this work already; set DERMACARE_HOME to an empty folder")
    return done[-1]
