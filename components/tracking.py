"""MLflow as a ledger: what a run did is written there, and no step but `register` waits for it.

    pipeline run    one MLflow run, tagged `dermacare.run_id`, role `pipeline`; its owner renews `dermacare.heartbeat`
    model run       one child a model, tagged with the same run id, role `model` and `dermacare.model`
    study run       one MLflow run, tagged with the key of the study's work as `dermacare.step_key`, role `leak study`

Every write can be repeated: runs are found by their tags before one is made, a point of a curve is known by its name and epoch.
So the live lines of a run (`Tracker`) and the whole that `register` publishes later (`Ledger`) may overlap; nothing is doubled.
"""

import itertools
import json
import logging
import os
import re
import socket
import threading
import time
from collections import deque
from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal
from urllib.parse import quote, urlsplit

import psutil

from components.errors import TrackingDenied, TrackingError
from components.tracking_database import make_database

if TYPE_CHECKING:
    from mlflow import MlflowClient
    from mlflow.entities import Run

RunStatus = Literal["FINISHED", "FAILED", "KILLED"]

RUN_ID = "dermacare.run_id"
ROLE = "dermacare.role"
MODEL = "dermacare.model"
STEP_KEY = "dermacare.step_key"
TEST_SET = "dermacare.test_set"
HOST = "dermacare.host"
PID = "dermacare.pid"
PROCESS = "dermacare.process"
HEARTBEAT = "dermacare.heartbeat"
PARENT = "mlflow.parentRunId"
NAME = "mlflow.runName"
NOTE = "mlflow.note.content"

LEASE_SECONDS = 600.0
"""A run whose owner has not renewed its heartbeat for so long may be called dead from another host."""

ENVIRONMENT: Mapping[str, str] = {
    "MLFLOW_DISABLE_TELEMETRY": "true",
    "MLFLOW_SERVER_ENABLE_JOB_EXECUTION": "false",
    "MLFLOW_ALLOW_PICKLE_DESERIALIZATION": "false",
    "MLFLOW_LOGGING_LEVEL": "WARNING",
    "MLFLOW_SUPPRESS_PRINTING_URL_TO_STDOUT": "true",
    "MLFLOW_ENABLE_ARTIFACTS_PROGRESS_BAR": "false",
    # MLflow would send a request again that a dying server has carried out, and so make a second run. Everything here is tried
    # again by who knows what stands there already.
    "MLFLOW_HTTP_REQUEST_MAX_RETRIES": "0",
    "MLFLOW_HTTP_REQUEST_TIMEOUT": "30",
    # Files go through the server: its clients need not reach S3.
    "MLFLOW_ENABLE_PROXY_MULTIPART_DOWNLOAD": "false",
    "MLFLOW_ENABLE_PROXY_MULTIPART_UPLOAD": "false",
}
"""How MLflow is set, here and in a server that we start; what the user has set himself stays."""

# Says to MLflow's pages that this is training, not the tracing of language models.
_EXPERIMENT_TAGS = {"mlflow.experimentKind": "custom_model_development"}
_WRITE_SECONDS = 1.0
_BEAT_SECONDS = 60.0
_SAMPLE_SECONDS = 10.0
_RETRY_SECONDS = 15.0
_CHECK_SECONDS = 5.0
_BATCH = 500
# As long as MLflow lets the digest of a dataset be.
_DIGEST_LENGTH = 36

_log = logging.getLogger(__name__)


@dataclass(frozen=True)
class Point:
    """One value of a curve: `time` in seconds since 1970, `step` the epoch (or the number of the sample)."""

    key: str
    value: float
    time: float
    step: int


@dataclass(frozen=True)
class RunDetails:
    """What a pipeline run is recorded with when it is first written down.

    Attributes:
        run_id: our id: `20261124-153012-a1b2`.
        name: what the list of runs shows.
        description: Markdown, for the reviewer.
        params: flat: `train_unet.epochs` → `30`.
        tags: more tags.
    """

    run_id: str
    name: str
    description: str
    params: Mapping[str, str]
    tags: Mapping[str, str]


@dataclass(frozen=True)
class UsedData:
    """Data as MLflow shows it: its name, its data version, and what else is worth a look."""

    name: str
    version: str
    profile: Mapping[str, Any]


