"""Kubeflow Pipelines as a server: uploading a pipeline, starting a run, looking at it, ending it, and runs by the clock.

$KFP_HOST says where it is (or $KF_PIPELINES_ENDPOINT, kfp's own name for it); in a pod and with a kubeconfig kfp finds it itself.
The token is the one in the file that $KF_PIPELINES_SA_TOKEN_PATH names, or that the cluster mounts into a pod; kfp reads it.
"""

import contextlib
import io
import json
import logging
import os
import warnings
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from enum import StrEnum
from http import HTTPStatus
from pathlib import Path
from typing import Any

from components.errors import MachineError, RunError
from components.tracking import without_credentials

HOST = "KFP_HOST"

_HOSTS = (HOST, "KF_PIPELINES_ENDPOINT")
_NAMES_FILE = "KF_PIPELINES_SA_TOKEN_PATH"
_POD_TOKEN = Path("/var/run/secrets/kubeflow/pipelines/token")
_POD_ACCOUNT = Path("/var/run/secrets/kubernetes.io/serviceaccount/token")
_PAGE = 100


class RunUnknown(RunError):
    """Kubeflow does not know what it was asked for: it was deleted there, or Kubeflow was set up anew."""


class TaskState(StrEnum):
    """How a task of a run, or a run, stands, in Kubeflow's words."""

    UNKNOWN = "RUNTIME_STATE_UNSPECIFIED"
    PENDING = "PENDING"
    RUNNING = "RUNNING"
    SUCCEEDED = "SUCCEEDED"
    SKIPPED = "SKIPPED"
    FAILED = "FAILED"
    CANCELING = "CANCELING"
    CANCELED = "CANCELED"
    PAUSED = "PAUSED"

    @property
    def is_over(self) -> bool:
        """Whether nothing more comes of it."""
        return self in (TaskState.SUCCEEDED, TaskState.SKIPPED, TaskState.FAILED, TaskState.CANCELED)


@dataclass(frozen=True)
class Task:
    """A task of a run, as Kubeflow tells it; a loop has one for each of its rounds.

    Attributes:
        id: Kubeflow's.
        name: the component's: `train-unet`.
        state: how it stands.
        error: why it failed, or empty.
    """

    id: str
    name: str
    state: TaskState
    error: str


@dataclass(frozen=True)
class Standing:
    """How a run stands.

    Attributes:
        state: of the run as a whole.
        error: why it failed, or empty.
        tasks: those that Kubeflow knows of so far.
    """

    state: TaskState
    error: str
    tasks: tuple[Task, ...]


@dataclass(frozen=True)
class Version:
    """An uploaded version of a pipeline, by Kubeflow's ids; `is_new`: it was not there before."""

    pipeline: str
    version: str
    is_new: bool


@dataclass(frozen=True)
class Schedule:
    """A run by the clock.

    Attributes:
        id: Kubeflow's.
        name: its name.
        cron: when: minute, hour, day, month, weekday.
        is_on: whether it runs at all.
    """

    id: str
    name: str
    cron: str
    is_on: bool


