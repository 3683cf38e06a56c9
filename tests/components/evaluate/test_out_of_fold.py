"""Models that were trained with folds: their figures of val are those of the file beside the bundle."""

from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from components.bundle import read_description, write_bundle
from components.calibration import calibrate
from components.conformal import Conformal
from components.dataset import Dataset, read_manifest, write_manifest
from components.errors import BundleError
from components.evaluate import evaluate
from components.lesions import CODES, Task
from components.out_of_fold import OUT_OF_FOLD, write_out_of_fold
from components.params import EvaluateParams
from components.predictions import COUNT_COLUMNS, PROBABILITY_COLUMNS, probabilities_of
from components.register.against_parent import figures
from components.reporter import Reporter
from components.scores import Scores, flat, read_scores
from tests.bundles import classifier_bundle, segmenter_bundle, trained_on
from tests.datasets import preprocessed_dataset


@pytest.fixture
def dataset(tmp_path: Path) -> Path:
    return preprocessed_dataset(tmp_path / "data", per_class=3)


def with_folds(plain: Path, dataset: Path, table: pd.DataFrame, **changes: object) -> Path:
    """The same model as if it had been trained with folds on this dataset, with these out-of-fold predictions beside it."""
    out = plain.parent / f"{plain.name}-folds"
    description = read_description(plain)
    digest = write_out_of_fold(out, description.task, table)
    changes |= {"out_of_fold": digest, "data_version": Dataset(dataset).version}
    model = (plain / "model.onnx").read_bytes()
    write_bundle(out, description.model_copy(update=changes), model=model, weights=[plain / "weights.weights.h5"], card="# folds\n")
    return out


def out_of_fold(dataset: Path, task: Task) -> pd.DataFrame:
    """Of train and val: right for every third image; of masks: half of the lesion, and nothing beside it."""
    rows = Dataset(dataset).rows(task)
    rows = rows[rows["split"] != "test"].reset_index(drop=True)
    if task is Task.SEGMENTATION:
        counts = pd.DataFrame([[10, 0, 10, 80]] * len(rows), columns=list(COUNT_COLUMNS)).assign(boundary_f1=0.25)
        return rows[["image_id", "group_id", "fold"]].join(counts)
    said = np.zeros((len(rows), 8), np.float32)
    true = np.array([CODES.index(label) for label in rows["label"]])
    said[np.arange(len(rows)), np.where(np.arange(len(rows)) % 3 == 0, true, (true + 1) % 8)] = 1
    return rows[["image_id", "group_id", "fold", "label"]].join(pd.DataFrame(said, columns=list(PROBABILITY_COLUMNS)))


def judged(dataset: Path, model: Path, out: Path) -> Scores:
    out.mkdir()
    evaluate(dataset, [model], out, EvaluateParams(overlays=0), Reporter(out, "evaluate"))
    return read_scores(out)


def test_val_is_judged_out_of_fold_and_test_by_the_model(dataset: Path, tmp_path: Path) -> None:
    plain, table = classifier_bundle(tmp_path / "plain"), out_of_fold(dataset, Task.CLASSIFICATION)
    (model,) = judged(dataset, with_folds(plain, dataset, table), tmp_path / "out").classifiers()
    (before,) = judged(dataset, plain, tmp_path / "before").classifiers()
    assert (before.val_rows, model.val_rows) == ("val", "out of fold")
    assert model.val.images == len(table) == 32
    assert model.val.accuracy == pytest.approx(11 / 32)
    assert model.test == before.test
    kept = pd.read_parquet(tmp_path / "out/predictions/tiny_classifier.parquet")
    assert kept["split"].value_counts().to_dict() == {"train": 16, "val": 16, "test": 16}
    assert kept["lesion_id"].notna().all()


