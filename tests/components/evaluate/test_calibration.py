"""What is measured of calibration and sets, on simulated models whose truth is known."""

import numpy as np
import pandas as pd
import pytest
from scipy.stats import binomtest

from components.bundle import read_description
from components.calibration import calibrate, fit_temperature
from components.conformal import fit_conformal
from components.evaluate.calibration import (
    binomial_share,
    calibration_error,
    cross_fitted,
    measure_calibration,
    measure_coverage,
    reliability,
    squared_error,
)
from components.lesions import CODES
from components.predictions import PROBABILITY_COLUMNS
from tests.bundles import classifier_bundle
from tests.components.test_calibration import simulated


def perfect(images: int, seed: int, *, lift: float = 0.0) -> tuple[np.ndarray, np.ndarray]:
    """Confidence, and whether it is right: as often as it says, or less often by `lift`."""
    rng = np.random.default_rng(seed)
    confidence = rng.uniform(0.3, 0.95, images)
    return confidence, rng.random(images) < confidence - lift


def alone(images: int) -> np.ndarray:
    return np.arange(images)


def plain(confidence: np.ndarray, right: np.ndarray) -> float:
    bins = reliability(confidence, right)
    return sum(one.images * abs(one.accuracy - one.confidence) for one in bins) / len(right)


def table_of(images: int, *, sharpness: float = 3.0, seed: int = 0, images_per_group: int = 1, folds: int = 5) -> pd.DataFrame:
    truth, said = simulated(images, sharpness=sharpness, seed=seed)
    groups = alone(images) // images_per_group
    known = {"label": [CODES[place] for place in truth], "group_id": [f"g{one}" for one in groups], "fold": groups % folds}
    return pd.DataFrame(known).join(pd.DataFrame(said, columns=list(PROBABILITY_COLUMNS)))


def test_a_perfect_model_of_480_images_errs_by_nothing_where_the_plain_error_shows_five_hundredths() -> None:
    models = [perfect(480, seed) for seed in range(400)]
    assert np.mean([plain(*model) for model in models]) == pytest.approx(0.055, abs=0.01)
    squares = [squared_error(*model, alone(480)) for model in models]
    assert abs(np.mean(squares)) < 3 * np.std(squares) / 20 < 0.0004  # of 400 models: the mean is 0 as far as they can tell
    assert np.mean(np.array(squares) < 0) == pytest.approx(0.55, abs=0.1)


@pytest.mark.parametrize("lift", [0.05, 0.1, 0.2])
def test_an_error_that_is_there_is_found_whole(lift: float) -> None:
    squares = [squared_error(*perfect(480, seed, lift=lift), alone(480)) for seed in range(200)]
    assert np.mean(squares) ** 0.5 == pytest.approx(lift, abs=0.006)


