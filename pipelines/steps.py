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
def preprocess(params: str, code: str, dataset: dsl.Input[dsl.Dataset], out: dsl.Output[dsl.Dataset]) -> None:  # noqa: D103
    from pipelines.execute import run_component

    run_component("preprocess", params, code, {"dataset": dataset}, out)


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
) -> None:
    from pipelines.execute import run_component

    models = [segmenters, classifiers]
    run_component("register", params, code, {"dataset": dataset, "models": models, "evaluation": evaluation}, out, salt=run)
