"""What a reviewer finds in MLflow after the step, whatever happened on the way."""

import json
import os
import signal
import sqlite3
from collections.abc import Callable
from contextlib import closing
from dataclasses import replace
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import pandas as pd
import pytest

from components.bundle import Bundle, bundle_digest
from components.dataset import Dataset
from components.errors import LedgerError, TrackingError
from components.evaluate import evaluate
from components.images import decode_image
from components.lesions import CODES, Diagnosis
from components.params import EvaluateParams
from components.promotion import reading
from components.promotion.entries import Action, Outcome
from components.register import register, step
from components.register.context import DataContext, RunContext
from components.register.notes import model_note, run_note
from components.register.publish import ModelRecord
from components.release import Judged
from components.reporter import Reporter
from components.scores import read_scores
from components.tracking import Ledger, Tracker, UsedData
from tests.bundles import classifier_bundle, trained_on
from tests.components.leak_study.studies import leak_scores
from tests.components.register.conftest import PARAMS, RUN, UNSEEN, Made, classifier, judged, releases_of, trained
from tests.datasets import draw_lesion
from tests.mlflow_server import address, free_port, kill, server

CLASSIFIER, SEGMENTER = "lesion-classifier", "lesion-segmenter"


def aliases(ledger: Ledger, name: str = CLASSIFIER) -> dict[str, int]:
    found = ledger.client.get_registered_model(name).aliases
    return {alias: int(version) for alias, version in found.items()}


def versions(ledger: Ledger, name: str = CLASSIFIER) -> list[Any]:
    return sorted(ledger.client.search_model_versions(f"name = '{name}'"), key=lambda version: int(version.version))


def curves(ledger: Ledger, run: str) -> dict[str, list[tuple[int, float]]]:
    metrics = ledger.client.get_run(run).data.metrics
    history = {key: ledger.client.get_metric_history(run, key) for key in metrics}
    return {key: [(metric.step, metric.value) for metric in points] for key, points in history.items()}


def stored_curves(ledger: Ledger, run: str) -> dict[str, list[tuple[int, float]]]:
    """The same out of a home's own database by one query, where MLflow asks once a metric, of which there are hundreds."""
    if not ledger.uri.startswith("sqlite:"):
        return curves(ledger, run)
    found: dict[str, list[tuple[int, float]]] = {}
    with closing(sqlite3.connect(ledger.uri.removeprefix("sqlite:///"))) as connection:
        query = "select key, step, value from metrics where run_uuid = ? order by timestamp, step, value"
        for key, step_, value in connection.execute(query, (run,)):
            found.setdefault(key, []).append((step_, value))
    return found


def files(ledger: Ledger, run: str, folder: str = "") -> list[str]:
    found = []
    for file in ledger.client.list_artifacts(run, folder):
        found += files(ledger, run, file.path) if file.is_dir else [file.path]
    return found


def encoded(diagnosis: Diagnosis, size: tuple[int, int] = (60, 80)) -> tuple[bytes, np.ndarray]:
    image, mask = draw_lesion(diagnosis, size, np.random.default_rng(0))
    return cv2.imencode(".png", image[..., ::-1])[1].tobytes(), mask


