"""The compiled pipeline, read by the protos of Kubeflow's own specifications."""

import json
from pathlib import Path
from typing import Any

import pytest
import yaml
from google.protobuf import json_format
from kfp.kubernetes.kubernetes_executor_config_pb2 import KubernetesExecutorConfig
from kfp.pipeline_spec.pipeline_spec_pb2 import PipelineSpec, PipelineTaskSpec, PlatformSpec
from typer.testing import CliRunner

from components.errors import ParamsError
from components.params import load_params
from dermacare.cli import app
from pipelines.training import compile_pipeline

TRAINERS = ("train-unet", "train-classifier")
STEPS = ("ingest", "validate", "preprocess", "preprocess-shards", "augment-balance", *TRAINERS, "evaluate", "register")
GPU = [
    "cluster.steps.train_classifier.accelerator=nvidia.com/gpu",
    "cluster.steps.train_classifier.accelerators=2",
    "cluster.steps.train_classifier.node_selector={disk: fast}",
    "cluster.steps.train_classifier.tolerations=[{key: nvidia.com/gpu, effect: NoSchedule}]",
    "cluster.steps.train_classifier.retries=5",
    "cluster.image_registry=registry.example.org/team",
    "cluster.artifact_root=s3://artifacts/kubeflow",
]


class Compiled:
    """A compiled pipeline; its protos refuse a field that they do not know."""

    def __init__(self, file: Path, *assignments: str, scheduled: bool = False) -> None:
        params = load_params(profile="demo", assignments=list(assignments)).params
        compile_pipeline(params, "" if scheduled else "fingerprint", file, scheduled=scheduled)
        pipeline, platform = yaml.safe_load_all(file.read_text())
        self.text = file.read_text()
        self.spec: Any = json_format.ParseDict(pipeline, PipelineSpec())
        self.deployment = json_format.MessageToDict(self.spec.deployment_spec)["executors"]
        kubernetes = json_format.ParseDict(platform, PlatformSpec()).platforms["kubernetes"]
        self.pods: dict[str, Any] = {
            name.removeprefix("exec-"): json_format.ParseDict(json_format.MessageToDict(told), KubernetesExecutorConfig())
            for name, told in kubernetes.deployment_spec.executors.items()
        }
        self.tasks: dict[str, PipelineTaskSpec] = dict(self.spec.root.dag.tasks)
        for component in self.spec.components.values():
            self.tasks |= dict(component.dag.tasks)

    def container(self, step: str) -> dict[str, Any]:
        """The container of a step."""
        container: dict[str, Any] = self.deployment[f"exec-{step}"]["container"]
        return container


@pytest.fixture(scope="module")
def plain(tmp_path_factory: pytest.TempPathFactory) -> Compiled:
    return Compiled(tmp_path_factory.mktemp("plain") / "pipeline.yaml")


@pytest.fixture(scope="module")
def gpu(tmp_path_factory: pytest.TempPathFactory) -> Compiled:
    return Compiled(tmp_path_factory.mktemp("gpu") / "pipeline.yaml", *GPU)


def test_every_step_asks_for_what_params_yaml_says(plain: Compiled) -> None:
    assert set(plain.pods) == {*STEPS, "report-failure"}
    for step in STEPS:
        cpu, memory = ("8", "16Gi") if step in TRAINERS else ("2", "4Gi")
        asked = plain.container(step)["resources"]
        assert (asked["resourceCpuRequest"], asked["resourceCpuLimit"]) == (cpu, cpu)
        assert (asked["resourceMemoryRequest"], asked["resourceMemoryLimit"]) == (memory, memory)
        assert "accelerator" not in asked
        image = "dermacare-train:" if step in TRAINERS else "dermacare-steps:"
        assert plain.container(step)["image"].startswith(image)


def test_every_pod_may_be_lost_and_none_runs_for_ever(plain: Compiled) -> None:
    for step in (*STEPS, "report-failure"):
        retries = plain.tasks[step].retry_policy
        assert (retries.max_retry_count, retries.backoff_factor) == (3, 2)
        assert (retries.backoff_duration.seconds, retries.backoff_max_duration.seconds) == (30, 600)
        limit = 259_200 if step in TRAINERS else 600 if step == "report-failure" else 21_600
        assert plain.pods[step].active_deadline_seconds == limit


