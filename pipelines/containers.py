"""Steps in containers on this machine, through Docker's API: what a container is given, and how those of a run are stopped.

A container sees what the step would see here, under the same paths, and no more: the home, to write in; the folders and files that
the parameters and the environment name, to read. It runs as whoever started the run, so that a home may be used with containers and
without; its own files are read-only, but for /tmp. It shares the machine's network, so that an address means the same in it.
"""

import getpass
import os
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import TYPE_CHECKING

from components.errors import MachineError, RunError
from components.params import DVC_SOURCE, Params, bundle_of
from components.project import project_file
from components.promotion.keys import VARIABLE as SIGNING_KEY
from components.promotion.keys import key_file, own_key
from components.promotion.policy import FILE as PROMOTION
from components.withdrawn import FILE as WITHDRAWN
from components.withdrawn import withdrawn_file
from pipelines import images
from pipelines.home import Home
from pipelines.runs import RunRecord, alive, load

if TYPE_CHECKING:
    from docker import DockerClient
    from docker.types import Mount
    from kfp.local import DockerRunner

_RUN, _HOME = "dermacare.run", "dermacare.home"
_PACKAGED = Path("/opt/dermacare/lib/python3.11/site-packages/components/_project")
"""Where the images have the project's own files."""
_TEMPORARY = "/tmp"  # noqa: S108 - a container's own, which ends with it

_PREFIXES = ("AWS_", "DERMACARE_", "MLFLOW_", "OMP_", "PG", "TF_")
_NAMES = ("HTTP_PROXY", "HTTPS_PROXY", "NO_PROXY", "http_proxy", "https_proxy", "no_proxy")
_FILES = (
    "AWS_CA_BUNDLE",
    "AWS_CONFIG_FILE",
    "AWS_SHARED_CREDENTIALS_FILE",
    "MLFLOW_TRACKING_CLIENT_CERT_PATH",
    "MLFLOW_TRACKING_SERVER_CERT_PATH",
    "PGPASSFILE",
    "PGSSLROOTCERT",
    "REQUESTS_CA_BUNDLE",
    "SSL_CERT_FILE",
)
"""Variables that name a file, which is mounted where it lies."""


def check_images() -> None:
    """See, before anything runs, that Docker answers and has the images of the steps, made from this code.

    Raises:
        MachineError: it does not, or has not; the text has the way out.
    """
    from docker.errors import ImageNotFound

    with _docker() as client:
        for name in (images.STEPS, images.TRAIN):
            try:
                found = client.images.get(name)
            except ImageNotFound as error:
                raise MachineError(f"--runner docker: there is no image {name}; `make images` builds it") from error
            if name not in found.tags:  # podman finds an image by the end of its name, Kubeflow asks for all of it
                raise MachineError(
                    f"--runner docker: {name} is called {', '.join(found.tags)} there; put what stands before its name into "
                    f"{images.REGISTRY}"
                )
            if found.labels.get(images.CODE_LABEL) != images.code():
                raise MachineError(f"--runner docker: {name} was built from other code than this; `make images` builds it anew")


def docker_runner(home: Home, record: RunRecord, params: Params) -> "DockerRunner":
    """Kubeflow's runner, told what each container of a run is given; containers of runs of this home that are dead are ended.

    Args:
        home: where state lies; mounted, to be written in.
        record: the run.
        params: its parameters, with whole paths: see `whole_paths`.
    """
    from kfp.local import DockerRunner

    own_key()  # made here where there is none: a container may not write beside it
    with _docker() as client:
        _end_orphans(client, home)
        rootless = "name=rootless" in (client.info().get("SecurityOptions") or [])
    writes = [home.root, _keras_home(), *_databases(home)]
    for folder in writes:
        folder.mkdir(parents=True, exist_ok=True)
    reads = [key_file().absolute(), *_named_files(), *_settings(), *_sources(params), *_weights(params)]
    seen = {
        **{path: _mount(path, path) for path in reads},
        _PACKAGED / WITHDRAWN: _mount(withdrawn_file().absolute(), _PACKAGED / WITHDRAWN),
        _PACKAGED / PROMOTION: _mount(project_file(PROMOTION), _PACKAGED / PROMOTION),
        **{path: _mount(path, path, read_only=False) for path in writes},
    }
    return DockerRunner(
        # The engine of a user maps that user to its containers' root, and no other.
        user="0:0" if rootless else f"{os.getuid()}:{os.getgid()}",
        environment=_environment(),
        mounts=list(seen.values()),
        labels={_RUN: record.id, _HOME: str(home.root)},
        network_mode="host",
        read_only=True,
        tmpfs={_TEMPORARY: "mode=1777"},
        shm_size="1g",
        cap_drop=["ALL"],
        security_opt=["no-new-privileges", "label=disable"],
    )


def stop_containers(home: Home, run: str) -> None:
    """End what containers a run has; a killed step loses nothing: it goes on from its work folder.

    Raises:
        MachineError: Docker does not answer.
    """
    from docker.errors import APIError

    with _docker() as client:
        for container in client.containers.list(filters={"label": [f"{_HOME}={home.root}", f"{_RUN}={run}"]}):
            with suppress(APIError):  # it ended by itself
                container.kill()


