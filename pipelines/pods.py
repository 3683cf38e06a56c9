"""What the pod of each step is given on a cluster: resources, image, addresses, secrets, a disk; all by kfp's own means.

Secrets and addresses are named, never read: the cluster puts them into the pod's environment. The ledger and the key that signs it
are for `register` alone.
"""

from typing import Any

from kfp import kubernetes

from components.nvidia import NEEDED
from components.params import ClusterParams
from components.promotion.keys import VARIABLE as SIGNING_KEY
from components.remote_store import VARIABLE as STORE
from pipelines import images
from pipelines.execute import CLUSTER_RUN
from pipelines.home import VARIABLE as HOME

USER = 10001
"""Whom the images run as (`infra/images/`)."""

_ADDRESSES = ("MLFLOW_TRACKING_URI", "AWS_ENDPOINT_URL_S3", "AWS_DEFAULT_REGION", STORE)
_TRACKING = ("MLFLOW_TRACKING_USERNAME", "MLFLOW_TRACKING_PASSWORD")
_S3 = ("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY")
_LEDGER = ("DERMACARE_LEDGER",)
_WEBHOOK = ("DERMACARE_WEBHOOK",)
_HOME = "/var/lib/dermacare"
_KEY_FOLDER = "/var/run/secrets/dermacare/signing-key"
_TRAINERS = ("train_unet", "train_classifier")


def place(task: Any, step: str, cluster: ClusterParams) -> None:
    """Give a task of a pipeline that is being drawn all that its pod needs.

    Args:
        task: kfp's task.
        step: the step's name.
        cluster: what was asked for.
    """
    pod = cluster.pod(step)
    task.set_container_image(_image(step, cluster))
    task.set_cpu_request(pod.cpu).set_cpu_limit(pod.cpu)
    task.set_memory_request(pod.memory).set_memory_limit(pod.memory)
    if pod.accelerator is not None:
        task.set_accelerator_type(pod.accelerator).set_accelerator_limit(pod.accelerators)
        task.set_env_variable(NEEDED, "needed")  # nobody sees that a processor trains in its place
    task.set_retry(
        pod.retries,
        backoff_duration=f"{pod.backoff}s",
        backoff_factor=pod.backoff_factor,
        backoff_max_duration=f"{pod.backoff_limit}s",
    )
    kubernetes.set_timeout(task, pod.time_limit)
    for label, value in pod.node_selector.items():
        kubernetes.add_node_selector(task, label, value)
    for toleration in pod.tolerations:
        kubernetes.add_toleration(task, **toleration.model_dump())
    kubernetes.set_security_context(task, run_as_user=USER, run_as_group=USER, run_as_non_root=True)
    # An image that is built anew keeps its tag, the package's version; those of no registry were loaded onto the nodes.
    kubernetes.set_image_pull_policy(task, "Always" if images.registry(cluster.image_registry) else "IfNotPresent")
    kubernetes.empty_dir_mount(task, "home", _HOME, size_limit=pod.disk)
    task.set_env_variable(HOME, _HOME)
    kubernetes.use_field_path_as_env(task, CLUSTER_RUN, "metadata.labels['pipeline/runid']")
    _give_secrets(task, step, cluster)


def _image(step: str, cluster: ClusterParams) -> str:
    if step not in _TRAINERS:
        return images.image("dermacare-steps", cluster.image_registry)
    accelerated = cluster.pod(step).accelerator is not None
    return images.image("dermacare-train-gpu" if accelerated else "dermacare-train", cluster.image_registry)


def _give_secrets(task: Any, step: str, cluster: ClusterParams) -> None:
    names = cluster.secrets
    kubernetes.use_config_map_as_env(task, cluster.config_map, {name: name for name in _ADDRESSES})
    _give(task, names.tracking, _TRACKING)
    _give(task, names.s3, _S3)
    if step == "register":
        _give(task, names.ledger, _LEDGER)
        kubernetes.use_secret_as_volume(task, names.signing_key, _KEY_FOLDER)
        task.set_env_variable(SIGNING_KEY, f"{_KEY_FOLDER}/signing.key")
    if step == "report_failure":
        kubernetes.use_secret_as_env(task, names.notify, {name: name for name in _WEBHOOK}, optional=True)


def _give(task: Any, secret: str, names: tuple[str, ...]) -> None:
    kubernetes.use_secret_as_env(task, secret, {name: name for name in names})