class TestRuns:
    def test_each_model_has_a_run_below_that_of_the_pipeline(self, made, registered):
        ledger = registered.ledger
        parent = ledger.pipeline_run(RUN)
        children = {run.data.tags["dermacare.model"]: run for run in ledger.children(parent.info.run_id)}
        assert set(children) == {"outliner", "blind", "skilled"}
        assert {run.info.status for run in [parent, *children.values()]} == {"FINISHED"}

    def test_a_model_run_holds_all_that_is_known_of_the_model(self, made, registered):
        ledger = registered.ledger
        run = ledger.model_run(RUN, "skilled")
        assert run.data.params["learning_rate"] == "0.001"
        assert run.data.params["parameters_total"] == "32"
        assert run.data.params["preprocess.remove_hair"] == "False"
        assert run.data.params["library.keras"] == "3.15.1"
        assert run.data.metrics["parameters_total"] == 32
        assert {"val/macro_f1", "test/macro_f1", "test/MEL/recall", "test/weighted_precision"} <= set(run.data.metrics)
        assert run.data.tags["dermacare.commit"] == "c" * 40
        assert run.data.tags["dermacare.dirty"] == "false"
        assert run.data.tags["dermacare.phantom"] == "true"
        assert run.data.tags["dermacare.data_version"] == Dataset(made.dataset).version
        assert run.data.tags["dermacare.val_rows"] == "val"
        assert "dermacare.trained_in" not in run.data.tags
        assert curves(ledger, run.info.run_id)["val_loss"] == [(0, 1.5), (1, 0.75)]
        assert sorted(files(ledger, run.info.run_id)) == [
            "MODEL_CARD.md",
            "figures/evaluation/confusion.png",
            "figures/evaluation/doubtful.png",
            "figures/evaluation/mistakes.png",
            "figures/evaluation/refusal.png",
            "figures/evaluation/roc.png",
            "figures/evaluation/slices.png",
            "figures/training/curves.png",
            "scores.json",
        ]
        (used,) = run.inputs.dataset_inputs
        assert used.dataset.digest == Dataset(made.dataset).version[:36]
        segmenter = ledger.model_run(RUN, "outliner").data.metrics
        assert segmenter["test/dice"] > 0.5
        assert "test/pooled/jaccard" in segmenter

    def test_the_pipeline_run_holds_the_main_figures_of_the_models_that_were_chosen(self, made, registered):
        metrics = registered.ledger.pipeline_run(RUN).data.metrics
        assert metrics["test/macro_f1"] == registered.release.classifier.test
        assert metrics["val/dice"] == registered.release.segmenter.validation
        # A segmenter's share of right pixels must not pass for a classifier's share of right images.
        assert metrics["test/accuracy"] == registered.ledger.model_run(RUN, "skilled").data.metrics["test/accuracy"]
        assert "test/MEL/recall" not in metrics

    def test_a_run_lasts_as_long_as_its_training(self, made, registered):
        ledger = registered.ledger
        info = ledger.model_run(RUN, "skilled").info
        history = ledger.client.get_metric_history(info.run_id, "loss")
        assert (info.start_time, info.end_time) == (history[0].timestamp, history[-1].timestamp)

    def test_the_description_says_what_was_trained_on_what_and_how_well(self, made, registered):
        ledger = registered.ledger
        note = ledger.pipeline_run(RUN).data.tags["mlflow.note.content"]
        assert "3 models, profile `demo`, code cccccccccccc." in note
        assert "Drawn images (phantom)" in note
        assert f"Data: phantom, version `{Dataset(made.dataset).version[:12]}`" in note
        assert "| skilled | 32 |" in note
        test = read_scores(made.evaluation).models["skilled"].test
        assert f"| {test.macro.f1:.3f} ({test.intervals['macro_f1']}) |" in note
        assert "95 % intervals, by bootstrap over" in note
        assert "lesion-classifier: version 1 is now in production" in note
        assert "Nothing served before." in note
        assert "| skilled | 32 |" in ledger.model_run(RUN, "skilled").data.tags["mlflow.note.content"]

    def test_the_pipeline_run_and_those_of_its_models_lead_to_each_other(self, made, registered):
        ledger = registered.ledger
        parent, child = ledger.pipeline_run(RUN), ledger.model_run(RUN, "skilled")
        place = f"#/experiments/{ledger.experiment_id}/runs"
        assert f"[skilled]({place}/{child.info.run_id})" in parent.data.tags["mlflow.note.content"]
        assert f"[this pipeline run]({place}/{parent.info.run_id})" in child.data.tags["mlflow.note.content"]
        assert child.data.tags["mlflow.parentRunId"] == parent.info.run_id

    def test_the_description_says_whose_figures_of_val_are_out_of_fold(self, made):
        scores = read_scores(made.evaluation)
        folds = scores.models["skilled"].model_copy(update={"val_rows": "out of fold"})
        scores = scores.model_copy(update={"models": scores.models | {"skilled": folds}})
        run = RunContext(run_id=RUN)
        records = [ModelRecord.read(model, scores.models, run) for model in made.models]
        data = UsedData("phantom", "f" * 64, {"images": {}, "phantom": True})
        told = "val of skilled: out-of-fold predictions of train and val, since it was trained with folds."
        assert told in run_note(records, scores, data, run, None)
        assert told in model_note(records[2], data, run)
        assert "out-of-fold" not in model_note(records[1], data, run)

    def test_the_description_and_the_page_say_what_a_leak_is_worth(self, made, ledger, tmp_path):
        inputs = made.dataset, made.models, made.evaluation, tmp_path, PARAMS, Reporter(tmp_path, "register"), ledger
        known = replace(UNSEEN, leak=leak_scores(0.01, 0.02, 0.05))
        register(*inputs, releases_of(tmp_path), RunContext(run_id=RUN), known)
        note = ledger.pipeline_run(RUN).data.tags["mlflow.note.content"]
        assert note.index("is now in production") < note.index("| skilled | 32 |") < note.index("### What a leak is worth")
        page = (tmp_path / "REPORT.html").read_text()
        assert "balanced accuracy 0.500 becomes 0.520 (+0.020, 95 % interval +0.010 to +0.050)." in " ".join(page.split())

    def test_pictures_of_other_steps_belong_to_the_pipeline_run(self, made, ledger, tmp_path):
        sheet = made.models[0] / "figures"
        inputs = made.dataset, made.models, made.evaluation, tmp_path, PARAMS, Reporter(tmp_path, "register"), ledger
        register(*inputs, releases_of(tmp_path), RunContext(run_id=RUN), UNSEEN, {"augment_balance": sheet})
        found = files(ledger, ledger.pipeline_run(RUN).info.run_id)
        assert sorted(found) == [
            "REPORT.html",
            "figures/augment_balance/curves.png",
            "figures/evaluate/f1_by_diagnosis.png",
            "figures/interactive.html",
            "splits.parquet",
        ]

    def test_a_reused_model_names_the_run_that_trained_it(self, made, ledger, tmp_path):
        made.register(ledger, tmp_path / "first")
        trainer = ledger.model_run(RUN, "skilled").info.run_id
        second = RunContext(run_id="20261125-000000-bbbb", reused={"skilled": RUN, "blind": RUN, "outliner": RUN})
        made.register(ledger, tmp_path / "second", second)
        run = ledger.model_run(second.run_id, "skilled")
        assert run.data.tags["dermacare.trained_in"] == trainer
        assert run.data.metrics == ledger.client.get_run(trainer).data.metrics
        assert f"Trained in run `{RUN}` and reused here." in run.data.tags["mlflow.note.content"]
        assert run.info.start_time > ledger.client.get_run(trainer).info.start_time
        outputs = {run: ledger.client.get_run(run).outputs.model_outputs[0].model_id for run in (trainer, run.info.run_id)}
        assert len(set(outputs.values())) == 1, "the bundle is stored once, and both runs link to it"

    def test_a_source_of_one_task_publishes_that_task(self, made, ledger, tmp_path):
        alone = Made(made.dataset, made.models[:1], made.evaluation)
        release = alone.register(ledger, tmp_path / "out")
        assert release.classifier is None
        assert release.segmenter.model == "outliner"


