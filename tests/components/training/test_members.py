"""Trainings with folds and seeds, judged by the files that they leave."""

import json
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest

from components.augment_balance.reader import read_rows
from components.bundle import Bundle, read_description
from components.calibration import calibrate, fit_temperature
from components.conformal import fit_conformal
from components.dataset import Dataset
from components.errors import DatasetError
from components.flips import mean_over_flips
from components.lesions import CODES, Task
from components.out_of_fold import OUT_OF_FOLD, read_out_of_fold
from components.overlap import count_overlap
from components.predictions import COUNT_COLUMNS, PROBABILITY_COLUMNS, probabilities_of
from components.reporter import Reporter
from components.train_classifier import registry as classifiers
from components.train_classifier import train_classifier
from components.train_unet import registry as segmenters
from components.training.curves import read_epochs
from components.training.folds import plan_members
from components.training.members import MemberReporter
from tests.trainings import Data, classifier_params, make_data, train_tiny, unet_params

FOLDS = 2
_CLASSIFIER: dict[str, Any] = {"folds": FOLDS, "frozen_epochs": 0, "epochs": 2, "learning_rate": 0.01}


@pytest.fixture(scope="module")
def data(tmp_path_factory: pytest.TempPathFactory) -> Data:
    return make_data(tmp_path_factory.mktemp("data"), per_class=6, folds=FOLDS)


@pytest.fixture(scope="module")
def classifier(data: Data, tmp_path_factory: pytest.TempPathFactory) -> Path:
    return train_tiny(data, tmp_path_factory.mktemp("classifier") / "out", classifier_params(**_CLASSIFIER))


@pytest.fixture(scope="module")
def segmenter(data: Data, tmp_path_factory: pytest.TempPathFactory) -> Path:
    params = unet_params(folds=FOLDS, epochs=2, mask_threshold=None, test_flips=True)
    return train_tiny(data, tmp_path_factory.mktemp("segmenter") / "out", params)


def answers_by_keras(out: Path, data: Data, task: Task, place: int, rows: pd.DataFrame) -> np.ndarray:
    """What one member says, by its Keras weights."""
    model = (
        classifiers.build("tiny_cnn", (16, 16), 0.3).model
        if task is Task.CLASSIFICATION
        else segmenters.build("unet_tiny", (16, 16), 0.1)
    )
    model.load_weights(out / f"weights-{place:02d}.weights.h5")
    (batch,) = read_rows(Dataset(data.dataset), task, rows, None, len(rows))
    if task is Task.CLASSIFICATION:
        return np.array(model(batch.images, training=False))
    return mean_over_flips(lambda images: np.array(model(images, training=False)), batch.images)


def open_rows(data: Data, task: Task) -> pd.DataFrame:
    rows = Dataset(data.dataset).rows(task)
    return rows[rows["split"] != "test"].reset_index(drop=True)


def test_every_image_of_train_and_val_is_judged_by_the_member_that_did_not_learn_from_it(data: Data, classifier: Path) -> None:
    table = read_out_of_fold(classifier, read_description(classifier))
    rows = open_rows(data, Task.CLASSIFICATION).sort_values("image_id", ignore_index=True)
    assert table["image_id"].tolist() == rows["image_id"].tolist()
    assert table["label"].tolist() == rows["label"].tolist()
    for fold in range(FOLDS):
        here = (rows["fold"] == fold).to_numpy(bool)
        said = answers_by_keras(classifier, data, Task.CLASSIFICATION, fold, rows[here])
        np.testing.assert_allclose(table[here][list(PROBABILITY_COLUMNS)], said, atol=1e-4)


def test_masks_are_counted_at_the_threshold_that_was_chosen_and_with_flips(data: Data, segmenter: Path) -> None:
    description = read_description(segmenter)
    table = read_out_of_fold(segmenter, description)
    rows = open_rows(data, Task.SEGMENTATION).sort_values("image_id", ignore_index=True)
    for fold in range(FOLDS):
        here = (rows["fold"] == fold).to_numpy(bool)
        said = answers_by_keras(segmenter, data, Task.SEGMENTATION, fold, rows[here])[..., 0] >= description.mask_threshold
        counts = pd.DataFrame(vars(count_overlap(Dataset(data.dataset).masks(rows[here]) > 0, said)))
        # A pixel right at the threshold may fall on the other side.
        np.testing.assert_allclose(table[here][list(COUNT_COLUMNS)], counts, atol=2)
    assert table["boundary_f1"].between(0, 1).all()


