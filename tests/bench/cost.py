"""`python -m tests.bench.cost STEP OUT …`: run one data step in a process of its own and print what it cost, as JSON."""

import json
import resource
import subprocess
import sys
import time
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from components.params import load_params
from components.project import project_file
from components.reporter import Reporter

STEPS = ("ingest", "validate", "preprocess")


@dataclass(frozen=True)
class Cost:
    """CPU seconds of all threads, peak resident memory in MiB, wall-clock seconds."""

    cpu: float
    peak: float
    wall: float


def run_steps(source: Path, folder: Path, earlier: Sequence[Path] = ()) -> dict[str, Cost]:
    """Ingest, validate and preprocess a folder of ISIC files, a process a step, as a run does.

    Args:
        source: the folder.
        folder: where the outputs go, one a step.
        earlier: such folders of before, newest first.
    """
    costs = {}
    for step in STEPS:
        (folder / step).mkdir(parents=True)
        command = [sys.executable, "-m", "tests.bench.cost", step, str(source), str(folder), *map(str, earlier)]
        done = subprocess.run(command, check=True, capture_output=True, text=True)
        costs[step] = Cost(**json.loads(done.stdout.splitlines()[-1]))
    return costs


def main(step: str, source: str, folder: str, *earlier: str) -> None:
    """Run one step and print its cost."""
    params = load_params(project_file("params.yaml"), data=[source]).params
    out = Path(folder) / step
    reporter = Reporter(out, step)
    taken = [Path(place) / step for place in earlier]
    start = time.monotonic()
    match step:
        case "ingest":
            from components.ingest import ingest

            ingest(out, params.ingest, reporter, earlier=taken)
        case "validate":
            from components.validate import validate

            ledger = Path(folder).parent / "groups.csv"
            validate(Path(folder) / "ingest", out, params.validate_, reporter, ledger, earlier=taken)
        case "preprocess":
            from components.preprocess import preprocess

            preprocess(Path(folder) / "validate", out, params.preprocess, reporter, earlier=taken)
    used = resource.getrusage(resource.RUSAGE_SELF)
    cost = Cost(used.ru_utime + used.ru_stime, used.ru_maxrss / 1024, time.monotonic() - start)
    print(json.dumps(vars(cost)))


if __name__ == "__main__":
    main(*sys.argv[1:])