class TestLive:
    def test_what_was_live_is_not_doubled_by_the_whole(self, made, ledger, mlflow_uri, tmp_path):
        events = [json.loads(line) for line in (made.models[2] / "metrics.jsonl").read_text().splitlines()]
        tracker = Tracker(Ledger(mlflow_uri, "dermacare"))
        tracker.start_run(RUN, profile="demo", params={}, name="demo", description="What.", tags={})
        for event in events:
            tracker.handle({**event, "step": "train_classifier/skilled"})
        tracker.end_run("FINISHED")
        made.register(ledger, tmp_path / "out")
        run = ledger.model_run(RUN, "skilled").info.run_id
        assert curves(ledger, run)["loss"] == [(0, 1.0), (1, 0.5)]
        assert len(ledger.search("")) == 4

    def test_a_run_that_somebody_owns_is_left_to_its_owner(self, made, ledger, tmp_path):
        owner = ledger.ensure_pipeline_run(RunContext(run_id=RUN).details())
        ledger.set_tags(owner, {"dermacare.host": "elsewhere", "dermacare.process": "otherboot-1 12.00"})
        made.register(ledger, tmp_path / "out")
        assert ledger.client.get_run(owner).info.status == "RUNNING"

    def test_without_mlflow_the_step_says_what_to_do(self, made, tmp_path, monkeypatch):
        monkeypatch.setattr(step, "_PAUSES", (0.01,))
        with pytest.raises(TrackingError, match=r"publishing run .* failed .*; see that the server answers, then run the same"):
            made.register(Ledger(f"http://127.0.0.1:{free_port()}", "dermacare"), tmp_path / "out")

    @pytest.mark.slow
    def test_a_server_that_dies_while_models_are_published_ends_with_everything_once(
        self, made, mlflow_database, tmp_path, monkeypatch
    ):
        monkeypatch.setattr(step, "_PAUSES", ())
        address(mlflow_database, tmp_path)
        port = free_port()
        with server(tmp_path, port) as process:
            ledger = Ledger(f"http://127.0.0.1:{port}", "dermacare")
            writes = Mortal.of(ledger, 20, lambda: kill(process))
            with pytest.raises(TrackingError):
                made.register(ledger, tmp_path / "out")
            assert writes.count >= 20
        with server(tmp_path, port):
            ledger = Ledger(f"http://127.0.0.1:{port}", "dermacare")
            made.register(ledger, tmp_path / "out")
            assert_whole(ledger, RUN, made, version=1)
            model = load(f"http://127.0.0.1:{port}", CLASSIFIER)
            assert model.predict(pd.DataFrame({"image": [encoded(Diagnosis.VASC)[0]]}))["diagnosis"].tolist() == ["VASC"]


class Killed(BaseException):
    """Stands for a kill: nothing of ours catches it."""


class Mortal:
    """MLflow's client, but its process dies after its n-th writing call, or call of `only` (n = 0: before the first)."""

    WRITES = ("create_", "log_", "set_", "update_", "finalize_", "delete_")

    def __init__(self, client: Any, writes: int, die: Callable[[], None], only: str) -> None:
        self._client = client
        self._only = only
        self._writes = writes
        self._die = die
        self.count = 0

    @classmethod
    def of(cls, ledger: Ledger, writes: int, die: Callable[[], None], only: str = "") -> "Mortal":
        mortal = cls(ledger.client, writes, die, only)
        ledger.__dict__["client"] = mortal
        return mortal

    def __getattr__(self, name: str) -> Any:
        known = getattr(self._client, name)
        if not name.startswith(self._only or self.WRITES):
            return known

        def write(*given: Any, **named: Any) -> Any:
            self.count += 1
            if self._writes == 0:
                self._die()
            answer = known(*given, **named)
            if self.count == self._writes:
                self._die()
            return answer

        return write