class Kubeflow:
    """A Kubeflow Pipelines server.

    Args:
        namespace: of runs, where it serves several namespaces; where it does not, it is not asked for one.

    Raises:
        MachineError: nothing says where it is.
        RunError: it does not answer.
    """

    def __init__(self, namespace: str) -> None:
        host = next((os.environ[name] for name in _HOSTS if os.environ.get(name)), None)
        if host is None and not (_POD_ACCOUNT.exists() or _kubeconfig().exists()):
            raise MachineError(
                f"--runner cluster: {HOST} is not set, and there is neither a pod's service account nor a kubeconfig; set it to "
                "the address of Kubeflow Pipelines"
            )
        self.address = without_credentials(host or "the cluster's own Kubeflow Pipelines")
        with self._answering("looking whether it is there"):
            self._client, serves_several = _client(host, namespace)
        self.namespace = namespace if serves_several else None

    def upload(self, file: Path, pipeline: str, version: str) -> Version:
        """Upload a pipeline as a version of this name, where there is none of that name yet.

        Raises:
            RunError: Kubeflow cannot be reached, or refuses it.
        """
        with self._answering(f"uploading {pipeline}, version {version}"):
            pipelines = self._client.list_pipelines(filter=_named(pipeline), namespace=self.namespace, page_size=_PAGE).pipelines
            owner = pipelines[0] if pipelines else self._make_pipeline(pipeline)
            known = self._client.list_pipeline_versions(owner.pipeline_id, filter=_named(version), page_size=_PAGE)
            if known.pipeline_versions:
                return Version(owner.pipeline_id, known.pipeline_versions[0].pipeline_version_id, False)
            with _quiet():
                sent = self._client.upload_pipeline_version(str(file), version, pipeline_id=owner.pipeline_id)
            return Version(owner.pipeline_id, sent.pipeline_version_id, True)

    def start(self, version: Version, name: str, arguments: Mapping[str, Any], *, experiment: str, service_account: str) -> str:
        """Start a run and return Kubeflow's id of it.

        Args:
            version: what runs.
            name: what Kubeflow's pages show.
            arguments: the pipeline's.
            experiment: Kubeflow's; it is made where there is none.
            service_account: of the pods.

        Raises:
            RunError: Kubeflow cannot be reached, or refuses it.
        """
        with self._answering(f"starting {name}"), _quiet():
            run = self._client.run_pipeline(
                self._experiment(experiment),
                name,
                params=dict(arguments),
                pipeline_id=version.pipeline,
                version_id=version.version,
                service_account=service_account,
            )
        return str(run.run_id)

    def standing(self, run: str) -> Standing:
        """How a run stands.

        Raises:
            RunUnknown: Kubeflow does not know it.
            RunError: Kubeflow cannot be reached.
        """
        with self._answering(f"asking for run {run}"):
            told = self._client.get_run(run)
        details = (told.run_details.task_details if told.run_details else None) or []
        tasks = [Task(str(d.task_id), str(d.display_name or ""), _state(d.state), _error(d.error)) for d in details]
        return Standing(_state(told.state), _error(told.error), tuple(tasks))

    def terminate(self, run: str) -> None:
        """End a run.

        Raises:
            RunUnknown: Kubeflow does not know it.
            RunError: Kubeflow cannot be reached, or does not let it be ended.
        """
        with self._answering(f"ending run {run}"):
            self._client.terminate_run(run)

    def schedule(
        self, version: Version, name: str, cron: str, arguments: Mapping[str, Any], *, experiment: str, service_account: str
    ) -> None:
        """Have a run start by the clock, in place of those of the same name. One that would start while another goes on waits.

        Args:
            version: what runs.
            name: of the schedule.
            cron: when: minute, hour, day, month, weekday, in the cluster's time.
            arguments: the pipeline's.
            experiment: Kubeflow's; it is made where there is none.
            service_account: of the pods.

        Raises:
            RunError: Kubeflow cannot be reached, or refuses it.
        """
        before = [one for one in self.schedules(experiment) if one.name == name]
        with self._answering(f"scheduling {name}"):
            self._client.create_recurring_run(
                self._experiment(experiment),
                name,
                cron_expression=f"0 {cron}",  # Kubeflow counts seconds, too
                max_concurrency=1,
                no_catchup=True,
                params=dict(arguments),
                pipeline_id=version.pipeline,
                version_id=version.version,
                service_account=service_account,
            )
        # The new one is there before the old ones go, so that a kill leaves two and never none.
        for one in before:
            self.unschedule(one)

    def schedules(self, experiment: str) -> list[Schedule]:
        """All runs by the clock of an experiment.

        Raises:
            RunError: Kubeflow cannot be reached.
        """
        found: list[Schedule] = []
        with self._answering(f"looking up the schedules of {experiment}"):
            place, token = self._experiment(experiment), ""
            while True:
                page = self._client.list_recurring_runs(page_token=token, page_size=_PAGE, experiment_id=place)
                found += [_schedule(one) for one in page.recurring_runs or []]
                token = page.next_page_token or ""
                if not token:
                    return found

    def unschedule(self, schedule: Schedule) -> None:
        """Remove a run by the clock; the runs that it started stay.

        Raises:
            RunError: Kubeflow cannot be reached.
        """
        with self._answering(f"removing schedule {schedule.name}"):
            self._client.delete_recurring_run(schedule.id)

    def _experiment(self, name: str) -> str:
        with _quiet():
            return str(self._client.create_experiment(name, namespace=self.namespace).experiment_id)

    def _make_pipeline(self, name: str) -> Any:
        # kfp's own call would upload a first version under the pipeline's name.
        from kfp_server_api import V2beta1Pipeline

        return self._client.pipelines.pipeline_service_create_pipeline(
            pipeline=V2beta1Pipeline(display_name=name, name=name, namespace=self.namespace)
        )

    @contextlib.contextmanager
    def _answering(self, purpose: str) -> Iterator[None]:
        """Turn what kfp's client raises into a sentence.

        Raises:
            RunError: the server cannot be reached, does not know the user, or refuses.
        """
        from kfp_server_api import ApiException
        from urllib3.exceptions import HTTPError

        try:
            yield
        except ApiException as error:
            refused = RunUnknown if error.status == HTTPStatus.NOT_FOUND else RunError
            raise refused(f"{self.address}: {purpose} failed ({_reason(error)}); {_way_out(error.status)}") from error
        except (HTTPError, OSError) as error:
            kind = type(getattr(error, "reason", error)).__name__
            raise RunError(
                f"{self.address}: {purpose} failed ({kind}); see that Kubeflow Pipelines answers there, or correct {HOST}"
            ) from error


