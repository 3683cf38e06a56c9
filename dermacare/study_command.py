"""`dermacare study leak`: what a leak is worth, on this home's data."""

import time
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from rich.table import Table

from components.dataset import Dataset
from components.errors import DatasetError, ParamsError
from components.leak_study import LeakStudyParams
from components.leak_study import study_leak as make_study
from components.leak_study.page import NAMES, headline
from components.leak_study.publish import publish_leak
from components.leak_study.scores import LeakScores, read_leak
from components.params import Params, PreprocessParams, for_model
from components.reporter import Reporter
from components.store import Store, code_digest, made_by, step_key
from components.tracking import Ledger
from components.train_classifier.registry import architectures
from dermacare.console import console
from dermacare.progress import View, view_of
from dermacare.ui_command import server_address
from pipelines.home import Home
from pipelines.plan import Plan, PlannedStep, check_models
from pipelines.publish import commit_tags, flat

_STEP = "leak_study"


def study_leak(params: Params, model: str | None) -> None:
    """Make the study, or find it done; print it and write it to MLflow.

    Args:
        params: all parameters; `preprocess` says which data, `train_classifier`, `augment_balance` and `validate.test_share` how
            it is studied, `register.experiment` where it is written down.
        model: architecture; None: the first that `train_classifier.models` names.

    Raises:
        ParamsError: there is no such architecture, or it starts from a registered version.
        DatasetError: this home holds no data that was preprocessed as these parameters say.
        DataRefused: an image split of it leaks nothing.
        TrackingError: MLflow does not answer; the study is done, and the same command goes on from there.
    """
    home = Home.here()
    store = Store(home.root)
    wanted = _params(params, model)
    dataset = _newest(store, home, wanted)
    (name,) = wanted.classifier.models
    code = code_digest(_STEP)
    key = step_key(_STEP, wanted, {"preprocess": made_by(dataset).key}, code=code)
    plan = Plan((PlannedStep(f"{_STEP}/{name}", key, wanted.model_dump(mode="json"), {}, code),))
    view = view_of(plan)

    def make(work: Path) -> None:
        make_study(dataset, work, wanted, _Shown(work, f"{_STEP}/{name}", view))

    try:
        done = store.execute(f"{_STEP}/{name}", key, make, code=code)
    finally:
        view.close()
    scores = read_leak(done.out)
    _show(home, scores, done.out, dataset)
    ledger = Ledger(home.tracking_uri, params.register_.experiment)
    publish_leak(ledger, key, scores, done.out, flat(wanted.model_dump(mode="json")), commit_tags())


class _Shown(Reporter):
    """Shows what the study says as it says it."""

    def __init__(self, out: Path, step: str, view: View) -> None:
        super().__init__(out, step)
        self._view = view
        self._tell({"kind": "state", "state": "started"})

    def _send(self, line: dict[str, Any]) -> None:
        self._tell(line)

    def _tell(self, line: Mapping[str, Any]) -> None:
        self._view.show({"time": time.time(), "step": self.step, **line})


def _params(params: Params, model: str | None) -> LeakStudyParams:
    section = params.train_classifier
    check_models(params)
    if model is not None and model not in architectures():
        raise ParamsError(f"--model: {model} is no registered architecture; there are {', '.join(architectures())}")
    if model is None and not section.models:
        raise ParamsError("--model: train_classifier.models is empty; name an architecture")
    classifier = for_model(section, model or section.models[0])
    if classifier.parent is not None:
        raise ParamsError(
            f"train_classifier: {classifier.models[0]} starts from {classifier.weights}, which learned from lesions of the study's "
            "test set, so that neither model would be clean; set weights to imagenet, none or a file that never saw these images"
        )
    return LeakStudyParams(
        classifier=classifier,
        balance=params.augment_balance,
        test_share=params.validate_.test_share,
        preprocess=params.preprocess.identity(),
    )


def _newest(store: Store, home: Home, wanted: LeakStudyParams) -> Path:
    outs = store.outs("preprocess")
    if not outs:
        raise DatasetError(f"{home.root}: holds no preprocessed data yet; `dermacare run` makes some")
    alike = [out for out in outs if _went_through(out) == wanted.preprocess]
    if not alike:
        raise DatasetError(
            f"{home.root}: none of its {len(outs)} preprocessed datasets went through what `preprocess` of these parameters says; "
            "give the --profile and the --set of the run that made the one you mean (of --crop-by: --set preprocess.segmenter=…)"
        )
    return alike[0]


def _went_through(out: Path) -> PreprocessParams | None:
    try:
        return Dataset(out).preprocessing.identity()
    except DatasetError:
        return None  # another version of this program wrote it


def _show(home: Home, scores: LeakScores, out: Path, dataset: Path) -> None:
    console.print(headline(scores), style="bold", markup=False)
    table = Table("on the same images", "clean", "leaked", "difference", "95 % interval")
    for name, one in scores.figures.items():
        values = f"{one.clean:.3f}", f"{one.leaked:.3f}", f"{one.difference:+.3f}", f"{one.low:+.3f} to {one.high:+.3f}"
        table.add_row(NAMES[name], *values)
    table.caption = (
        f"{scores.test_images:,} test images of {scores.test_groups:,} groups; {scores.leaked_images:,} of {scores.train_images:,} "
        "training images differ"
    )
    console.print(table)
    if scores.phantom:
        console.print("These images were drawn: the figures say nothing about skin.")
    console.print(f"data: {dataset}", markup=False)
    where = server_address(home) or "dermacare ui"
    console.print(f"page: {out / 'leak.md'}; the run stands in MLflow: {where}", markup=False)