def die() -> None:
    raise Killed


def assert_whole(ledger: Ledger, run_id: str, made: Made, version: int) -> None:
    """Everything of a run is in MLflow once, and its classifier is in production as this version."""
    runs = [run for run in ledger.search("") if run.data.tags["dermacare.run_id"] == run_id]
    assert sorted(run.data.tags.get("dermacare.model", "") for run in runs) == sorted(["", *(path.name for path in made.models)])
    assert {run.info.status for run in runs} == {"FINISHED"}
    for run in runs:
        if "dermacare.model" in run.data.tags:
            known = stored_curves(ledger, run.info.run_id)
            assert known["loss"] == [(0, 1.0), (1, 0.5)]
            assert len(run.outputs.model_outputs) == len(run.inputs.dataset_inputs) == 1
            assert {len(points) for key, points in known.items() if "/" in key} == {1}
    stored = ledger.client.search_logged_models([ledger.experiment_id])
    assert {model.status for model in stored} == {"READY"}
    digests = [model.tags["dermacare.bundle"] for model in stored]
    assert len(digests) == len(set(digests))
    assert [int(one.version) for one in versions(ledger)] == list(range(1, version + 1))
    assert aliases(ledger) == {"production": version} | ({"previous": version - 1} if version > 1 else {})
    assert [int(one.version) for one in versions(ledger, SEGMENTER)] == [1]


def kill_after_every_other_write(made: Made, uri: str, root: Path, first: int) -> int:
    """For n = first, first + 2, …: a new classifier, `register` killed after its n-th write, then whole. Returns the last n."""
    version, writes = 0, first
    while True:
        version += 1
        bundle = classifier(made.dataset, root / str(version) / "skilled", name="skilled", sharpness=400 + version)
        this = Made(made.dataset, [made.models[0], bundle], made.evaluation)
        run = RunContext(run_id=f"run-{version:03d}", profile="demo")
        out = root / f"out-{version}"
        ledger = Ledger(uri, "dermacare")
        Mortal.of(ledger, writes, die)
        try:
            this.register(ledger, out, run)
        except Killed:
            pass
        else:
            return writes
        healthy = Ledger(uri, "dermacare")
        release = this.register(healthy, out, run)
        assert_whole(healthy, run.run_id, this, version)
        assert release.classifier.version == release.classifier.serving == version
        assert release.classifier.outcome is Outcome.PROMOTE
        assert release.classifier.previous == (version - 1 or None)
        assert len(releases_of(out).entries()) == version
        writes += 2


@pytest.mark.timeout(3600)  # dozens of registrations, on a slow machine
@pytest.mark.usefixtures("every_model_serves")
class TestKills:
    def test_a_kill_between_the_two_aliases_loses_neither_model(self, skilled, mlflow_uri, tmp_path):
        skilled.register(Ledger(mlflow_uri, "dermacare"), tmp_path / "first")
        other = classifier(skilled.dataset, tmp_path / "skilled", name="skilled", sharpness=300)
        this, run = Made(skilled.dataset, [other], skilled.evaluation), RunContext(run_id="second")
        ledger = Ledger(mlflow_uri, "dermacare")
        Mortal.of(ledger, 1, die, only="set_registered_model_alias")
        with pytest.raises(Killed):
            this.register(ledger, tmp_path / "out", run)
        assert aliases(Ledger(mlflow_uri, "dermacare"))["production"] == 1
        this.register(Ledger(mlflow_uri, "dermacare"), tmp_path / "out", run)
        assert aliases(Ledger(mlflow_uri, "dermacare")) == {"production": 2, "previous": 1}

    @pytest.mark.slow
    @pytest.mark.parametrize("first", [0, 1])
    def test_a_kill_after_each_single_write_doubles_nothing(self, made, mlflow_uri, tmp_path, first):
        assert kill_after_every_other_write(made, mlflow_uri, tmp_path, first) > 30

    @pytest.mark.slow
    def test_a_kill_while_the_first_versions_ever_are_made_doubles_nothing(self, made, mlflow_database, tmp_path):
        this = Made(made.dataset, made.models[::2], made.evaluation)
        counted = Ledger(address(mlflow_database, tmp_path / "counted"), "dermacare")
        total = Mortal.of(counted, -1, die)
        this.register(counted, tmp_path / "counted" / "out")
        for writes in range(total.count - 10, total.count):
            uri = address(mlflow_database, tmp_path / str(writes))
            ledger = Ledger(uri, "dermacare")
            Mortal.of(ledger, writes, die)
            with pytest.raises(Killed):
                this.register(ledger, tmp_path / str(writes) / "out")
            this.register(Ledger(uri, "dermacare"), tmp_path / str(writes) / "out")
            assert_whole(Ledger(uri, "dermacare"), RUN, this, version=1)

    @pytest.mark.parametrize("writes", [38])
    def test_a_process_that_is_killed_by_the_system_leaves_what_the_next_one_finishes(self, made, mlflow_uri, tmp_path, writes):
        child = os.fork()
        if child == 0:  # a process of its own, so that SIGKILL takes it and not the tests
            ledger = Ledger(mlflow_uri, "dermacare")
            Mortal.of(ledger, writes, lambda: os.kill(os.getpid(), signal.SIGKILL))
            made.register(ledger, tmp_path / "out")
            os._exit(0)
        assert os.WTERMSIG(os.waitpid(child, 0)[1]) == signal.SIGKILL
        ledger = Ledger(mlflow_uri, "dermacare")
        made.register(ledger, tmp_path / "out")
        assert_whole(ledger, RUN, made, version=1)