def _client(host: str | None, namespace: str) -> tuple[Any, bool]:
    """kfp's client, and whether the server serves several namespaces, so that it must be told one."""
    from kfp import Client
    from kfp.client import ServiceAccountTokenVolumeCredentials

    # Each further try to connect would be a line on the user's terminal, besides the sentence that we tell.
    logging.getLogger("urllib3.connectionpool").setLevel(logging.ERROR)
    has_token = os.environ.get(_NAMES_FILE) or _POD_TOKEN.exists()
    credentials = ServiceAccountTokenVolumeCredentials() if host and has_token else None
    certificates = os.environ.get("SSL_CERT_FILE")
    with warnings.catch_warnings():
        # It warns each time of servers of before 2.0.
        warnings.filterwarnings("ignore", message="This client only works with Kubeflow Pipeline", category=FutureWarning)
        if host:
            # Told no namespace, it asks the server by itself, again and again for half a minute where that says no.
            told = Client(host=host, credentials=credentials, ssl_ca_cert=certificates, namespace=namespace)
            if told.healthzs.healthz_service_get_healthz().multi_user:
                return told, True
        client = Client(host=host, credentials=credentials, ssl_ca_cert=certificates)
    return client, bool(client.get_kfp_healthz().multi_user)


def _quiet() -> contextlib.redirect_stdout[io.StringIO]:
    """For calls that print links to Kubeflow's pages of their own accord."""
    return contextlib.redirect_stdout(io.StringIO())


def _kubeconfig() -> Path:
    return Path(os.environ.get("KUBECONFIG") or "~/.kube/config").expanduser()


def _named(name: str) -> str:
    return json.dumps({"predicates": [{"operation": "EQUALS", "key": "display_name", "stringValue": name}]})


def _state(text: str | None) -> TaskState:
    return TaskState(text) if text in list(TaskState) else TaskState.UNKNOWN


def _error(status: Any) -> str:
    return str(status.message or "") if status is not None else ""


def _schedule(told: Any) -> Schedule:
    when = told.trigger.cron_schedule if told.trigger else None
    cron = str(when.cron).removeprefix("0 ") if when else ""
    return Schedule(str(told.recurring_run_id), str(told.display_name), cron, told.status != "DISABLED")


def _reason(error: Any) -> str:
    try:
        told = json.loads(error.body)
        text = str(told.get("message") or told.get("error") or "")
    except (TypeError, ValueError, AttributeError):
        text = ""
    return f"HTTP {error.status}" + (f": {without_credentials(text.splitlines()[0])}" if text else "")


def _way_out(status: int | None) -> str:
    if status in (401, 403):
        return f"name the file with your token in {_NAMES_FILE}, or have the cluster's admin give you the right"
    return "see Kubeflow's own log, or try again"