def whole_paths(params: Params) -> Params:
    """The parameters with whole paths: a container has another working directory. No key depends on where a file lies."""
    ingest = params.ingest.model_copy(update={"sources": [_whole_source(source) for source in params.ingest.sources]})
    trainings = {}
    for name in ("train_unet", "train_classifier"):
        section = getattr(params, name)
        overrides = {
            model: {**values, "weights": _whole_weights(values["weights"])} if "weights" in values else values
            for model, values in section.overrides.items()
        }
        trainings[name] = section.model_copy(update={"weights": _whole_weights(section.weights), "overrides": overrides})
    return params.model_copy(update={"ingest": ingest, **trainings})


def _whole_source(source: str) -> str:
    repository = _repository(source)
    if repository is not None:
        found = DVC_SOURCE.fullmatch(source)
        assert found is not None
        return f"dvc:{repository}@{found['revision']}:{found['path']}"
    folder = Path(source).expanduser()
    return str(folder.resolve()) if ":" not in source and folder.is_dir() else source


def _repository(source: str) -> Path | None:
    """The folder of a DVC repository on this machine, where a source names one."""
    found = DVC_SOURCE.fullmatch(source)
    folder = Path(found["repository"]).expanduser() if found else None
    return folder.absolute() if folder is not None and folder.is_dir() else None


def _whole_weights(weights: str) -> str:
    file, mark, digest = weights.rpartition("#sha256=")
    return weights if not mark or bundle_of(weights) else f"{Path(file).absolute()}{mark}{digest}"


def _sources(params: Params) -> Iterator[Path]:
    """Folders of this machine that ingest reads."""
    for source in params.ingest.sources:
        folder = _repository(source) or Path(source)
        if folder.is_absolute() and folder.is_dir():
            yield folder


def _weights(params: Params) -> Iterator[Path]:
    """Files of weights that trainings start from."""
    for section in (params.train_unet, params.train_classifier):
        for weights in (section.weights, *(values.get("weights", "") for values in section.overrides.values())):
            file, mark, _ = weights.rpartition("#sha256=")
            if mark and not bundle_of(weights) and Path(file).is_file():
                yield Path(file)


def _named_files() -> Iterator[Path]:
    """Files that variables of the environment name."""
    for name in _FILES:
        file = Path(os.environ.get(name, ""))
        if file.is_absolute() and file.is_file():
            yield file


def _settings() -> Iterator[Path]:
    """The user's settings that say who he is to MLflow and to S3."""
    for name in (".aws", ".mlflow"):
        folder = Path.home() / name
        if folder.is_dir():
            yield folder


def _databases(home: Home) -> Iterator[Path]:
    """Folders of databases that are files outside the home."""
    for address in (os.environ.get("MLFLOW_TRACKING_URI", ""), os.environ.get("DERMACARE_LEDGER", "")):
        file = Path(address.removeprefix("sqlite:///")).absolute()
        if address.startswith("sqlite:///") and not file.is_relative_to(home.root):
            yield file.parent


def _keras_home() -> Path:
    """Where Keras keeps the weights that it fetched."""
    return Path(os.environ.get("KERAS_HOME", "~/.keras")).expanduser().absolute()


def _environment() -> dict[str, str]:
    """What of this process's environment the steps read, and where they may write besides the home."""
    own = {name: value for name, value in os.environ.items() if name.startswith(_PREFIXES) or name in (*_NAMES, *_FILES)}
    user = getpass.getuser()
    return {
        **own,
        SIGNING_KEY: str(key_file().absolute()),
        "HOME": str(Path.home()),
        "KERAS_HOME": str(_keras_home()),
        "USER": user,  # the container does not know its user's name
        "LOGNAME": user,
        "DVC_SITE_CACHE_DIR": f"{_TEMPORARY}/dvc",
        "MPLCONFIGDIR": f"{_TEMPORARY}/matplotlib",
        "XDG_CACHE_HOME": f"{_TEMPORARY}/cache",
    }


def _mount(source: Path, target: Path, *, read_only: bool = True) -> "Mount":
    from docker.types import Mount

    return Mount(target=str(target), source=str(source.resolve()), type="bind", read_only=read_only)


def _end_orphans(client: "DockerClient", home: Home) -> None:
    """End containers of runs that are dead: killed with its run, a subprocess dies, but nobody tells Docker."""
    from docker.errors import APIError

    for container in client.containers.list(filters={"label": f"{_HOME}={home.root}"}):
        if not _lives(home, container.labels.get(_RUN, "")):
            with suppress(APIError):
                container.kill()


def _lives(home: Home, run: str) -> bool:
    try:
        return alive(home, load(home, run))
    except RunError:
        return False


@contextmanager
def _docker() -> Iterator["DockerClient"]:
    import docker
    from docker.errors import DockerException

    try:
        client = docker.from_env()
    except DockerException as error:
        raise MachineError(_absent(error)) from error
    try:
        client.ping()
        yield client
    except (DockerException, OSError) as error:
        raise MachineError(_absent(error)) from error
    finally:
        client.close()


def _absent(error: Exception) -> str:
    where = os.environ.get("DOCKER_HOST", "unix:///var/run/docker.sock")
    return (
        f"--runner docker: no Docker answers at {where} ({str(error).splitlines()[0]:.120}); start it, or name its socket or "
        "podman's in DOCKER_HOST"
    )