class Ledger:
    """MLflow's runs of one experiment, each write repeatable. Its methods raise MLflow's own errors; see `answering`.

    Args:
        uri: MLflow's address: `sqlite:///<home>/mlflow.db` (its files then lie in `<home>/mlartifacts`) or a server's.
        experiment: name of the experiment; made if absent.
    """

    def __init__(self, uri: str, experiment: str) -> None:
        self.uri = uri
        self.experiment = experiment
        self._steps: dict[tuple[str, str], set[int]] = {}

    @property
    def address(self) -> str:
        """The address as it may be printed: without user and password."""
        return without_credentials(self.uri)

    def check(self) -> None:
        """Ask a server whether it answers, and whether it lets this user write; a database on this machine is not asked.

        Raises:
            TrackingError: it does not answer within seconds, or cannot be written to.
            TrackingDenied: it does not know the user, or does not let him write.
        """
        if not self.uri.startswith(("http:", "https:")):
            return
        client = self.client
        from mlflow.utils.credentials import get_default_host_creds
        from mlflow.utils.rest_utils import http_request

        host = get_default_host_creds(self.uri)  # type: ignore[no-untyped-call]
        try:
            http_request(host, "/health", "GET", max_retries=0, timeout=_CHECK_SECONDS)  # type: ignore[no-untyped-call]
        except _failures() as error:
            raise TrackingError(f"{self.address}: no MLflow answers there; start it, or correct MLFLOW_TRACKING_URI") from error
        with self.answering("writing to it"):
            for key, value in _EXPERIMENT_TAGS.items():
                client.set_experiment_tag(self.experiment_id, key, value)

    @cached_property
    def client(self) -> "MlflowClient":
        """MLflow's client; making it imports MLflow (3 s) and, once, makes the database (5 s)."""
        for name, value in ENVIRONMENT.items():
            os.environ.setdefault(name, value)
        from mlflow import MlflowClient

        # Each retry of a server that is away would be a line on the user's terminal, besides the one that we tell.
        logging.getLogger("urllib3.connectionpool").setLevel(logging.ERROR)
        if self.uri.startswith("sqlite:"):
            path = _database(self.uri)
            make_database(path, path.parent / "mlartifacts")
        return MlflowClient(self.uri)

    @cached_property
    def experiment_id(self) -> str:
        """MLflow's id of the experiment.

        Raises:
            TrackingError: the experiment was deleted.
        """
        from mlflow.exceptions import MlflowException

        found = self.client.get_experiment_by_name(self.experiment)
        if found is None:
            try:
                place = self._artifact_location()
                return str(self.client.create_experiment(self.experiment, artifact_location=place, tags=_EXPERIMENT_TAGS))
            except MlflowException as error:
                if error.error_code != "RESOURCE_ALREADY_EXISTS":
                    raise
                found = self.client.get_experiment_by_name(self.experiment)
        if found is None or found.lifecycle_stage == "deleted":
            raise TrackingError(
                f"{self.address}: experiment {self.experiment} was deleted; restore it in MLflow or set register.experiment anew"
            )
        return str(found.experiment_id)

    def _artifact_location(self) -> str | None:
        if not self.uri.startswith("sqlite:"):
            return None
        return (_database(self.uri).parent / "mlartifacts" / quote(self.experiment, safe="")).as_uri()

    def pipeline_run(self, run_id: str) -> "Run | None":
        """The MLflow run of a pipeline run of ours, or None."""
        return self._first(f"tags.`{RUN_ID}` = '{run_id}' and tags.`{ROLE}` = 'pipeline'")

    def model_run(self, run_id: str, model: str) -> "Run | None":
        """The MLflow run of a model of a pipeline run, or None."""
        return self._first(f"tags.`{RUN_ID}` = '{run_id}' and tags.`{MODEL}` = '{model}'")

    def children(self, parent: str) -> "list[Run]":
        """The model runs below an MLflow run."""
        return self.search(f"tags.`{PARENT}` = '{parent}'")

    def search(self, query: str) -> "list[Run]":
        """Runs of the experiment, oldest first."""
        return self._search([self.experiment_id], query)

    def search_everywhere(self, query: str = "") -> "list[Run]":
        """Runs of all experiments, oldest first; without a query all of them."""
        return self._search([str(one.experiment_id) for one in self.client.search_experiments()], query)

    def _search(self, experiments: list[str], query: str) -> "list[Run]":
        found: list[Run] = []
        token: str | None = None
        while True:
            page = self.client.search_runs(
                experiments, query, order_by=["attributes.start_time ASC", "attributes.run_id ASC"], page_token=token
            )
            found += page
            token = page.token
            if not token:
                return found

    def _first(self, query: str) -> "Run | None":
        return next(iter(self.search(query)), None)

    def ensure_pipeline_run(self, details: RunDetails) -> str:
        """Find or make the MLflow run of a pipeline run; a made one is owned by this process. Returns MLflow's id."""
        query = f"tags.`{RUN_ID}` = '{details.run_id}' and tags.`{ROLE}` = 'pipeline'"
        tags = {**details.tags, RUN_ID: details.run_id, ROLE: "pipeline", NOTE: details.description, **_owner()}
        run = self._find_or_make(query, details.name, tags, None)
        self.log_params(run, details.params)
        return run

    def join_pipeline_run(self, details: RunDetails) -> tuple[str, bool]:
        """Find or make the MLflow run of a pipeline run; also says whether no living process but this one owns it.

        Who joins a run without an owner must end it.
        """
        run = self.ensure_pipeline_run(details)
        tags = self.client.get_run(run).data.tags
        alone = HEARTBEAT not in tags or tags.get(PROCESS) == _owner()[PROCESS] or _is_dead(tags, time.time())
        if alone:
            self.set_tags(run, _owner())
        return run, alone

    def ensure_model_run(self, parent: str, run_id: str, model: str, started: float | None = None) -> str:
        """Find or make the child run of a model; `started`: when its training began, seconds since 1970. Returns MLflow's id."""
        query = f"tags.`{RUN_ID}` = '{run_id}' and tags.`{MODEL}` = '{model}'"
        tags = {RUN_ID: run_id, ROLE: "model", MODEL: model, PARENT: parent}
        return self._find_or_make(query, model, tags, started)

    def ensure_study_run(self, study: str, key: str, name: str) -> str:
        """Find or make the MLflow run of a study (its role: `leak study`), known by the key of its work. Returns MLflow's id."""
        query = f"tags.`{STEP_KEY}` = '{key}' and tags.`{ROLE}` = '{study}'"
        return self._find_or_make(query, name, {STEP_KEY: key, ROLE: study}, None)

    def _find_or_make(self, query: str, name: str, tags: dict[str, str], started: float | None) -> str:
        found = self._first(query)
        if found is not None:
            return str(found.info.run_id)
        at = None if started is None else round(started * 1000)
        origin = {"mlflow.user": psutil.Process().username(), "mlflow.source.name": "dermacare", "mlflow.source.type": "LOCAL"}
        made = self.client.create_run(self.experiment_id, start_time=at, tags=tags | origin, run_name=name).info.run_id
        # The runner, live, and `register` may both have missed it; both now see the same first run.
        first = self._first(query)
        if first is None or first.info.run_id == made:
            return str(made)
        self.end(made, "KILLED")  # else it would be RUNNING among the deleted ones for ever
        self.client.delete_run(made)
        return str(first.info.run_id)

    def log_params(self, run: str, params: Mapping[str, str]) -> None:
        """Write the parameters that the run does not have yet (MLflow lets none change)."""
        from mlflow.entities import Param

        known = self.client.get_run(run).data.params
        new = [Param(key, value) for key, value in params.items() if key not in known]
        for start in range(0, len(new), 100):
            self.client.log_batch(run, params=new[start : start + 100])

    def log_points(self, run: str, points: Iterable[Point]) -> None:
        """Write the points that the run does not have yet; of two for one key and step, the later."""
        from mlflow.entities import Metric

        new = {(p.key, p.step): p for p in points if p.step not in self._known_steps(run, p.key)}
        metrics = [Metric(p.key, p.value, round(p.time * 1000), p.step) for p in new.values()]
        for start in range(0, len(metrics), _BATCH):
            self.client.log_batch(run, metrics=metrics[start : start + _BATCH])
        for key, step in new:
            self._known_steps(run, key).add(step)

    def _known_steps(self, run: str, key: str) -> set[int]:
        if (run, key) not in self._steps:
            self._steps[run, key] = {metric.step for metric in self.client.get_metric_history(run, key)}
        return self._steps[run, key]

    def log_figures(self, run: str, figures: Mapping[str, float], model_id: str | None = None) -> None:
        """Write final figures, those that the run has already left out; `model_id`: MLflow's model that they are about."""
        from mlflow.entities import Metric

        known = self.client.get_run(run).data.metrics
        now = round(time.time() * 1000)
        new = [Metric(key, value, now, 0, model_id=model_id) for key, value in figures.items() if known.get(key) != value]
        for start in range(0, len(new), _BATCH):
            self.client.log_batch(run, metrics=new[start : start + _BATCH])

    def log_folder(self, run: str, folder: Path, place: str) -> None:
        """Copy the files of a folder, if there is one, below `place` of a run's artifacts."""
        if folder.is_dir():
            self.client.log_artifacts(run, str(folder), place)

    def log_dataset(self, run: str, data: UsedData) -> None:
        """Name the data that a run used; MLflow keeps one entry of it, however often it is named."""
        from mlflow.entities import Dataset, DatasetInput, InputTag

        entry = Dataset(
            name=data.name,
            digest=data.version[:_DIGEST_LENGTH],
            source_type="dermacare",
            source=json.dumps({"data_version": data.version}),
            profile=json.dumps({"data_version": data.version, **data.profile}),
        )
        self.client.log_inputs(run, [DatasetInput(entry, [InputTag("mlflow.data.context", "training")])])

    def set_tags(self, run: str, tags: Mapping[str, str]) -> None:
        """Set tags of a run, whatever they were."""
        from mlflow.entities import RunTag

        self.client.log_batch(run, tags=[RunTag(key, value) for key, value in tags.items()])

    def end(self, run: str, status: RunStatus, at: float | None = None) -> None:
        """End an MLflow run; `at`: when, seconds since 1970."""
        self.client.set_terminated(run, status, None if at is None else round(at * 1000))

    def end_with_children(self, run: str, status: RunStatus) -> None:
        """End a pipeline run and its model runs that still go on; the parent last, so that a kill leaves it to be ended."""
        for child in self.children(run):
            if child.info.status == "RUNNING":
                self.end(child.info.run_id, status)
        self.end(run, status)

    def mark_dead_runs_killed(self) -> list[str]:
        """End, as KILLED, pipeline runs that say they go on and whose owner is dead.

        Dead is a process that is known to be gone on this host, elsewhere an owner whose lease has run out. A run that lives, and
        one that no owner of ours wrote down, is left alone.

        Returns:
            Our ids of the runs that were ended.
        """
        ended = []
        for run in self.search(f"attributes.status = 'RUNNING' and tags.`{ROLE}` = 'pipeline'"):
            if _is_dead(run.data.tags, time.time()):
                self.end_with_children(run.info.run_id, "KILLED")
                ended.append(str(run.data.tags[RUN_ID]))
        return ended

    @contextmanager
    def answering(self, purpose: str) -> Iterator[None]:
        """Turn MLflow's errors into ours.

        Raises:
            TrackingError: MLflow cannot be reached or refuses.
            TrackingDenied: it does not know the user, or does not let him.
        """
        try:
            yield
        except _failures() as error:
            denied = is_denied(error)
            kind = TrackingDenied if denied else TrackingError
            raise kind(f"{self.address}: {purpose} failed ({_first_line(error)}); {self._way_out(denied)}") from error

    def _way_out(self, denied: bool) -> str:
        if denied:
            return "see MLFLOW_TRACKING_USERNAME and MLFLOW_TRACKING_PASSWORD, or have the server's admin give you the right"
        if self.uri.startswith("sqlite:"):
            return "see that the folder can be written and is not full, then run the same command again"
        return "see that the server answers, then run the same command again: what is done is not repeated"


