"""What a step of ours costs beside its work, against an empty component in Kubeflow's local runner."""

import contextlib
import os
import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from kfp import dsl, local

from components.params import load_params
from components.store import code_digest
from pipelines import images, runs, steps
from pipelines.home import VARIABLE, Home
from pipelines.plan import source_fingerprint
from pipelines.runs import RunRecord
from tests.bench.row import Row, race

_STEPS = 2
_REPEATS = 3


@dsl.component(base_image=images.STEPS, install_kfp_package=False)
def empty(text: str, out: dsl.Output[dsl.Dataset]) -> None:
    from pathlib import Path

    Path(out.path).write_text(text)


@dsl.component(base_image=images.STEPS, install_kfp_package=False)
def empty_after(text: str, data: dsl.Input[dsl.Dataset], out: dsl.Output[dsl.Dataset]) -> None:
    from pathlib import Path

    Path(out.path).write_text(text + Path(data.path).read_text())


@dsl.pipeline(name="empty")
def empty_pipeline() -> None:
    """Two components that do nothing, the second after the first."""
    empty_after(text="b", data=empty(text="a").output)


@dsl.pipeline(name="store")
def stored_pipeline(ingest: str, validate: str, fingerprint: str) -> None:
    """Two of our steps whose outputs are there already: all that is left is the overhead."""
    raw = steps.ingest(params=ingest, code=code_digest("ingest"), fingerprint=fingerprint).output
    steps.validate(params=validate, code=code_digest("validate"), raw=raw)


def measure() -> Iterator[Row]:
    """Seconds a step, both in Kubeflow's subprocess runner without its cache and without a virtual environment a step."""
    with tempfile.TemporaryDirectory() as folder, (Path(folder) / "log").open("w") as log, contextlib.redirect_stdout(log):
        home = Home(Path(folder))
        small = ["ingest.phantom.lesions_per_class=12", "ingest.phantom.size=[72,96]"]
        params = load_params(profile="demo", assignments=small).params
        local.init(local.SubprocessRunner(use_venv=False), pipeline_root=str(home.root / "kfp"))
        run = runs.new_id()
        runs.save(home, RunRecord(run, command="bench", profile="demo", params={}, plan=[]))
        arguments: dict[str, Any] = {
            "ingest": params.ingest.model_dump_json(),
            "validate": params.section("validate").model_dump_json(),
            "fingerprint": source_fingerprint(params.ingest, home.root),
        }
        with _environment({VARIABLE: str(home.root), "DERMACARE_RUN": run, "PYTHONSAFEPATH": "1"}), contextlib.redirect_stderr(log):
            seconds = race(lambda: stored_pipeline(**arguments), lambda: empty_pipeline(), repeats=_REPEATS)
    yield Row.of_costs("pipeline step overhead", "s a step", ours=seconds[0] / _STEPS, theirs=seconds[1] / _STEPS)


@contextlib.contextmanager
def _environment(values: dict[str, str]) -> Iterator[None]:
    before = {name: os.environ.get(name) for name in values}
    os.environ.update(values)
    try:
        yield
    finally:
        for name, value in before.items():
            if value is None:
                del os.environ[name]
            else:
                os.environ[name] = value