@pytest.mark.usefixtures("every_model_serves")
class TestProduction:
    def test_the_best_on_validation_is_put_forward_and_says_why(self, made, registered):
        ledger, release = registered.ledger, registered.release
        judged = release.classifier
        assert (judged.model, judged.version, judged.outcome, judged.serving) == ("skilled", 1, Outcome.PROMOTE, 1)
        assert judged.chosen.startswith("skilled has the best macro F1 on validation, ")
        assert release.segmenter.chosen.startswith("outliner is the only candidate, Dice ")
        (version,) = versions(ledger)
        assert version.tags["reason"] == judged.chosen
        assert version.description.startswith("Promote (policy trial): every gate holds.")
        assert "| comparison | holds | nothing serves yet |" in version.description
        assert version.run_id == ledger.model_run(RUN, "skilled").info.run_id
        expected = {
            "model": "skilled",
            "run_id": RUN,
            "data_version": Dataset(made.dataset).version,
            "commit": "c" * 40,
            "dirty": "false",
            "phantom": "true",
            "decision": "promote",
            "gate.comparison": "holds",
            "ledger": release.ledger,
        }
        assert expected.items() <= version.tags.items()
        assert version.tags["dermacare.bundle"] == bundle_digest(made.models[2])
        assert ledger.pipeline_run(RUN).data.tags["dermacare.decision.lesion-classifier"] == "promote"

    def test_the_one_before_is_previous_and_the_description_says_what_changed(self, skilled, ledger, tmp_path):
        skilled.register(ledger, tmp_path / "first")
        bundle = classifier(skilled.dataset, tmp_path / "skilled", name="skilled", sharpness=300)
        run = RunContext(run_id="later", profile="demo", commit="e" * 40, dirty=True, params={"train_unet.epochs": "9"})
        Made(skilled.dataset, [bundle], skilled.evaluation).register(ledger, tmp_path / "second", run)
        assert aliases(ledger) == {"production": 2, "previous": 1}
        pipeline = ledger.pipeline_run("later")
        note = pipeline.data.tags["mlflow.note.content"]
        assert f"Against version 1, skilled of run `{RUN}`:" in note
        assert "| `train_unet.epochs` | 2 | 9 |" in note
        assert "| commit | cccccccccccc | eeeeeeeeeeee with uncommitted changes |" in note
        assert pipeline.info.run_name.startswith("demo: skilled macro F1 ")
        assert pipeline.info.run_name.endswith("(+0.000), promoted")
        assert "alias" not in (tmp_path / "second.jsonl").read_text(), "that it moves by right is nothing to be told"

    def test_a_second_run_of_the_same_models_moves_nothing(self, skilled, ledger, tmp_path):
        skilled.register(ledger, tmp_path / "first")
        again = skilled.register(ledger, tmp_path / "second", RunContext(run_id="later"))
        assert (again.classifier.outcome, again.classifier.serves) == (Outcome.SERVES, True)
        assert aliases(ledger) == {"production": 1}
        assert "version 1 stays in production" in ledger.pipeline_run("later").data.tags["mlflow.note.content"]
        assert versions(ledger)[0].tags["decision"] == "promote"

    def test_a_bundle_that_comes_back_is_its_old_version(self, skilled, ledger, tmp_path):
        skilled.register(ledger, tmp_path / "first")
        other = classifier(skilled.dataset, tmp_path / "skilled", name="skilled", sharpness=300)
        Made(skilled.dataset, [other], skilled.evaluation).register(ledger, tmp_path / "second", RunContext(run_id="second"))
        back = skilled.register(ledger, tmp_path / "third", RunContext(run_id="third"))
        assert (back.classifier.version, back.classifier.outcome) == (1, Outcome.PROMOTE)
        assert aliases(ledger) == {"production": 1, "previous": 2}
        assert versions(ledger)[0].tags["run_id"] == RUN, "where it comes from does not change"

    def test_a_version_that_somebody_made_by_hand_serves_nobody(self, skilled, ledger, tmp_path):
        ledger.client.create_registered_model(CLASSIFIER)
        ledger.client.create_model_version(CLASSIFIER, source="file:///nowhere")
        ledger.client.set_registered_model_alias(CLASSIFIER, "production", "1")
        skilled.register(ledger, tmp_path / "out")
        assert aliases(ledger) == {"production": 2}

    def test_what_served_before_there_was_a_ledger_is_its_first_entry(self, skilled, ledger, tmp_path):
        skilled.register(ledger, tmp_path / "before" / "out")
        ledger.client.delete_model_version_tag(CLASSIFIER, "1", "ledger")  # version 0.1.0 noted none
        other = classifier(skilled.dataset, tmp_path / "skilled", name="skilled", sharpness=300)
        Made(skilled.dataset, [other], skilled.evaluation).register(ledger, tmp_path / "out", RunContext(run_id="second"))
        adopt, decide = releases_of(tmp_path / "out").entries()
        assert (adopt.action, adopt.release.classifier.number) == (Action.ADOPT, 1)
        assert decide.decisions[0].champion == adopt.release.classifier
        assert aliases(ledger) == {"production": 2, "previous": 1}

    def test_a_key_that_may_only_judge_lets_nothing_serve(self, skilled, ledger, tmp_path, monkeypatch):
        text = reading.project_file(reading.FILE).read_text()
        key = releases_of(tmp_path / "out").public_key
        (tmp_path / "promotion.yaml").write_text(text.replace("signers: {}", f"signers: {{pipeline: {{key: {key}, may: judge}}}}"))
        monkeypatch.setattr(reading, "project_file", lambda _: tmp_path / "promotion.yaml")
        release = skilled.register(ledger, tmp_path / "out")
        assert release.classifier.outcome is Outcome.NEEDS_APPROVAL
        assert release.classifier.reason == "every gate holds, and the key that judged it may not decide"
        assert aliases(ledger) == {}
        assert releases_of(tmp_path / "out").verify({}, reading.read_promotion().signers) == []
        (tmp_path / "promotion.yaml").write_text(text.replace("signers: {}", f"signers: {{somebody: {'A' * 44}}}"))
        with pytest.raises(LedgerError, match="signers does not list your key"):
            skilled.register(ledger, tmp_path / "again")

    def test_a_champion_that_was_deleted_in_mlflow_stops_no_run(self, skilled, ledger, tmp_path):
        skilled.register(ledger, tmp_path / "first")
        ledger.client.delete_model_version(CLASSIFIER, "1")
        release = skilled.register(ledger, tmp_path / "second", RunContext(run_id="second"))
        assert (release.classifier.version, release.classifier.outcome) == (2, Outcome.PROMOTE)
        assert aliases(ledger) == {"production": 2}
        last = releases_of(tmp_path / "second").newest()
        assert (last.decisions[0].champion.number, last.decisions[0].comparison) == (1, None)

    def test_an_alias_that_was_moved_by_hand_is_named_and_set_back(self, skilled, ledger, tmp_path):
        skilled.register(ledger, tmp_path / "first")
        other = classifier(skilled.dataset, tmp_path / "skilled", name="skilled", sharpness=300)
        Made(skilled.dataset, [other], skilled.evaluation).register(ledger, tmp_path / "second", RunContext(run_id="second"))
        ledger.client.set_registered_model_alias(CLASSIFIER, "production", "1")
        Made(skilled.dataset, [other], skilled.evaluation).register(ledger, tmp_path / "third", RunContext(run_id="third"))
        events = [json.loads(line) for line in (tmp_path / "third.jsonl").read_text().splitlines()]
        told = [event["text"] for event in events if event["kind"] == "message"]
        assert any(
            text.startswith("alias production of lesion-classifier pointed at version 1 although version 2") for text in told
        )
        assert aliases(ledger) == {"production": 2, "previous": 1}