class Tracker:
    """A pipeline run's live line to MLflow, for the process that owns the run.

    Its methods return at once: one thread of its own writes, measures the machine and renews the heartbeat. When MLflow is away,
    what is to be written waits, one line says so, and it is tried again; the run never stops or fails for it.

    Args:
        ledger: where to write.
        tell: gets a line for the user when MLflow goes away or comes back.
    """

    def __init__(self, ledger: Ledger, tell: Callable[[str], None] = _log.warning) -> None:
        self._ledger = ledger
        self._tell = tell
        self._details: RunDetails | None = None
        self._run: str | None = None
        self._children: dict[str, str] = {}
        self._points: deque[tuple[str, Point]] = deque()
        self._model_ends: deque[tuple[str, RunStatus, float]] = deque()
        self._status: RunStatus | None = None
        self._ended = threading.Event()
        self._written = False
        self._away = False
        self._beaten = 0.0
        self._writer = threading.Thread(target=self._write, name="mlflow-writer", daemon=True)

    def start_run(
        self,
        run_id: str,
        *,
        profile: str,
        params: Mapping[str, str],
        name: str,
        description: str,
        tags: Mapping[str, str],
    ) -> None:
        """Have it written down that a run goes on and that this process owns it; runs whose owner died are marked KILLED first.

        Args:
            run_id: our id; one that MLflow knows already is taken up again.
            profile: name of the profile, or empty.
            params: flat: `train_unet.epochs` → `30`.
            name: what the list of runs shows.
            description: Markdown, for the reviewer.
            tags: more tags.
        """
        self._details = RunDetails(run_id, name, description, params, {**tags, "dermacare.profile": profile})
        self._writer.start()

    def handle(self, event: Mapping[str, Any]) -> None:
        """Take one line of the run's event file: points and ends of a model's training are written, the rest is passed over."""
        _, _, model = str(event["step"]).partition("/")
        if not model:
            return
        if event["kind"] == "metrics" and event["epoch"] is not None:
            for key, value in event["values"].items():
                self._points.append((model, Point(key, value, event["time"], event["epoch"])))
        elif event["kind"] == "state" and event["state"] in ("finished", "failed"):
            self._model_ends.append((model, "FINISHED" if event["state"] == "finished" else "FAILED", event["time"]))

    def end_run(self, status: RunStatus, patience: float = 20.0) -> None:
        """Have it written down how the run ended, model runs that still go on included.

        Args:
            status: how.
            patience: seconds to wait for MLflow; after that the next run marks this one KILLED.
        """
        self._status = status
        self._ended.set()
        self._writer.join(patience)
        if not self._written:
            self._tell(f"MLflow at {self._ledger.address} cannot be written to: that the run ended {status} does not stand there")

    def _write(self) -> None:
        """What the writer does: write what waits, every second, until the run has ended."""
        samples, sampled, retry_at = 0, 0.0, 0.0
        psutil.cpu_percent()
        while not self._ended.wait(_WRITE_SECONDS):
            now = time.monotonic()
            if samples and now - sampled >= _SAMPLE_SECONDS:
                self._points += [("", Point(key, value, time.time(), samples)) for key, value in _machine().items()]
            if not samples or now - sampled >= _SAMPLE_SECONDS:
                samples, sampled = samples + 1, now
            if now >= retry_at and not self._attempt(self._send):
                retry_at = time.monotonic() + _RETRY_SECONDS
        self._written = self._attempt(self._send_end)

    def _attempt(self, send: Callable[[], object]) -> bool:
        """Whether MLflow took what was sent; tells when it goes away and when it is back."""
        failures: tuple[type[Exception], ...] = (*_failures(), TrackingError)
        try:
            send()
        except failures as error:
            if not self._away:
                reason = _first_line(error)
                self._tell(f"MLflow at {self._ledger.address} cannot be written to ({reason}); the run goes on without it")
            self._away = True
            return False
        if self._away:
            self._tell(f"MLflow at {self._ledger.address} can be written to again")
        self._away = False
        return True

    def _send_end(self) -> None:
        run = self._send()
        assert self._status is not None
        self._ledger.end_with_children(run, self._status)

    def _send(self) -> str:
        """Write everything that waits; returns MLflow's id of the run."""
        assert self._details is not None
        if self._run is None:
            self._ledger.mark_dead_runs_killed()
            run = self._ledger.ensure_pipeline_run(self._details)
            self._ledger.client.update_run(run, status="RUNNING")
            self._run = run
        if time.time() - self._beaten >= _BEAT_SECONDS:
            self._ledger.set_tags(self._run, _owner())
            self._beaten = time.time()
        self._send_points(self._run, self._details.run_id)
        while self._model_ends:
            model, status, at = self._model_ends[0]
            if model in self._children:
                self._ledger.end(self._children[model], status, at)
            self._model_ends.popleft()
        return self._run

    def _send_points(self, run: str, run_id: str) -> None:
        count = len(self._points)
        curves: dict[str, list[Point]] = {}
        for model, point in itertools.islice(self._points, count):
            curves.setdefault(model, []).append(point)
        for model, curve in curves.items():
            if model and model not in self._children:
                self._children[model] = self._ledger.ensure_model_run(run, run_id, model, curve[0].time)
            self._ledger.log_points(self._children[model] if model else run, curve)
        for _ in range(count):
            self._points.popleft()


