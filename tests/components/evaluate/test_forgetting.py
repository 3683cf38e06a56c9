"""A model beside the one that it was trained on from: both judged by the same images."""

from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from components.dataset import Dataset
from components.errors import BundleError
from components.evaluate import evaluate
from components.lesions import CODES, Split, Task
from components.params import EvaluateParams
from components.register.against_parent import doubt
from components.reporter import Reporter
from components.scores import Scores, flat, read_scores
from tests.bundles import classifier_bundle, segmenter_bundle, trained_on
from tests.datasets import preprocessed_dataset


@pytest.fixture(scope="module")
def dataset(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return preprocessed_dataset(tmp_path_factory.mktemp("data"), per_class=6)


def judged(dataset: Path, out: Path, *models: Path) -> Scores:
    out.mkdir(exist_ok=True)
    evaluate(dataset, models, out, EvaluateParams(overlays=0), Reporter(out, "evaluate"))
    return read_scores(out)


def right(table: pd.DataFrame) -> np.ndarray:
    test = table[table["split"] == "test"]
    said = np.array(CODES)[test[[f"p_{code}" for code in CODES]].to_numpy().argmax(axis=1)]
    return said == test["label"].to_numpy()


def test_what_a_classifier_forgot_and_learned_is_counted_by_diagnosis(dataset: Path, tmp_path: Path) -> None:
    # `blind` calls every image MEL, so that all of MEL is there to forget.
    blind = classifier_bundle(tmp_path / "blind", name="blind", sharpness=0)
    child = trained_on(classifier_bundle(tmp_path / "child", name="child", sharpness=30), blind)
    scores = judged(dataset, tmp_path / "out", child)
    parent = scores.models["child"].parent
    alone = judged(dataset, tmp_path / "alone", blind, classifier_bundle(tmp_path / "same", name="same", sharpness=30))
    assert (parent.val, parent.test) == (alone.models["blind"].val, alone.models["blind"].test)
    assert scores.models["child"].test == alone.models["same"].test
    before = right(pd.read_parquet(tmp_path / "alone/predictions/blind.parquet"))
    now = right(pd.read_parquet(tmp_path / "alone/predictions/same.parquet"))
    assert sum(parent.learned.values()) == np.count_nonzero(now & ~before) > 0
    assert sum(parent.forgotten.values()) == np.count_nonzero(before & ~now)
    assert {code for code, count in parent.forgotten.items() if count} <= {"MEL"}
    assert parent.learned["MEL"] == 0
    assert (parent.name, parent.data_version) == ("blind", "d" * 64)
    gain = np.count_nonzero(now) - np.count_nonzero(before)
    assert sum(parent.learned.values()) - sum(parent.forgotten.values()) == gain


def test_a_segmenter_forgets_images_whose_dice_falls_by_more_than_a_tenth(dataset: Path, tmp_path: Path) -> None:
    parent = segmenter_bundle(tmp_path / "parent", name="parent")
    child = trained_on(segmenter_bundle(tmp_path / "child", name="child", threshold=1.0), parent)
    told = judged(dataset, tmp_path / "out", child).models["child"].parent
    tables = [pd.read_parquet(tmp_path / "out" / folder / "child.parquet") for folder in ("parents", "predictions")]
    before, now = (table.loc[table["split"] == "test", "dice"].to_numpy() for table in tables)
    assert told.forgotten == np.count_nonzero(before - now > 0.1) > 0
    assert told.learned == np.count_nonzero(now - before > 0.1)
    assert told.test.per_image.dice == pytest.approx(before.mean())


def test_a_parent_that_saw_another_size_is_judged_on_the_images_that_there_are_and_it_is_told(
    dataset: Path, tmp_path: Path
) -> None:
    parent = classifier_bundle(tmp_path / "parent", name="parent", size=(16, 16))
    child = trained_on(classifier_bundle(tmp_path / "child", name="child"), parent)
    told = judged(dataset, tmp_path / "out", child).models["child"].parent
    assert told.test.images == len(Dataset(dataset).rows(Task.CLASSIFICATION, Split.TEST))
    assert told.test.accuracy > 0.3
    assert told.other_size
    assert doubt("lesion-classifier/1", told, 0) == (
        "lesion-classifier/1 was trained on images of another size than those that judge, so that it may look worse than it is"
    )
    assert "learned from 3 of the images that judge" in doubt("lesion-classifier/1", told, 3)
    same = trained_on(classifier_bundle(tmp_path / "same", name="same"), classifier_bundle(tmp_path / "before", name="before"))
    parent = judged(dataset, tmp_path / "again", same).models["same"].parent
    assert (parent.other_size, doubt("lesion-classifier/1", parent, 0)) == (False, "")


def test_what_was_forgotten_stands_among_the_flat_figures(dataset: Path, tmp_path: Path) -> None:
    blind = classifier_bundle(tmp_path / "blind", name="blind", sharpness=0)
    child = trained_on(classifier_bundle(tmp_path / "child", name="child"), blind)
    model = judged(dataset, tmp_path / "out", child).models["child"]
    figures = flat(model)
    assert figures["test/learned"] == sum(model.parent.learned.values())
    assert figures["test/MEL/forgotten"] == model.parent.forgotten["MEL"]
    assert figures["parent/test/balanced_accuracy"] == model.parent.test.balanced_accuracy == pytest.approx(1 / 8)
    assert figures["parent/val/macro_f1"] == model.parent.val.macro.f1


def test_a_parent_whose_bytes_changed_is_refused(dataset: Path, tmp_path: Path) -> None:
    child = trained_on(classifier_bundle(tmp_path / "child", name="child"), classifier_bundle(tmp_path / "parent", name="parent"))
    (child / "parent" / "model.onnx").write_bytes(b"other")
    with pytest.raises(BundleError, match=r"parent/model\.onnx: its bytes changed since it was written"):
        judged(dataset, tmp_path / "out", child)