def test_no_pod_is_root_and_each_has_a_disk_of_its_own(plain: Compiled) -> None:
    for step, pod in plain.pods.items():
        context = pod.security_context
        assert (context.run_as_user, context.run_as_group, context.run_as_non_root) == (10001, 10001, True)
        (disk,) = pod.empty_dir_mounts
        assert disk.mount_path == {one["name"]: one["value"] for one in plain.container(step)["env"]}["DERMACARE_HOME"]


def test_one_step_gets_a_gpu_and_the_others_do_not(gpu: Compiled) -> None:
    asked = gpu.container("train-classifier")["resources"]["accelerator"]
    assert (asked["resourceType"], asked["resourceCount"]) == ("nvidia.com/gpu", "2")
    assert gpu.container("train-classifier")["image"].startswith("registry.example.org/team/dermacare-train-gpu:")
    pod = gpu.pods["train-classifier"]
    assert dict(pod.node_selector.labels) == {"disk": "fast"}
    (toleration,) = pod.tolerations
    assert (toleration.key, toleration.operator, toleration.effect) == ("nvidia.com/gpu", "Exists", "NoSchedule")
    assert gpu.tasks["train-classifier"].retry_policy.max_retry_count == 5
    assert "accelerator" not in gpu.container("train-unet")["resources"]
    assert {"name": "DERMACARE_GPU", "value": "needed"} in gpu.container("train-classifier")["env"]
    assert "DERMACARE_GPU" not in {one["name"] for one in gpu.container("train-unet")["env"]}
    assert not gpu.pods["train-unet"].tolerations
    assert gpu.spec.default_pipeline_root == "s3://artifacts/kubeflow"


