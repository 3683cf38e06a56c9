"""One step, over the step store: what a Kubeflow component and `dermacare step` both call."""

import json
import os
import sys
import traceback
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from components.errors import DermaCareError, SourceError, StepFailed, StoreError
from components.lesions import Task
from components.params import IngestParams, Params, Section, for_model
from components.provenance.machine import note_machine
from components.remote_store import GROUPS, WITHDRAWN, RemoteStore
from components.reporter import LogReporter, Reporter, append_event
from components.store import Finished, Origin, Store, code_digest, link_tree, made_by, step_key
from components.withdrawn import Withdrawn, read_withdrawn, withdrawn_for
from pipelines.home import Home
from pipelines.parents import take_parent, take_segmenter
from pipelines.plan import source_fingerprint, withdrawn_of
from pipelines.runs import EventTail
from pipelines.runs import load as load_run

Inputs = Mapping[str, Path | Sequence[Path]]

CLUSTER_RUN = "DERMACARE_CLUSTER_RUN"
"""Names the variable in which a pod finds Kubeflow's id of its run."""


@dataclass(frozen=True)
class StepCall:
    """Everything that one execution of a step is told.

    Attributes:
        name: the step's name, with the model's for training.
        params: its section (for training: that of the one model).
        inputs: argument of the step's function → folder, or folders.
        code: digest of the code that the caller expects to run; empty: whatever is installed.
        salt: see `components.store.step_key`.
        parts: outputs of `preprocess_shards`; they spare work and decide nothing.
    """

    name: str
    params: Section
    inputs: Inputs
    code: str = ""
    salt: str = ""
    parts: Sequence[Path] = ()

    @property
    def step(self) -> str:
        """The step's name, without the model's."""
        return self.name.partition("/")[0]


def section_of(step: str, text: str, model: str | None) -> Section:
    """The typed section of a step from its JSON text; for training, that of one model."""
    names = {"validate": "validate_", "register": "register_", "preprocess_shards": "preprocess"}
    kind = Params.model_fields[names.get(step, step)].annotation
    assert isinstance(kind, type)
    assert issubclass(kind, Section)
    section = kind.model_validate_json(text)
    return for_model(section, model) if model else section  # type: ignore[type-var]


def run_step(call: StepCall, home: Home, run: str = "") -> Finished:
    """Do a step's work, or find it done.

    Args:
        call: what to do.
        home: where state lies.
        run: id of the run that asks; its event file and its log get what the step says.

    Raises:
        DermaCareError: the step's own errors; they are written to the run's events too.
    """
    events = home.events(run) if run else None
    with logged_to(home.log(run, call.name) if run else None):
        _tell(events, call.name, "started")
        try:
            remote = RemoteStore.here()
            finished = Store(home.root, remote).execute(
                call.name,
                _key(call),
                lambda work: _function(call, home, run, remote)(work, _reporter(work, call.name, events)),
                code=code_digest(call.step),
                made_from=_made_from(call.inputs),
                run=run or os.environ.get(CLUSTER_RUN, ""),
            )
        except Exception as error:
            known = isinstance(error, DermaCareError)
            if run and known and not os.environ.get("DERMACARE_DEBUG"):
                print(f"error: {error}", file=sys.stderr)
            elif run:  # for the log; without a run it is the caller who tells the user
                traceback.print_exc()
            _tell(events, call.name, "failed", error=str(error) if known else f"{type(error).__name__}: {error}", known=known)
            raise
        _tell(events, call.name, "finished", outcome=finished.outcome, seconds=round(finished.seconds, 2))
    return finished


def _reporter(work: Path, step: str, events: Path | None) -> Reporter:
    return LogReporter(work, step) if events is None else Reporter(work, step, events)


def _key(call: StepCall) -> str:
    """Key of the call's work; refuses code that is not the planned one."""
    installed = code_digest(call.step)
    if call.code and call.code != installed:
        if os.environ.get(CLUSTER_RUN):
            raise StoreError(
                f"{call.step}: this pod's image was built from other code than the clone had that started the run; `make images` "
                "in that clone, push them, and start the run again (a schedule: make it again)"
            )
        raise StoreError("its code changed since the run was planned; start the run again, it goes on from there")
    return step_key(call.step, call.params.identity(), _input_keys(call.inputs), code=installed, salt=call.salt)