def _machine() -> dict[str, float]:
    """How busy this machine is, under the names that MLflow's page of system metrics looks for."""
    memory = psutil.virtual_memory()
    return {
        "system/cpu_utilization_percentage": psutil.cpu_percent(),
        "system/system_memory_usage_megabytes": (memory.total - memory.available) / 1e6,
        "system/system_memory_usage_percentage": memory.percent,
    }


def _owner() -> dict[str, str]:
    """Tags that name this process, and say that it lives now."""
    own = psutil.Process()
    return {
        HOST: socket.gethostname(),
        PID: str(own.pid),
        PROCESS: f"{_pid_space()} {own.create_time():.2f}",
        HEARTBEAT: f"{time.time():.0f}",
    }


def _pid_space() -> str:
    """What tells two machines or containers of one name apart: a process id means something within one of them alone."""
    try:
        boot = Path("/proc/sys/kernel/random/boot_id").read_text(encoding="ascii").strip()
        return f"{boot[:8]}-{Path('/proc/self/ns/pid').stat().st_ino}"
    except OSError:
        return "one"


def _is_dead(tags: Mapping[str, str], now: float) -> bool:
    if HEARTBEAT not in tags:
        return False
    space, _, started = tags.get(PROCESS, "").partition(" ")
    if tags.get(HOST) == socket.gethostname() and space == _pid_space():
        return not process_lives(int(tags[PID]), float(started))
    return now - float(tags[HEARTBEAT]) > LEASE_SECONDS