def test_copies_of_an_image_make_nobody_surer_of_an_error() -> None:
    squares = []
    for seed in range(200):
        confidence, right = (np.repeat(values, 4) for values in perfect(120, seed))
        squares.append((squared_error(confidence, right, alone(480) // 4), squared_error(confidence, right, alone(480))))
    grouped, each_alone = np.mean(squares, axis=0)
    assert abs(grouped) < 0.001
    assert each_alone > 0.004


@pytest.mark.parametrize("lift", [0.0, 0.2])
def test_the_interval_holds_the_true_error_about_as_often_as_it_says(lift: float) -> None:
    intervals = [calibration_error(*perfect(480, seed, lift=lift), alone(480) // 2, draws=200) for seed in range(60)]
    assert np.mean([one.low <= lift <= one.high for one in intervals]) > 0.85
    assert all(one.low <= one.value <= one.high for one in intervals)
    nothing = np.mean([one.low == 0 for one in intervals])
    assert nothing > 0.9 if lift == 0 else nothing == 0


def test_calibration_takes_the_error_of_too_sharp_a_model_away() -> None:
    table = table_of(4000)
    truth, raw = (table["label"].map(CODES.index).to_numpy(), table[list(PROBABILITY_COLUMNS)].to_numpy(np.float32))
    calibrated, _ = cross_fitted(table, raw)
    before, after = (
        calibration_error(said.max(axis=1).astype(float), said.argmax(axis=1) == truth, alone(4000)) for said in (raw, calibrated)
    )
    assert before.low > 0.1
    assert after.value < 0.02
    assert after.low == 0
    np.testing.assert_array_equal(calibrated.argmax(axis=1), raw.argmax(axis=1))


def test_each_fold_is_calibrated_by_what_was_fitted_on_the_others() -> None:
    table = table_of(600, folds=3)
    truth, raw = (table["label"].map(CODES.index).to_numpy(), table[list(PROBABILITY_COLUMNS)].to_numpy(np.float32))
    calibrated, _ = cross_fitted(table, raw)
    for fold in range(3):
        here = (table["fold"] == fold).to_numpy()
        np.testing.assert_array_equal(calibrated[here], calibrate(raw[here], fit_temperature(truth[~here], raw[~here])))


def test_where_there_is_one_fold_parts_are_cut_by_group() -> None:
    table = table_of(300, images_per_group=3, folds=1)
    raw = table[list(PROBABILITY_COLUMNS)].to_numpy(np.float32)
    calibrated, inside = cross_fitted(table, raw)
    factors, whole = (np.log(said.max(axis=1) / said.min(axis=1)) for said in (calibrated, raw))
    factors = factors / whole
    of_group = table.assign(factor=factors).groupby("group_id")["factor"]
    assert (of_group.max() - of_group.min()).max() < 1e-4
    assert len(set(factors.round(3))) >= 4
    assert inside.any(axis=1).mean() > 0.8


def test_sets_of_cross_fitted_folds_cover_nine_of_ten_of_each_diagnosis() -> None:
    table = table_of(4000, images_per_group=2)
    truth = table["label"].map(CODES.index).to_numpy()
    _, inside = cross_fitted(table, table[list(PROBABILITY_COLUMNS)].to_numpy(np.float32))
    for place in range(len(CODES)):
        here = truth == place
        share = measure_coverage(truth[here], inside[here], table["group_id"].to_numpy()[here]).share
        assert share.low <= 0.9 <= share.high


def test_the_interval_of_single_images_is_the_exact_one_and_copies_do_not_narrow_it() -> None:
    hits = np.arange(40) < 35
    ours, theirs = binomial_share(hits, alone(40)), binomtest(35, 40).proportion_ci(method="exact")
    # As many images as are worth 40 single ones are a 40th fewer: the variance divides by 39.
    assert (ours.low, ours.high) == pytest.approx((theirs.low, theirs.high), abs=0.005)
    four = binomial_share(np.repeat(hits, 4), alone(160) // 4)
    assert (four.value, four.low, four.high) == pytest.approx((ours.value, ours.low, ours.high))
    assert binomial_share(np.ones(20, bool), alone(20) // 2).low == pytest.approx(0.025 ** (1 / 10))
    assert binomial_share(np.zeros(3, bool), alone(3)).low == 0


def test_a_classifier_is_measured_on_both_splits(tmp_path) -> None:
    val, test = table_of(2000, seed=1), table_of(3000, seed=2)
    truth, raw = (val["label"].map(CODES.index).to_numpy(), val[list(PROBABILITY_COLUMNS)].to_numpy(np.float32))
    temperature = fit_temperature(truth, raw)
    sets = fit_conformal(truth, calibrate(raw, temperature), val["group_id"].to_numpy())
    plain = read_description(classifier_bundle(tmp_path))
    for part in (val, test):
        answered = calibrate(part[list(PROBABILITY_COLUMNS)].to_numpy(np.float32), temperature)
        part[list(PROBABILITY_COLUMNS)] = answered
    measured = measure_calibration(plain.model_copy(update={"temperature": temperature, "conformal": sets}), val, test)
    assert measured is not None
    assert measured.ece == measured.test.ece
    for split in (measured.val, measured.test):
        assert split.ece_before.low > 0.1
        assert split.ece.value < 0.03
        assert split.coverage.share.value == pytest.approx(0.9, abs=0.03)
        assert set(split.classes) == set(CODES)
        assert sum(one.images for one in split.reliability) == split.coverage.images
    assert measure_calibration(plain, val, test) is None
    assert measure_calibration(plain.model_copy(update={"temperature": 1.0, "conformal": sets}), val, test.iloc[:1]) is None
