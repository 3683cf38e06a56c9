"""Each step as a Kubeflow component: a signature and one call."""
# No `from __future__ import annotations` here: Kubeflow reads the annotations themselves.

from kfp import dsl

from pipelines import images


@dsl.component(base_image=images.STEPS, install_kfp_package=False)
def ingest(params: str, code: str, fingerprint: str, out: dsl.Output[dsl.Dataset]) -> None:  # noqa: D103
    from pipelines.execute import run_component

    run_component("ingest", params, code, {}, out, salt=fingerprint)


@dsl.component(base_image=images.STEPS, install_kfp_package=False)
def validate(params: str, code: str, raw: dsl.Input[dsl.Dataset], out: dsl.Output[dsl.Dataset]) -> None:  # noqa: D103
    from pipelines.execute import run_component

    run_component("validate", params, code, {"raw": raw}, out)


@dsl.component(base_image=images.STEPS, install_kfp_package=False)
def preprocess_shards(  # noqa: D103
    part: str, params: str, code: str, dataset: dsl.Input[dsl.Dataset], out: dsl.Output[dsl.Dataset]
) -> None:
    from pipelines.execute import run_component

    run_component("preprocess_shards", params, code, {"dataset": dataset}, out, salt=part)


@dsl.component(base_image=images.STEPS, install_kfp_package=False)
def preprocess(  # noqa: D103
    params: str,
    code: str,
    dataset: dsl.Input[dsl.Dataset],
    out: dsl.Output[dsl.Dataset],
    parts: dsl.Input[list[dsl.Dataset]] = None,
) -> None:
    from pipelines.execute import run_component

    run_component("preprocess", params, code, {"dataset": dataset}, out, parts=parts)


@dsl.component(base_image=images.STEPS, install_kfp_package=False)
def augment_balance(params: str, code: str, dataset: dsl.Input[dsl.Dataset], out: dsl.Output[dsl.Artifact]) -> None:  # noqa: D103
    from pipelines.execute import run_component

    run_component("augment_balance", params, code, {"dataset": dataset}, out)


@dsl.component(base_image=images.TRAIN, install_kfp_package=False)
def train_unet(  # noqa: D103
    model: str,
    params: str,
    code: str,
    dataset: dsl.Input[dsl.Dataset],
    plan: dsl.Input[dsl.Artifact],
    out: dsl.Output[dsl.Model],
) -> None:
    from pipelines.execute import run_component

    run_component("train_unet", params, code, {"dataset": dataset, "plan": plan}, out, model=model)


@dsl.component(base_image=images.TRAIN, install_kfp_package=False)
def train_classifier(  # noqa: D103
    model: str,
    params: str,
    code: str,
    dataset: dsl.Input[dsl.Dataset],
    plan: dsl.Input[dsl.Artifact],
    out: dsl.Output[dsl.Model],
) -> None:
    from pipelines.execute import run_component

    run_component("train_classifier", params, code, {"dataset": dataset, "plan": plan}, out, model=model)


@dsl.component(base_image=images.STEPS, install_kfp_package=False)
def evaluate(  # noqa: D103
    params: str,
    code: str,
    dataset: dsl.Input[dsl.Dataset],
    out: dsl.Output[dsl.Metrics],
    segmenters: dsl.Input[list[dsl.Model]] = None,
    classifiers: dsl.Input[list[dsl.Model]] = None,
) -> None:
    from pipelines.execute import run_component

    run_component("evaluate", params, code, {"dataset": dataset, "models": [segmenters, classifiers]}, out)


@dsl.component(base_image=images.STEPS, install_kfp_package=False)
def register(  # noqa: D103
    params: str,
    code: str,
    run: str,
    dataset: dsl.Input[dsl.Dataset],
    evaluation: dsl.Input[dsl.Metrics],
    out: dsl.Output[dsl.Artifact],
    segmenters: dsl.Input[list[dsl.Model]] = None,
    classifiers: dsl.Input[list[dsl.Model]] = None,
    job: str = "",
    fingerprint: str = "",
) -> None:
    from pipelines.cluster_record import known_run
    from pipelines.execute import run_component

    inputs = {"dataset": dataset, "models": [segmenters, classifiers], "evaluation": evaluation}
    run_component("register", params, code, inputs, out, salt=known_run(run, job, fingerprint))


@dsl.component(base_image=images.STEPS, install_kfp_package=False)
def report_failure(params: str, job: str, status: dsl.PipelineTaskFinalStatus) -> None:  # noqa: D103
    from pipelines.report_failure import report

    report(params, job, state=status.state, error=status.error_message)