def process_lives(pid: int, started: float) -> bool:
    """Whether the process of this id that started then (seconds since 1970) still lives on this host."""
    # A process id is used again; the time at which the process started tells whether it is the same one.
    try:
        process = psutil.Process(pid)
        return abs(process.create_time() - started) < 1 and process.status() != psutil.STATUS_ZOMBIE
    except psutil.NoSuchProcess:
        return False


def _failures() -> tuple[type[Exception], ...]:
    """The exceptions by which MLflow says that it is away or refuses; looked up late, since they cost its import."""
    from mlflow.exceptions import MlflowException
    from sqlalchemy.exc import SQLAlchemyError

    return (MlflowException, SQLAlchemyError, OSError)


def is_denied(error: Exception) -> bool:
    """Whether MLflow says by this error that it does not know the user, or does not let him."""
    if getattr(error, "error_code", "") in ("PERMISSION_DENIED", "UNAUTHENTICATED", "CUSTOMER_UNAUTHORIZED"):
        return True
    response = getattr(error, "response", None)  # of files, which MLflow asks for by requests alone
    return getattr(response, "status_code", None) in (401, 403)


def is_absent(error: Exception) -> bool:
    """Whether MLflow says by this error that it has no such thing, or no more."""
    return getattr(error, "error_code", "") == "RESOURCE_DOES_NOT_EXIST"


def _first_line(error: Exception) -> str:
    line = (str(error).strip() or type(error).__name__).splitlines()[0]
    cause = line.partition("(Caused by ")[2]  # what MLflow's and requests' many words come down to
    return without_credentials(cause.removesuffix(")") or line)[:200]


def without_credentials(text: str) -> str:
    """A text in which addresses (`https://user:password@host`) keep neither user nor password, so that it may be printed."""
    return re.sub(r"://[^/@\s]*@", "://", text)


def _database(uri: str) -> Path:
    return Path(urlsplit(uri).path.removeprefix("/")).resolve()