def run_component(
    step: str,
    params: str,
    code: str,
    inputs: Mapping[str, Any],
    out: Any,
    *,
    model: str = "",
    salt: str = "",
    parts: Any = None,
) -> None:
    """The body of every Kubeflow component: artifacts to folders, `run_step`, folder to artifact.

    Args:
        step: the step's name.
        params: its section, as JSON.
        code: digest of the step's code when the pipeline was drawn.
        inputs: argument of the step's function → artifact, or several lists of artifacts, None for a list that there is not.
        out: the output artifact.
        model: for training, the architecture.
        salt: see `components.store.step_key`; empty for ingest: what its sources hold now.
        parts: outputs of `preprocess_shards`, or None.
    """
    folders = {name: _folders(value) for name, value in inputs.items()}
    name = f"{step}/{model}" if model else step
    section = section_of(step, params, model or None)
    if isinstance(section, IngestParams) and not salt:
        salt = _fingerprint_now(section)
    call = StepCall(name, section, folders, code, salt, [Path(part.path) for part in parts or []])
    run = os.environ.get("DERMACARE_RUN", "")
    _refuse_after_the_end(Home.here(), run)
    finished = run_step(call, Home.here(), run)
    if run:
        # On one machine the store's folder is the artifact: nothing is copied.
        out.uri = str(finished.out)
    else:
        link_tree(finished.out, Path(out.path))


def _fingerprint_now(params: IngestParams) -> str:
    home = Home.here()
    return source_fingerprint(params, home.root, withdrawn=_withdrawn(home, RemoteStore.here()))


def _withdrawn(home: Home, remote: RemoteStore | None) -> Withdrawn:
    """The list of what was taken back: the remote store's, else the one that holds here."""
    file = home.shared / WITHDRAWN
    if remote is None or remote.take_file(WITHDRAWN, file) is None:
        return withdrawn_for(home.root)
    return read_withdrawn(file)


def _folders(value: Any) -> Path | list[Path]:
    if isinstance(value, list):
        return [Path(artifact.path) for artifacts in value for artifact in artifacts or []]
    return Path(value.path)


def _input_keys(inputs: Inputs) -> dict[str, str]:
    """The step that made each input → its key, as the plan has them."""
    return {origin.step: origin.key for origin in _origins(inputs)}


def _made_from(inputs: Inputs) -> dict[str, str]:
    """Every step of which something is in the inputs → its key."""
    return {step: key for origin in _origins(inputs) for step, key in origin.steps.items()}


def _origins(inputs: Inputs) -> list[Origin]:
    folders = [folder for value in inputs.values() for folder in ([value] if isinstance(value, Path) else value)]
    return [made_by(folder) for folder in folders]


def _function(call: StepCall, home: Home, run: str, remote: RemoteStore | None) -> Callable[[Path, Reporter], None]:
    """The step's function, given its inputs; the step's packages are imported here, when it runs."""
    inputs: dict[str, Any] = dict(call.inputs)
    params: Any = call.params
    earlier = _earlier(call, home, run)

    def work(out: Path, reporter: Reporter) -> None:
        match call.step:
            case "ingest":
                from components.ingest import ingest

                digests = home.root / "fingerprints.json"
                withdrawn = _withdrawn(home, remote)
                _refuse_another_list(call.salt, withdrawn)
                ingest(out, params, reporter, earlier=earlier, withdrawn=withdrawn, digests=digests)
                _refuse_changed_sources(call.salt, params, digests)
            case "validate":
                from components.validate import validate

                known_groups = home.root / GROUPS if remote is None else home.shared / GROUPS

                def check() -> None:
                    validate(out=out, params=params, reporter=reporter, known_groups=known_groups, earlier=earlier, **inputs)

                if remote is None:
                    check()
                else:
                    remote.extend(GROUPS, known_groups, check, first=home.root / GROUPS)
            case "preprocess_shards":
                from components.preprocess_shards import preprocess_shards

                take_segmenter(home, params, out)
                preprocess_shards(out=out, params=params, reporter=reporter, part=call.salt, **inputs)
            case "preprocess":
                from components.preprocess import preprocess

                take_segmenter(home, params, out)
                preprocess(out=out, params=params, reporter=reporter, earlier=[*call.parts, *earlier], **inputs)
            case "augment_balance":
                from components.augment_balance import augment_balance

                augment_balance(out=out, params=params, reporter=reporter, **inputs)
            case "train_unet":
                from components.train_unet import train_unet

                if _has(inputs["dataset"], Task.SEGMENTATION, out, reporter):
                    note_machine(out)
                    take_parent(home, params, Task.SEGMENTATION, inputs["dataset"], out)
                    train_unet(out=out, params=params, reporter=reporter, **inputs)
            case "train_classifier":
                from components.train_classifier import train_classifier

                if _has(inputs["dataset"], Task.CLASSIFICATION, out, reporter):
                    note_machine(out)
                    take_parent(home, params, Task.CLASSIFICATION, inputs["dataset"], out)
                    train_classifier(out=out, params=params, reporter=reporter, **inputs)
            case "evaluate":
                from components.evaluate import evaluate

                evaluate(out=out, params=params, reporter=reporter, **(inputs | {"models": _trained(inputs["models"])}))
            case "register":
                from pipelines.publish import publish

                publish(home, call.salt, out, params, reporter, **(inputs | {"models": _trained(inputs["models"])}))
            case _:
                raise StoreError(f"{call.step}: is no step")

    return work


