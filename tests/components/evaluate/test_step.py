"""The step on drawn datasets and real bundles, judged by the files that it writes."""

import json
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from PIL import Image

from components.dataset import Dataset, read_manifest, write_manifest
from components.errors import BundleError, DatasetError
from components.evaluate import evaluate
from components.lesions import CODES, Split, Task
from components.params import EvaluateParams
from components.reporter import Reporter
from components.scores import OFFICIAL_TOLERANCE, read_scores
from tests.bundles import classifier_bundle, segmenter_bundle
from tests.datasets import preprocessed_dataset

PARAMS = EvaluateParams(overlays=5)


class Listener(Reporter):
    """Keeps what the step says."""

    def __init__(self, out: Path) -> None:
        super().__init__(out, "evaluate")
        self.done: list[tuple[int, int]] = []
        self.said: list[str] = []

    def progress(self, done: int, total: int, what: str = "") -> None:
        self.done.append((done, total))

    def message(self, text: str) -> None:
        self.said.append(text)


def run(dataset: Path, models: list[Path], out: Path, params: EvaluateParams = PARAMS) -> Listener:
    out.mkdir(exist_ok=True)
    listener = Listener(out)
    evaluate(dataset, models, out, params, listener)
    return listener


@pytest.fixture(scope="module")
def dataset(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return preprocessed_dataset(tmp_path_factory.mktemp("data"), per_class=6)


@pytest.fixture(scope="module")
def models(tmp_path_factory: pytest.TempPathFactory) -> list[Path]:
    root = tmp_path_factory.mktemp("models")
    return [
        segmenter_bundle(root / "segmenter"),
        classifier_bundle(root / "skilled", name="skilled"),
        classifier_bundle(root / "blind", name="blind", sharpness=0),
    ]


@pytest.fixture(scope="module")
def evaluated(dataset: Path, models: list[Path], tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, Listener]:
    out = tmp_path_factory.mktemp("out")
    return out, run(dataset, models, out)


def test_a_model_without_knowledge_scores_as_chance_does_and_a_skilled_one_above(evaluated):
    scores = {model.name: model.test for model in read_scores(evaluated[0]).classifiers()}
    assert scores["blind"].accuracy == pytest.approx(1 / 8)  # all images are called MEL, an eighth of them is
    assert scores["blind"].macro_auc == pytest.approx(0.5)
    assert scores["skilled"].accuracy > 0.3
    assert scores["skilled"].macro_auc > 0.8


def test_a_segmenter_that_sees_the_lesion_agrees_with_its_mask(evaluated):
    (model,) = read_scores(evaluated[0]).segmenters()
    assert model.test.per_image.dice > 0.8
    assert model.test.images == model.val.images == 16


def test_the_figures_are_those_of_the_predictions_that_lie_beside_them(evaluated):
    out, _ = evaluated
    scores = read_scores(out).models["skilled"].test
    table = pd.read_parquet(out / "predictions" / "skilled.parquet")
    test = table[table["split"] == "test"]
    predicted = test[[f"p_{code}" for code in CODES]].to_numpy().argmax(axis=1)
    assert np.mean([CODES[i] for i in predicted] == test["label"]) == pytest.approx(scores.accuracy)
    masks = pd.read_parquet(out / "predictions" / "tiny_segmenter.parquet")
    assert masks[masks["split"] == "test"]["dice"].mean() == pytest.approx(
        read_scores(out).models["tiny_segmenter"].test.per_image.dice
    )


def test_the_figures_that_models_are_compared_by_lie_in_small_files_too(evaluated):
    out = evaluated[0]
    skilled, segmenter = (read_scores(out).models[name] for name in ("skilled", "tiny_segmenter"))
    assert json.loads((out / "metrics/test/skilled.json").read_text()) == pytest.approx(
        {
            "accuracy": skilled.test.accuracy,
            "balanced_accuracy": skilled.test.balanced_accuracy,
            "macro_f1": skilled.test.macro.f1,
            "macro_auc": skilled.test.macro_auc,
        }
    )
    assert json.loads((out / "metrics/val/tiny_segmenter.json").read_text()) == pytest.approx(
        {"dice": segmenter.val.per_image.dice, "jaccard": segmenter.val.per_image.jaccard}
    )
    assert len(pd.read_csv(out / "plots/confusion/blind.csv")) == skilled.test.images


def test_predictions_hold_every_val_and_test_image_and_no_other(evaluated, dataset):
    table = pd.read_parquet(evaluated[0] / "predictions" / "skilled.parquet")
    data = Dataset(dataset)
    expected = [row for split in (Split.VAL, Split.TEST) for row in data.rows(Task.CLASSIFICATION, split)["image_id"]]
    assert sorted(table["image_id"]) == sorted(expected)
    assert table.columns.tolist() == [
        "image_id",
        "lesion_id",
        "group_id",
        "split",
        "fold",
        "label",
        *(f"p_{code}" for code in CODES),
    ]


def test_each_model_has_its_figures(evaluated):
    figures = {path.relative_to(evaluated[0] / "figures").as_posix() for path in (evaluated[0] / "figures").rglob("*.png")}
    assert figures == {
        "f1_by_diagnosis.png",
        "skilled/confusion.png",
        "skilled/doubtful.png",
        "skilled/mistakes.png",
        "skilled/roc.png",
        "skilled/slices.png",
        "blind/confusion.png",
        "blind/doubtful.png",
        "blind/mistakes.png",
        "blind/roc.png",
        "blind/slices.png",
        "tiny_segmenter/dice.png",
        "tiny_segmenter/overlays.png",
        "tiny_segmenter/slices.png",
    }


def test_the_official_scorer_agrees_on_the_files_that_can_be_submitted(dataset, evaluated):
    out, listener = evaluated
    models = read_scores(out).models
    assert all(model.official.largest_difference < OFFICIAL_TOLERANCE for model in models.values())
    assert models["skilled"].official.figures["balanced_accuracy"].ours == models["skilled"].test.balanced_accuracy
    assert models["blind"].official.left_out == ["balanced_accuracy"]
    assert [text for text in listener.said if "where it looks" not in text] == [
        "blind: 16 images of test have two equally probable diagnoses, which the official scorer counts as wrong; "
        "balanced accuracy is not compared with its own"
    ]
    submission, scored = out / "submission", out / "scored"
    assert sorted(path.name for path in submission.iterdir()) == ["blind.csv", "skilled.csv", "tiny_segmenter"]
    assert sorted(path.name for path in scored.iterdir()) == ["ground_truth", "ground_truth.csv", "tiny_segmenter"]
    test = Dataset(dataset).rows(Task.SEGMENTATION, Split.TEST)
    masks = {f"{image}_segmentation.png": (width, height) for image, width, height in test[["image_id", "width", "height"]].values}
    assert len(masks) == 16
    for folder in (scored / "ground_truth", scored / "tiny_segmenter", submission / "tiny_segmenter"):
        assert {path.name for path in folder.iterdir()} == set(masks)
    for name, size in masks.items():
        with Image.open(submission / "tiny_segmenter" / name) as mask:
            assert mask.size == size


def test_every_figure_of_both_splits_has_its_interval(evaluated):
    for model in read_scores(evaluated[0]).models.values():
        for scores in (model.val, model.test):
            name = "dice" if model.task == "segmentation" else "macro_f1"
            value = scores.per_image.dice if model.task == "segmentation" else scores.macro.f1
            assert scores.intervals[name].low <= value <= scores.intervals[name].high


def test_progress_counts_every_prediction_once(evaluated):
    done = evaluated[1].done
    assert done[-1] == (96, 96)
    assert done == sorted(done)


def test_a_killed_step_goes_on_and_gives_the_same_files(dataset, models, evaluated, tmp_path):
    class Killed(Exception):
        pass

    class Mortal(Listener):
        def progress(self, done: int, total: int, what: str = "") -> None:
            if done > 50:
                raise Killed
            super().progress(done, total, what)

    with pytest.raises(Killed):
        evaluate(dataset, models, tmp_path, PARAMS, Mortal(tmp_path))
    kept = tmp_path / "predictions" / "tiny_segmenter.parquet"
    before = kept.stat().st_mtime_ns
    run(dataset, models, tmp_path)
    assert kept.stat().st_mtime_ns == before
    for path in evaluated[0].rglob("*.*"):
        assert (tmp_path / path.relative_to(evaluated[0])).read_bytes() == path.read_bytes(), path


def test_no_output_names_the_folder_that_it_was_made_in(evaluated):
    for path in evaluated[0].rglob("*.*"):
        assert str(evaluated[0]).encode() not in path.read_bytes()


def test_a_source_with_masks_alone_is_judged_alone(tmp_path, models):
    data = preprocessed_dataset(tmp_path / "data", per_class=3, tasks=[Task.SEGMENTATION])
    run(data, models[:1], tmp_path / "out")
    scores = read_scores(tmp_path / "out")
    assert scores.classifiers() == []
    assert not (tmp_path / "out" / "figures" / "f1_by_diagnosis.png").exists()


def test_a_diagnosis_that_test_lacks_is_named_and_has_no_area(tmp_path, models):
    data = preprocessed_dataset(tmp_path / "data", per_class=3)
    manifest = read_manifest(data)
    write_manifest(data, manifest[~((manifest["label"] == "DF") & (manifest["split"] == "test"))])
    listener = run(data, models[1:2], tmp_path / "out")
    assert listener.said == [
        "skilled: no AUC on test for DF, which it does not hold",
        "skilled: where it looks is not told: its network does not end in global average pooling and dense layers",
    ]
    assert read_scores(tmp_path / "out").models["skilled"].test.classes["DF"].auc is None


def test_a_mask_predicted_at_another_size_is_judged_at_the_stored_one(tmp_path, dataset, evaluated):
    run(dataset, [segmenter_bundle(tmp_path / "half", input_size=(16, 16))], tmp_path / "out")
    (half,) = read_scores(tmp_path / "out").segmenters()
    (full,) = read_scores(evaluated[0]).segmenters()
    assert half.test.per_image.dice == pytest.approx(full.test.per_image.dice, abs=0.12)


def test_no_overlays_are_drawn_where_none_are_asked_for(tmp_path, dataset, models):
    run(dataset, models[:1], tmp_path, PARAMS.model_copy(update={"overlays": 0}))
    assert not (tmp_path / "figures" / "tiny_segmenter" / "overlays.png").exists()


def test_two_models_of_one_name_are_refused(tmp_path, dataset):
    paths = [classifier_bundle(tmp_path / place, name="twin") for place in ("a", "b")]
    with pytest.raises(BundleError, match=r"is named twin, as .* is; give each model its own name"):
        run(dataset, paths, tmp_path / "out")


def test_a_split_without_images_is_named(tmp_path, models):
    data = preprocessed_dataset(tmp_path / "data", per_class=3)
    manifest = read_manifest(data)
    write_manifest(data, manifest[manifest["split"] != "val"])
    with pytest.raises(DatasetError, match=r"classification has no val images; .*validate\.val_share"):
        run(data, models[1:2], tmp_path / "out")


def test_a_model_whose_training_diverged_is_named(tmp_path, dataset):
    path = classifier_bundle(tmp_path / "model", name="diverged", sharpness=float("nan"))
    with pytest.raises(BundleError, match=r"diverged: its prediction for T_\w+ is no number; training diverged"):
        run(dataset, [path], tmp_path / "out")
