"""The training pipeline, as Kubeflow's DAG. It holds no logic: the steps do, and `components.store` knows what is done already."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager, nullcontext
from pathlib import Path
from typing import Any

from kfp import compiler, dsl

from components.params import ClusterParams, Params
from components.store import code_digest
from pipelines import steps
from pipelines.cluster_record import tell
from pipelines.cluster_sources import portable


def draw(
    params: Params,
    *,
    parallel: bool,
    registers: bool = True,
    preprocess_tasks: int = 1,
    cluster: ClusterParams | None = None,
    scheduled: bool = False,
) -> Callable[..., Any]:
    """The pipeline function.

    Args:
        params: all parameters; a task for which they list no model has no loop, since Kubeflow cannot collect from an empty one.
        parallel: whether models train at the same time: on a cluster yes, on one machine they would only share its cores.
        registers: whether the last step runs, which needs MLflow.
        preprocess_tasks: tasks that preprocess the images, a part each, before one brings them together; 1: none but that one.
        cluster: what the steps' pods are given; None: it runs on this machine.
        scheduled: whether it runs again and again, so that ingest looks each time at what its sources hold.
    """
    at_once = 0 if parallel else 1
    has_segmenters, has_classifiers = bool(params.train_unet.models), bool(params.train_classifier.models)

    def placed(step: str, **arguments: Any) -> Any:
        """A task of a step, with all that its pod is given."""
        task = getattr(steps, step)(**arguments)
        if cluster is not None:
            from pipelines.pods import place

            place(task, step, cluster)
        return task

    def step(name: str, **arguments: Any) -> Any:
        return placed(name, code=code_digest(name), **arguments)

    @dsl.pipeline(
        name="dermacare-training",
        description="Skin lesions, from images to a promoted model: a segmenter and classifiers, evaluated and registered.",
        pipeline_root=cluster.artifact_root if cluster else None,
    )
    def training(
        ingest: str,
        validate: str,
        preprocess: str,
        augment_balance: str,
        train_unet: str,
        train_classifier: str,
        evaluate: str,
        register: str,
        segmenters: list[str],
        classifiers: list[str],
        fingerprint: str,
        run: str,
    ) -> None:
        job: dict[str, Any] = {"job": dsl.PIPELINE_JOB_ID_PLACEHOLDER} if cluster else {}
        with _reported(placed("report_failure", params=register, **job)) if cluster else nullcontext():
            raw_task = step("ingest", params=ingest, fingerprint=fingerprint)
            if scheduled:
                raw_task.set_caching_options(False)
            valid = step("validate", params=validate, raw=raw_task.output).output
            shards: dict[str, Any] = {}
            if preprocess_tasks > 1:
                with dsl.ParallelFor(
                    [f"{part}/{preprocess_tasks}" for part in range(preprocess_tasks)], parallelism=at_once
                ) as part:
                    shards["parts"] = step("preprocess_shards", part=part, params=preprocess, dataset=valid).output
            dataset = step("preprocess", params=preprocess, dataset=valid, **_collected(shards)).output
            plan = step("augment_balance", params=augment_balance, dataset=dataset).output
            models: dict[str, Any] = {}
            if has_segmenters:
                with dsl.ParallelFor(segmenters, parallelism=at_once) as model:
                    models["segmenters"] = step("train_unet", model=model, params=train_unet, dataset=dataset, plan=plan).output
            if has_classifiers:
                with dsl.ParallelFor(classifiers, parallelism=at_once) as model:
                    models["classifiers"] = step(
                        "train_classifier", model=model, params=train_classifier, dataset=dataset, plan=plan
                    ).output
            evaluation = step("evaluate", params=evaluate, dataset=dataset, **_collected(models)).output
            if registers:
                told = {**job, "fingerprint": fingerprint} if cluster else {}
                # Registering publishes this run, so a cache must never answer for it.
                step(
                    "register", params=register, run=run, dataset=dataset, evaluation=evaluation, **_collected(models), **told
                ).set_caching_options(False)

    return training


@contextmanager
def _reported(task: Any) -> Iterator[None]:
    """Tasks of this block are followed by `task`, however they end."""
    task.set_caching_options(False)
    with dsl.ExitHandler(task):
        yield


def _collected(models: dict[str, Any]) -> dict[str, Any]:
    """The models of each loop; made anew for each reader, since Kubeflow changes what it is handed."""
    return {name: dsl.Collected(output) for name, output in models.items()}


def arguments(params: Params, *, fingerprint: str, run: str) -> dict[str, Any]:
    """The pipeline's arguments: each step's section as JSON, the models, and what else decides an output.

    Ingest's own argument keeps the folders' paths, which it must read; its `identity` is what enters its key.
    """
    names = ("validate", "preprocess", "augment_balance", "train_unet", "train_classifier", "evaluate", "register")
    return {
        "ingest": params.ingest.model_dump_json(),
        **{name: params.section(name).model_dump_json() for name in names},
        "segmenters": list(params.train_unet.models),
        "classifiers": list(params.train_classifier.models),
        "fingerprint": fingerprint,
        "run": run,
    }


def compile_pipeline(
    params: Params, fingerprint: str, file: Path, *, run: str = "", registers: bool = True, scheduled: bool = False
) -> None:
    """Write the pipeline as Kubeflow's intermediate representation (YAML), for a cluster; byte-identical for the same input.

    The sources are named as a cluster knows them: no path of this machine is in the file.

    Args:
        params: all parameters; the file's defaults.
        fingerprint: of the sources; empty: ingest looks itself.
        file: where to.
        run: what `pipelines.cluster_record.tell` gave; empty: as those parameters have it.
        registers: see `draw`.
        scheduled: see `draw`.
    """
    elsewhere = params.model_copy(update={"ingest": portable(params.ingest)})
    defaults = arguments(elsewhere, fingerprint=fingerprint, run=run or tell(elsewhere, profile="", command=""))
    drawn = draw(
        params,
        parallel=True,
        registers=registers,
        preprocess_tasks=params.cluster.preprocess_tasks,
        cluster=params.cluster,
        scheduled=scheduled,
    )
    compiler.Compiler().compile(drawn, package_path=str(file), pipeline_parameters=defaults)