@pytest.mark.parametrize("task", list(Task))
def test_the_bundle_answers_with_the_mean_of_its_members(data: Data, request: pytest.FixtureRequest, task: Task) -> None:
    out = request.getfixturevalue("classifier" if task is Task.CLASSIFICATION else "segmenter")
    bundle, rows = Bundle.load(out), Dataset(data.dataset).rows(task)
    assert bundle.description.members == tuple(f"fold {fold}" for fold in range(FOLDS))
    each = [answers_by_keras(out, data, task, place, rows) for place in range(FOLDS)]
    said = bundle.predict_pixels(Dataset(data.dataset).images(rows))
    wanted = calibrate(np.mean(each, axis=0).reshape(said.shape), bundle.description.temperature)
    np.testing.assert_allclose(said, wanted, atol=1e-4)


def test_a_classifier_is_calibrated_on_its_out_of_fold_predictions_which_stay_as_they_were(classifier: Path) -> None:
    description = read_description(classifier)
    table = read_out_of_fold(classifier, description)
    truth, said = table["label"].map(CODES.index).to_numpy(), probabilities_of(table)
    assert description.temperature == fit_temperature(truth, said) != 1
    sets = fit_conformal(truth, calibrate(said, description.temperature), table["group_id"].to_numpy())
    assert description.conformal == sets
    assert (
        f"Temperature {description.temperature:g}, fitted on the out-of-fold predictions"
        in (classifier / "MODEL_CARD.md").read_text()
    )


def test_a_segmenter_is_not(segmenter: Path) -> None:
    description = read_description(segmenter)
    assert (description.temperature, description.conformal) == (None, None)
    assert "Calibration" not in (segmenter / "MODEL_CARD.md").read_text()


def test_the_bundle_knows_the_digest_of_its_out_of_fold_predictions_and_does_not_carry_them(classifier: Path) -> None:
    description = read_description(classifier)
    assert description.out_of_fold is not None
    assert OUT_OF_FOLD not in description.files
    assert description.parameters_total == FOLDS * 14_296


def test_the_curves_of_every_member_are_there(classifier: Path) -> None:
    metrics = classifier / "metrics.jsonl"
    for prefix in ("", *(f"member-{place:02d}/" for place in range(1, FOLDS))):
        assert [epoch.number for epoch in read_epochs(metrics, prefix)] == [0, 1]
        assert (classifier / f"figures/{prefix}curves.png").is_file()
    assert not (classifier / "members").exists()


def test_the_card_tells_of_the_folds_and_of_what_makes_their_figures_too_good(classifier: Path) -> None:
    card = (classifier / "MODEL_CARD.md").read_text()
    assert "The mean of 2 models: fold 0, fold 1." in card
    assert "2 folds: each member learned from train and val but its own fold, and its figures of val are out of fold" in card
    assert "They are a little too good, since the same images chose when the learning rate falls" in card


def test_one_fold_alone_is_one_model_with_predictions_of_that_fold(data: Data, classifier: Path, tmp_path: Path) -> None:
    out = train_tiny(data, tmp_path / "out", classifier_params(**_CLASSIFIER | {"fold": 1}))
    description = read_description(out)
    assert (description.members, description.weights) == ((), ("weights.weights.h5",))
    table, whole = (read_out_of_fold(folder, read_description(folder)) for folder in (out, classifier))
    pd.testing.assert_frame_equal(table, whole[whole["fold"] == 1].reset_index(drop=True))
    assert (out / "weights.weights.h5").read_bytes() == (classifier / "weights-01.weights.h5").read_bytes()
    assert "it learned from train and val but fold 1" in (out / "MODEL_CARD.md").read_text()