def test_an_image_that_was_pushed_anew_is_fetched_and_one_that_was_loaded_onto_the_nodes_is_not(
    plain: Compiled, gpu: Compiled, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert {pod.image_pull_policy for pod in plain.pods.values()} == {"IfNotPresent"}
    assert {pod.image_pull_policy for pod in gpu.pods.values()} == {"Always"}
    monkeypatch.setenv("DERMACARE_IMAGE_REGISTRY", "registry.example.org/team")
    named_here = Compiled(tmp_path / "pipeline.yaml")
    assert {pod.image_pull_policy for pod in named_here.pods.values()} == {"Always"}
    assert named_here.container("ingest")["image"].startswith("registry.example.org/team/dermacare-steps:")


def test_secrets_are_named_and_the_ledger_s_reach_register_alone(plain: Compiled) -> None:
    for step, pod in plain.pods.items():
        more = {"register": {"dermacare-ledger"}, "report-failure": {"dermacare-notify"}}.get(step, set())
        assert {secret.secret_name for secret in pod.secret_as_env} == {"dermacare-tracking", "dermacare-s3", *more}
        assert [one.secret_name for one in pod.secret_as_volume] == (["dermacare-signing-key"] if step == "register" else [])
        (addresses,) = pod.config_map_as_env
        assert addresses.config_map_name == "dermacare"
        assert "DERMACARE_STORE" in {one.env_var for one in addresses.key_to_env}
        (field,) = pod.field_path_as_env
        assert (field.name, field.field_path) == ("DERMACARE_CLUSTER_RUN", "metadata.labels['pipeline/runid']")
    (optional,) = [one for one in plain.pods["report-failure"].secret_as_env if one.secret_name == "dermacare-notify"]
    assert optional.optional


def test_a_failure_is_reported_whatever_fails(plain: Compiled) -> None:
    inside, report = plain.spec.root.dag.tasks["exit-handler-1"], plain.spec.root.dag.tasks["report-failure"]
    assert set(plain.spec.root.dag.tasks) == {"exit-handler-1", "report-failure"}
    assert report.trigger_policy.strategy == PipelineTaskSpec.TriggerPolicy.ALL_UPSTREAM_TASKS_COMPLETED
    assert report.inputs.parameters["status"].task_final_status.producer_task == "exit-handler-1"
    assert not report.caching_options.enable_cache
    body = plain.spec.components[inside.component_ref.name].dag.tasks
    assert {"ingest", "validate", "preprocess", "augment-balance", "evaluate", "register"} <= set(body)


def test_steps_are_cached_but_for_what_is_done_each_time(plain: Compiled, tmp_path: Path) -> None:
    cached = {step for step in STEPS if plain.tasks[step].caching_options.enable_cache}
    assert cached == set(STEPS) - {"register"}
    nightly = Compiled(tmp_path / "nightly.yaml", scheduled=True)
    assert {step for step in STEPS if nightly.tasks[step].caching_options.enable_cache} == cached - {"ingest"}


def test_the_run_s_own_id_is_told_to_no_step_that_a_cache_answers_for(plain: Compiled) -> None:
    told = {step for step, task in plain.tasks.items() if "pipeline_job_uuid" in str(task.inputs)}
    assert told == {"register", "report-failure"}


def test_preprocessing_is_dealt_out_as_often_as_asked(tmp_path: Path, plain: Compiled) -> None:
    (loop,) = [task for task in plain.tasks.values() if "0/4" in task.parameter_iterator.items.raw]
    assert json.loads(loop.parameter_iterator.items.raw) == ["0/4", "1/4", "2/4", "3/4"]
    assert "preprocess-shards" not in Compiled(tmp_path / "one.yaml", "cluster.preprocess_tasks=1").tasks


def test_nothing_of_this_machine_is_in_it(plain: Compiled, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    images = tmp_path / "images"
    images.mkdir()
    for name in ("MLFLOW_TRACKING_PASSWORD", "AWS_SECRET_ACCESS_KEY", "DERMACARE_LEDGER", "DERMACARE_WEBHOOK"):
        monkeypatch.setenv(name, "a-secret-of-mine")
    params = load_params(profile="demo", data=[str(images), f"dvc:{tmp_path}@main:data", "s3://bucket/images"]).params
    compile_pipeline(params, "fingerprint", tmp_path / "pipeline.yaml")
    text = (tmp_path / "pipeline.yaml").read_text()
    for mine in (str(tmp_path), str(Path(__file__).parents[2]), str(Path.home()), "a-secret-of-mine"):
        assert mine not in text
    assert "s3://bucket/images" in text


def test_a_password_in_an_address_is_not_written(tmp_path: Path) -> None:
    params = load_params(assignments=["ingest.s3_endpoint=https://eva:secret@s3.example.org"]).params
    with pytest.raises(ParamsError, match=r"ingest\.s3_endpoint: holds a password"):
        compile_pipeline(params, "fingerprint", tmp_path / "pipeline.yaml")
    assert not (tmp_path / "pipeline.yaml").exists()


def test_the_command_writes_the_same(plain: Compiled, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("DERMACARE_HOME", str(tmp_path))
    done = CliRunner().invoke(app, ["compile", "--profile", "demo", "--output", str(tmp_path / "pipeline.yaml")])
    assert done.exit_code == 0, done.output
    written = (tmp_path / "pipeline.yaml").read_text()
    fingerprint = next(iter(yaml.safe_load_all(written)))["root"]["inputDefinitions"]["parameters"]["fingerprint"]["defaultValue"]
    assert written.replace(fingerprint, "fingerprint") == plain.text


@pytest.mark.parametrize(
    ("assignment", "said"),
    [
        ("cluster.steps.train.cpu=2", r"cluster\.steps\.train is no step"),
        ("cluster.steps.train_unet.cpus=2", r"cluster\.steps\.train_unet: cpus is no parameter"),
        ("cluster.steps.train_unet.memory=lots", r"cluster\.steps\.train_unet: memory is 'lots'"),
        ("cluster.every_step.retries=-1", r"cluster\.every_step\.retries"),
        ("cluster.artifact_root=/data", r"cluster\.artifact_root"),
    ],
)
def test_what_a_pod_cannot_be_given_is_named(assignment: str, said: str) -> None:
    with pytest.raises(ParamsError, match=said):
        load_params(assignments=[assignment])