class TestPolicy:
    """The policy as it is."""

    @pytest.fixture
    def second(self, skilled, ledger, tmp_path):
        """Register another classifier after the skilled one."""
        skilled.register(ledger, tmp_path / "first")

        def second(known: DataContext = UNSEEN, **more: Any) -> Judged:
            bundle = classifier(skilled.dataset, tmp_path / "other", name="other", **more)
            evaluation = judged(skilled.dataset, [bundle], tmp_path / "evaluated")
            run = RunContext(run_id="second")
            return Made(skilled.dataset, [bundle], evaluation).register(ledger, tmp_path / "second", run, known=known).classifier

        return second

    def test_a_model_that_is_worse_does_not_serve(self, second, ledger):
        judged = second(sharpness=0)
        assert (judged.outcome, judged.serving) == (Outcome.NEEDS_APPROVAL, 1)
        assert judged.reason.startswith("comparison: balanced accuracy -0.")
        assert judged.reason.endswith("images of 8 lesions: it is worse")
        assert aliases(ledger) == {"production": 1}
        assert versions(ledger)[1].tags["decision"] == "needs approval"

    def test_the_description_says_what_serves_and_what_a_person_can_do(self, second, ledger):
        second(sharpness=0)
        note = ledger.pipeline_run("second").data.tags["mlflow.note.content"]
        assert "### lesion-classifier: version 2 needs approval" in note
        assert "Version 1 serves until a person approves: `dermacare approve lesion-classifier/2 --reason …`" in note
        assert "| comparison | does not hold; a person may approve | balanced accuracy -0." in note
        assert "on the same 16 images of 8 lesions:" in note
        assert "McNemar's exact test: p = 0." in note

    def test_a_model_that_is_as_good_is_not_shown_to_be_better(self, second):
        assert second(sharpness=300).reason.endswith("not shown to be better")

    def test_the_page_says_it_on_its_first_lines(self, second, ledger, tmp_path):
        second(sharpness=0)
        run = ledger.pipeline_run("second").info.run_id
        assert files(ledger, run)[0] == "REPORT.html", "the first that a reviewer sees among the files"
        page = (tmp_path / "second" / "REPORT.html").read_text()
        assert "<h1>lesion-classifier: version 2 needs approval</h1>" in page
        assert "Version 1 serves until a person approves: dermacare approve lesion-classifier/2 --reason …" in page
        assert page.index("Gates") < page.index("By diagnosis")
        assert 'class="broken">a person may approve</td>' in page
        assert "Against lesion-classifier/1 (skilled), on the same images" in page
        assert "This test set has taken 2 decisions." in page
        assert "http://" not in page.replace("http://www.w3.org", "")
        assert "https://" not in page

    @pytest.mark.parametrize(
        ("learned", "told"),
        [(None, "whether it learned from images of test is not known"), (3, "it learned from lesions of 3 images of test")],
    )
    def test_a_champion_that_may_know_the_images_is_not_compared_with(self, second, learned, told):
        judged = second(DataContext(learned=lambda _: learned))
        assert judged.outcome is Outcome.NEEDS_APPROVAL
        assert told in judged.reason

    def test_melanomas_are_counted_at_the_specificity_at_which_they_were_measured(self, skilled, ledger, tmp_path):
        skilled.register(ledger, tmp_path / "first")
        bundle, out = classifier(skilled.dataset, tmp_path / "other", name="other", sharpness=0), tmp_path / "evaluated"
        out.mkdir()
        params = EvaluateParams(overlays=0, melanoma_specificity=0.5)
        evaluate(skilled.dataset, [bundle], out, params, Reporter(out, "evaluate"))
        Made(skilled.dataset, [bundle], out).register(ledger, tmp_path / "second", RunContext(run_id="second"))
        (decision,) = releases_of(tmp_path / "second").entries()[-1].decisions
        # At 0.9 neither finds one.
        assert decision.comparison.differences["melanoma_sensitivity"].value == -0.5

    def test_a_model_of_other_data_is_refused(self, made, ledger, tmp_path):
        bundle = trained(classifier_bundle(tmp_path / "skilled", name="skilled"))
        release = Made(made.dataset, [bundle], made.evaluation).register(ledger, tmp_path / "out")
        assert (release.classifier.outcome, release.classifier.serving) == (Outcome.REFUSE, None)
        assert "data: trained on data version dddddddddddd but judged on" in release.classifier.reason
        assert aliases(ledger) == {}

    def test_production_refuses_drawn_images(self, skilled, ledger, tmp_path):
        params = PARAMS.model_copy(update={"policy": "production"})
        release = skilled.register(ledger, tmp_path / "out", params=params)
        assert release.classifier.outcome is Outcome.REFUSE
        assert "phantom: it learned from drawn images" in release.classifier.reason
        (version,) = versions(ledger)
        assert "| slices | does not hold; a person may approve | no slice of test has lesions enough" in version.description