def _refuse_another_list(fingerprint: str, withdrawn: Withdrawn) -> None:
    """Nothing is taken in past a list of withdrawn images that is not the one with which the run was planned."""
    if withdrawn_of(fingerprint) != withdrawn.digest:
        raise StoreError(
            f"{WITHDRAWN}: is not the list with which the run was planned; `git pull`, or build the images anew, and start the run "
            "again: it brings the list of the store that DERMACARE_STORE names up to date"
        )


def _refuse_changed_sources(fingerprint: str, params: IngestParams, digests: Path) -> None:
    """What the sources held when the run was planned names the output: files that came meanwhile must not lie under that name."""
    from components.ingest.fingerprint import ingest_fingerprint

    if fingerprint and ingest_fingerprint(params, cache=digests) != fingerprint.partition(":")[0]:
        raise SourceError(
            f"{', '.join(params.sources)}: changed since the run was planned; start the run again, it takes in what is there then"
        )


def _earlier(call: StepCall, home: Home, run: str) -> list[Path]:
    """Outputs of which the step may take parts over: none where the user wants all of it done afresh."""
    if run and load_run(home, run).fresh:
        return []
    return Store(home.root).earlier(call.step, code_digest(call.step))


def _refuse_after_the_end(home: Home, run: str) -> None:
    """Do not start a step of a run that has failed or was stopped: Kubeflow's loops go on, and the run is lost anyway."""
    for event in EventTail(home, run).new() if run else []:
        if event["kind"] == "stopped" or (event["kind"] == "state" and event["state"] == "failed"):
            raise StepFailed(f"not started, since {event['step'] or 'the run'} {'failed' if event['step'] else 'was stopped'}")


_SKIPPED = "skipped.json"


def _has(dataset: Path, task: Task, out: Path, reporter: Reporter) -> bool:
    """Whether the data has this task; where not, the output says so and holds no model."""
    from components.dataset import Dataset

    if task in Dataset(dataset).tasks():
        return True
    reason = f"the data has no {'masks' if task is Task.SEGMENTATION else 'labels'}: no model for {task} is trained"
    reporter.message(reason)
    (out / _SKIPPED).write_text(json.dumps({"reason": reason}) + "\n", encoding="utf-8")
    return False


def _trained(models: Sequence[Path]) -> list[Path]:
    return [model for model in models if not (model / _SKIPPED).exists()]


def _tell(events: Path | None, step: str, state: str, **more: object) -> None:
    if events is not None:
        append_event(events, step, {"kind": "state", "state": state, **more})


@contextmanager
def logged_to(path: Path | None) -> Iterator[None]:
    """Send what this process and its libraries print to a file, by file descriptor, so that C++ is heard too."""
    if path is None:
        yield
        return
    path.parent.mkdir(parents=True, exist_ok=True)
    sys.stdout.flush()
    sys.stderr.flush()
    kept = os.dup(1), os.dup(2)
    with path.open("ab") as handle:
        os.dup2(handle.fileno(), 1)
        os.dup2(handle.fileno(), 2)
    try:
        yield
    finally:
        sys.stdout.flush()
        sys.stderr.flush()
        for target, source in zip((1, 2), kept, strict=True):
            os.dup2(source, target)
            os.close(source)