def test_seeds_differ_in_their_weights_and_val_judges_their_mean(data: Data, tmp_path: Path) -> None:
    recipe: dict[str, Any] = {"frozen_epochs": 0, "epochs": 1}
    out = train_tiny(data, tmp_path / "out", classifier_params(seeds=2, **recipe))
    alone = train_tiny(data, tmp_path / "alone", classifier_params(**recipe))
    assert read_description(out).members == ("seed 2019", "seed 2020")
    assert not (out / OUT_OF_FOLD).exists()
    first, second = ((out / f"weights-0{place}.weights.h5").read_bytes() for place in (0, 1))
    assert first == (alone / "weights.weights.h5").read_bytes() != second


class _Interrupted(Reporter):
    """Ends the training when a member begins."""

    def __init__(self, out: Path, name: str) -> None:
        super().__init__(out, "training")
        self._name = name

    def progress(self, done: int, total: int, what: str = "", left: float | None = None) -> None:
        if what.startswith(self._name):
            raise KeyboardInterrupt
        super().progress(done, total, what, left)


def test_members_that_are_whole_are_not_trained_again(data: Data, classifier: Path, tmp_path: Path) -> None:
    params, out = classifier_params(**_CLASSIFIER), tmp_path / "out"
    out.mkdir()
    kept: dict[Path, int] = {}
    for name in ("fold 1", "bundle"):
        with pytest.raises(KeyboardInterrupt):
            train_classifier(data.dataset, data.plan, out, params, _Interrupted(out, name))
        kept = kept or {path: path.stat().st_mtime_ns for path in out.glob("members/00/*")}
        assert {path: path.stat().st_mtime_ns for path in kept} == kept
    assert len(kept) == 3
    train_tiny(data, out, params)
    assert not (out / "members").exists()
    for name in ("bundle.json", "model.onnx", OUT_OF_FOLD):
        assert (out / name).read_bytes() == (classifier / name).read_bytes()


def test_a_fold_without_images_is_found_before_any_member_is_trained(data: Data, tmp_path: Path) -> None:
    with pytest.raises(DatasetError, match="no classification images of train and val are in fold 2 of 3"):
        train_tiny(data, tmp_path / "out", classifier_params(**_CLASSIFIER | {"folds": 3}))
    assert not (tmp_path / "out" / "members").exists()


@pytest.fixture
def left(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> list[float | None]:
    """Seconds left, as they are told."""
    told: list[float | None] = []
    monkeypatch.setattr(Reporter, "progress", lambda self, done, total, what, left: told.append(left))
    return told


MEMBERS = plan_members(classifier_params(folds=3))


def test_no_time_is_told_before_a_member_has_been_trained(tmp_path: Path, left: list[float | None]) -> None:
    # Two of 40,000 steps, all others of larger images or with all layers: their pace is not known.
    MemberReporter(Reporter(tmp_path, "test"), 0, MEMBERS, None).progress(2, 40_000, "frozen backbone", 30.0)
    assert left == [None]


def test_members_to_come_take_what_one_took(tmp_path: Path, left: list[float | None]) -> None:
    second = MemberReporter(Reporter(tmp_path, "test"), 1, MEMBERS, 1000.0)
    second.progress(2, 40_000, "frozen backbone", 30.0)
    second.progress(39_000, 40_000, "all layers", 1500.0)
    assert left == pytest.approx([2000, 2500], abs=1)


def test_of_the_last_member_alone_its_own_time_is_told(tmp_path: Path, left: list[float | None]) -> None:
    MemberReporter(Reporter(tmp_path, "test"), 2, MEMBERS, None).progress(2, 40_000, "all layers", 30.0)
    assert left == [30]


def test_time_is_told_from_the_second_member_on(classifier: Path) -> None:
    events = [json.loads(line) for line in (classifier.parent / "out.events").read_text().splitlines()]
    told = [event for event in events if event["kind"] == "progress" and event["what"].startswith("fold")]
    assert {event["what"][:6] for event in told if event["left"] is not None} == {"fold 1"}


def test_progress_counts_over_all_members(classifier: Path) -> None:
    events = [json.loads(line) for line in (classifier.parent / "out.events").read_text().splitlines()]
    told = [event for event in events if event["kind"] == "progress" and event["what"].startswith("fold")]
    shares = [event["done"] / event["total"] for event in told]
    assert shares == sorted(shares)
    assert {event["what"].partition(":")[0] for event in told} == {"fold 0", "fold 1"}