def load(uri: str, name: str) -> Any:
    import mlflow

    mlflow.set_tracking_uri(uri)
    return mlflow.pyfunc.load_model(f"models:/{name}@production")


class TestTrainedOn:
    """A second run whose model was trained on from the first one's."""

    @pytest.fixture
    def child(self, skilled, ledger, tmp_path):
        skilled.register(ledger, tmp_path / "first")
        bundle = trained_on(classifier(skilled.dataset, tmp_path / "child", name="child", sharpness=30), skilled.models[0])
        return Made(skilled.dataset, [bundle], judged(skilled.dataset, [bundle], tmp_path / "judged"))

    def test_the_version_and_the_run_name_their_parent(self, child, ledger, tmp_path):
        child.register(ledger, tmp_path / "second", RunContext(run_id="later", learned={"child": 0}))
        assert versions(ledger)[1].tags["parent"] == "lesion-classifier/1"
        assert "parent" not in versions(ledger)[0].tags
        run = ledger.model_run("later", "child")
        assert run.data.tags["dermacare.parent"] == "lesion-classifier/1"
        scores = read_scores(child.evaluation).models["child"]
        assert run.data.metrics["test/forgotten"] == sum(scores.parent.forgotten.values())
        assert run.data.metrics["parent/test/macro_f1"] == scores.parent.test.macro.f1

    def test_the_notes_say_what_was_forgotten_and_learned(self, child, ledger, tmp_path):
        child.register(ledger, tmp_path / "second", RunContext(run_id="later", learned={"child": 0}))
        parent = read_scores(child.evaluation).models["child"].parent
        for run in (ledger.pipeline_run("later"), ledger.model_run("later", "child")):
            note = run.data.tags["mlflow.note.content"]
            assert "Trained on from lesion-classifier/1:" in note
            assert f"| balanced accuracy, test | {parent.test.balanced_accuracy:.3f} |" in note
            forgotten, learned = sum(parent.forgotten.values()), sum(parent.learned.values())
            assert f"Of 16 test images, {forgotten} forgotten (right before, wrong now), {learned} learned (the reverse)" in note
            assert "optimistic" not in note

    @pytest.mark.parametrize(
        ("learned", "told"),
        [
            (None, "Whether lesion-classifier/1 learned from some of these images is not known"),
            (3, "lesion-classifier/1 learned from 3 of the images that judge: figures of both models may be optimistic"),
        ],
    )
    def test_a_parent_that_may_have_learned_from_these_images_is_doubted(self, child, ledger, tmp_path, learned, told):
        child.register(ledger, tmp_path / "second", RunContext(run_id="later", learned={"child": learned}))
        assert told in ledger.pipeline_run("later").data.tags["mlflow.note.content"]

    def test_a_parent_that_no_version_has_is_named_by_its_digest(self, made, ledger, tmp_path):
        bundle = trained_on(trained(classifier_bundle(tmp_path / "child", name="child")), made.models[1])
        Made(made.dataset, [bundle], judged(made.dataset, [bundle], tmp_path / "judged")).register(ledger, tmp_path / "out")
        assert versions(ledger)[0].tags["parent"] == bundle_digest(made.models[1])


