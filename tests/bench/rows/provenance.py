"""`dermacare trace` and `history` with a thousand entries in the ledger, imports apart, against the second that they may take."""

import contextlib
import io
import os
import statistics
import tempfile
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path

from components.promotion.entries import Outcome
from components.register.logged_model import BUNDLE
from components.tracking import Ledger
from dermacare.promotion_command import history
from dermacare.trace_command import trace
from pipelines.home import Home
from tests.bench.row import Row
from tests.components.promotion.records import decided, release, version

_ENTRIES = 1_000
_VERSIONS = 50
_REPEATS = 5
_ALLOWED = 1.0


def measure() -> Iterator[Row]:
    """Seconds of a command, in a home whose MLflow has fifty versions, each judged twenty times."""
    with tempfile.TemporaryDirectory() as folder:
        home = Home(Path(folder))
        _fill(home)
        with _environment({"DERMACARE_HOME": folder, "DERMACARE_SIGNING_KEY": f"{folder}/signing.key"}):
            for name, command in (
                ("trace", lambda: trace(f"lesion-classifier/{_VERSIONS}", as_json=False)),
                ("history", lambda: history(verify=False, as_json=False, key=False)),
            ):
                seconds = _seconds(command)
                yield Row.of_costs(f"{name} with 1,000 entries, against 1 s", "s", ours=seconds, theirs=_ALLOWED)


def _fill(home: Home) -> None:
    with _environment({"DERMACARE_SIGNING_KEY": str(home.root / "signing.key")}):
        ledger = Ledger(f"sqlite:///{home.root / 'mlflow.db'}", "dermacare")
        ledger.client.create_registered_model("lesion-classifier")
        for number in range(1, _VERSIONS + 1):
            run = ledger.client.create_run(ledger.experiment_id, tags={"dermacare.run_id": f"run-{number}"}).info.run_id
            tags = {BUNDLE: version(number).digest, "run_id": f"run-{number}", "model": "resnet101"}
            ledger.client.create_model_version("lesion-classifier", source="file:///nowhere", run_id=run, tags=tags)
        releases, before = home.releases(), None
        for number in range(_ENTRIES):
            at = number % _VERSIONS + 1
            before = releases.append(decided(at, Outcome.PROMOTE, release(at)), after=before)


def _seconds(command: Callable[[], object]) -> float:
    """Median seconds of a call; the first, which imports, does not count."""
    times = []
    for _ in range(_REPEATS + 1):
        start = time.perf_counter()
        with contextlib.redirect_stdout(io.StringIO()):
            command()
        times.append(time.perf_counter() - start)
    return statistics.median(times[1:])


@contextmanager
def _environment(values: Mapping[str, str]) -> Iterator[None]:
    """Environment variables while a block runs; MLflow and the ledger are the home's own."""
    before = dict(os.environ)
    os.environ.update(values)
    for name in ("MLFLOW_TRACKING_URI", "DERMACARE_LEDGER"):
        os.environ.pop(name, None)
    try:
        yield
    finally:
        os.environ.clear()
        os.environ.update(before)
