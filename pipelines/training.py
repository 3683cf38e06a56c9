"""The training pipeline, as Kubeflow's DAG. It holds no logic: the steps do, and `components.store` knows what is done already."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

from kfp import compiler, dsl

from components.params import Params
from components.store import code_digest
from pipelines import steps


def draw(params: Params, *, parallel: bool, registers: bool = True) -> Callable[..., Any]:
    """The pipeline function.

    Args:
        params: all parameters; a task for which they list no model has no loop, since Kubeflow cannot collect from an empty one.
        parallel: whether models train at the same time: on a cluster yes, on one machine they would only share its cores.
        registers: whether the last step runs, which needs MLflow.
    """
    at_once = 0 if parallel else 1
    has_segmenters, has_classifiers = bool(params.train_unet.models), bool(params.train_classifier.models)

    @dsl.pipeline(
        name="dermacare-training",
        description="Skin lesions, from images to a promoted model: a segmenter and classifiers, evaluated and registered.",
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
        raw = steps.ingest(params=ingest, code=code_digest("ingest"), fingerprint=fingerprint).output
        valid = steps.validate(params=validate, code=code_digest("validate"), raw=raw).output
        dataset = steps.preprocess(params=preprocess, code=code_digest("preprocess"), dataset=valid).output
        plan = steps.augment_balance(params=augment_balance, code=code_digest("augment_balance"), dataset=dataset).output
        models: dict[str, Any] = {}
        if has_segmenters:
            with dsl.ParallelFor(segmenters, parallelism=at_once) as model:
                models["segmenters"] = steps.train_unet(
                    model=model, params=train_unet, code=code_digest("train_unet"), dataset=dataset, plan=plan
                ).output
        if has_classifiers:
            with dsl.ParallelFor(classifiers, parallelism=at_once) as model:
                models["classifiers"] = steps.train_classifier(
                    model=model, params=train_classifier, code=code_digest("train_classifier"), dataset=dataset, plan=plan
                ).output
        evaluation = steps.evaluate(params=evaluate, code=code_digest("evaluate"), dataset=dataset, **_collected(models)).output
        if registers:
            # Registering publishes this run, so a cache must never answer for it.
            steps.register(
                params=register,
                code=code_digest("register"),
                run=run,
                dataset=dataset,
                evaluation=evaluation,
                **_collected(models),
            ).set_caching_options(False)

    return training


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


def compile_pipeline(params: Params, fingerprint: str, file: Path) -> None:
    """Write the pipeline as Kubeflow's intermediate representation (YAML), for a cluster; byte-identical for the same input.

    The sources are named as a cluster knows them: no path of this machine is in the file.
    """
    portable = params.model_copy(update={"ingest": params.ingest.identity()})
    defaults = arguments(portable, fingerprint=fingerprint, run="")
    compiler.Compiler().compile(draw(params, parallel=True), package_path=str(file), pipeline_parameters=defaults)