def test_val_is_at_the_temperature_of_the_bundle_and_calibration_is_measured(dataset: Path, tmp_path: Path) -> None:
    plain, table = classifier_bundle(tmp_path / "plain", sharpness=40), out_of_fold(dataset, Task.CLASSIFICATION)
    table[list(PROBABILITY_COLUMNS)] = table[list(PROBABILITY_COLUMNS)] * 0.6 + 0.05
    sets = Conformal(level=0.9, least=dict.fromkeys(CODES, 0.06), own=())
    folds = with_folds(plain, dataset, table, temperature=2.0, conformal=sets)
    (model,) = judged(dataset, folds, tmp_path / "out").classifiers()
    kept = pd.read_parquet(tmp_path / "out/predictions/tiny_classifier.parquet").set_index("image_id").loc[table["image_id"]]
    np.testing.assert_allclose(probabilities_of(kept), calibrate(probabilities_of(table), 2.0), atol=1e-6)
    assert kept["fold"].tolist() == table["fold"].tolist()
    assert model.calibration.temperature == 2
    assert (model.calibration.val.coverage.images, model.calibration.test.coverage.images) == (32, 16)
    # Each fold at a temperature of the others: a third is right, where .65 was said.
    assert model.calibration.val.ece.value < 0.1 < model.calibration.val.ece_before.value
    figures = flat(model)
    assert figures["test/debiased_ece"] == model.calibration.ece.value
    assert figures["val/coverage"] == model.calibration.val.coverage.share.value
    assert (tmp_path / "out/figures/tiny_classifier/reliability.png").is_file()


def test_masks_are_judged_by_the_counts_in_the_file(dataset: Path, tmp_path: Path) -> None:
    folds = with_folds(segmenter_bundle(tmp_path / "plain"), dataset, out_of_fold(dataset, Task.SEGMENTATION))
    (model,) = judged(dataset, folds, tmp_path / "out").segmenters()
    assert model.val_rows == "out of fold"
    assert model.val.images == 32
    assert model.val.per_image.dice == pytest.approx(2 / 3)
    assert model.val.per_image.boundary_f1 == 0.25
    assert model.test.images == 16


@pytest.mark.parametrize("content", [None, b"PAR1 of somebody else"])
def test_a_file_that_is_absent_or_changed_is_an_error(dataset: Path, tmp_path: Path, content: bytes | None) -> None:
    folds = with_folds(classifier_bundle(tmp_path / "plain"), dataset, out_of_fold(dataset, Task.CLASSIFICATION))
    (folds / OUT_OF_FOLD).unlink()
    if content is not None:
        (folds / OUT_OF_FOLD).write_bytes(content)
    with pytest.raises(BundleError, match=r"out_of_fold\.parquet: (does not exist|its bytes changed)"):
        judged(dataset, folds, tmp_path / "out")


def test_on_another_version_of_the_data_it_is_refused(dataset: Path, tmp_path: Path) -> None:
    folds = with_folds(classifier_bundle(tmp_path / "plain"), dataset, out_of_fold(dataset, Task.CLASSIFICATION))
    write_manifest(dataset, read_manifest(dataset).iloc[1:])
    with pytest.raises(BundleError, match=r"was trained with folds on data version \w{12}, and which images of \w{12}"):
        judged(dataset, folds, tmp_path / "out")


def test_beside_one_with_folds_its_parent_is_judged_on_test_alone(dataset: Path, tmp_path: Path) -> None:
    table = out_of_fold(dataset, Task.CLASSIFICATION)
    parent = with_folds(classifier_bundle(tmp_path / "parent", sharpness=0), dataset, table)
    child = trained_on(with_folds(classifier_bundle(tmp_path / "plain"), dataset, table), parent)
    (model,) = judged(dataset, child, tmp_path / "out").classifiers()
    assert model.parent.val is None
    assert model.parent.test.images == model.test.images
    assert sum(model.parent.learned.values()) > 0
    assert "parent/val/macro_f1" not in flat(model)
    assert set(figures(model, "test")) == {"balanced accuracy", "macro F1"}
    assert figures(model, "val") == {}