class TestLoading:
    def test_the_classifier_in_production_answers_images_as_its_bundle_does(self, made, registered):
        black = cv2.imencode(".png", np.zeros((40, 40, 3), np.uint8))[1].tobytes()
        images = [encoded(Diagnosis.VASC)[0], encoded(Diagnosis.MEL, (90, 70))[0], black]
        answer = load(registered.ledger.uri, CLASSIFIER).predict(pd.DataFrame({"image": images}))
        expected = Bundle.load(made.models[2]).predict([decode_image(image, "image") for image in images])
        assert answer.columns.tolist() == ["diagnosis", *(f"p_{code}" for code in CODES), "set", "refused"]
        assert answer.iloc[:, 1:-2].to_numpy(float) == pytest.approx(expected)
        inside = [" ".join(np.array(CODES)[one >= 0.1]) for one in expected]
        assert answer["set"].tolist() == inside
        assert answer["refused"].tolist() == [False, False, True]
        assert answer["diagnosis"].tolist() == [CODES[place] for place in expected.argmax(axis=1)]
        assert answer["diagnosis"][0] == "VASC"

    def test_the_segmenter_in_production_answers_with_masks_of_the_images_size(self, registered):
        image, truth = encoded(Diagnosis.MEL, (60, 80))
        (row,) = load(registered.ledger.uri, SEGMENTER).predict(pd.DataFrame({"image": [image]})).to_dict("records")
        mask = cv2.imdecode(np.frombuffer(row["mask"], np.uint8), cv2.IMREAD_UNCHANGED)
        assert mask.shape == truth.shape
        assert set(np.unique(mask)) == {0, 255}
        assert row["lesion_share"] == pytest.approx((mask > 0).mean())
        assert 2 * ((mask > 0) & (truth > 0)).sum() / ((mask > 0).sum() + (truth > 0).sum()) > 0.8

    def test_it_answers_its_own_input_example(self, registered):
        model = load(registered.ledger.uri, CLASSIFIER)
        assert model.predict(model.input_example)["diagnosis"].isin(CODES).all()
        assert model.metadata.signature.inputs.input_names() == ["image"]

    def test_nothing_stored_is_a_pickle_or_names_this_machine(self, registered):
        stored = [path for path in (registered.home / "mlartifacts").rglob("*") if path.is_file()]
        assert not [path for path in stored if path.suffix in (".pkl", ".pickle")]
        for path in stored:
            if path.name == "MLmodel":
                assert str(registered.home) not in path.read_text()
                assert str(Path(step.__file__).parent) not in path.read_text()

    def test_the_bundle_is_linked_into_the_store_of_mlflow_and_not_copied(self, made, registered):
        weights = [path.stat().st_ino for path in (registered.home / "mlartifacts").rglob("weights.weights.h5")]
        assert sorted(weights) == sorted((model / "weights.weights.h5").stat().st_ino for model in made.models)

    def test_an_image_that_is_none_is_named_by_its_row(self, registered):
        with pytest.raises(Exception, match="row 1: is neither a JPEG nor a PNG"):
            load(registered.ledger.uri, CLASSIFIER).predict(pd.DataFrame({"image": [encoded(Diagnosis.MEL)[0], b"hello"]}))


def test_the_step_leaves_nothing_but_the_release(registered):
    assert [path.name for path in (registered.home / "out").iterdir()] == ["REPORT.html", "release.json"]
