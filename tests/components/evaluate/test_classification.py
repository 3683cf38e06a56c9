"""Figures worked out by hand from eight images; scikit-learn's own call where a definition is at stake."""

import warnings

import numpy as np
import pytest
from sklearn.metrics import balanced_accuracy_score

from components.evaluate.classification import measure_classification, predicted_codes
from components.lesions import CODES

# True and predicted diagnosis of eight images: 3 melanomas (2 found), 4 nevi (3 found, 1 taken for a melanoma), 1 BCC (missed).
TRUTH = ["MEL", "MEL", "MEL", "NV", "NV", "NV", "NV", "BCC"]
PREDICTED = ["MEL", "MEL", "NV", "NV", "NV", "NV", "MEL", "NV"]


def sure_of(codes: list[str]) -> np.ndarray:
    """Probability 0.93 for the named code, 0.01 for each of the others."""
    probabilities = np.full((len(codes), len(CODES)), 0.01, np.float32)
    probabilities[np.arange(len(codes)), [CODES.index(code) for code in codes]] = 0.93
    return probabilities


def test_accuracy_is_the_share_of_images_that_are_right():
    scores = measure_classification(TRUTH, sure_of(PREDICTED))
    assert scores.images == 8
    assert scores.accuracy == pytest.approx(5 / 8)


def test_each_diagnosis_has_precision_recall_f1_and_support():
    scores = measure_classification(TRUTH, sure_of(PREDICTED))
    melanoma, nevus, carcinoma = (scores.classes[code] for code in ("MEL", "NV", "BCC"))
    assert (melanoma.precision, melanoma.recall, melanoma.f1) == pytest.approx((2 / 3, 2 / 3, 2 / 3))
    assert (nevus.precision, nevus.recall, nevus.f1) == pytest.approx((3 / 5, 3 / 4, 2 / 3))
    assert (carcinoma.precision, carcinoma.recall, carcinoma.f1) == (0, 0, 0)
    assert [one.support for one in scores.classes.values()] == [3, 4, 1, 0, 0, 0, 0, 0]


def test_averages_are_micro_macro_and_weighted():
    scores = measure_classification(TRUTH, sure_of(PREDICTED))
    assert (scores.micro.precision, scores.micro.recall, scores.micro.f1) == pytest.approx((5 / 8, 5 / 8, 5 / 8))
    assert scores.macro.precision == pytest.approx((2 / 3 + 3 / 5 + 0) / 3)
    assert scores.macro.recall == pytest.approx((2 / 3 + 3 / 4 + 0) / 3)
    assert scores.macro.f1 == pytest.approx((2 / 3 + 2 / 3 + 0) / 3)
    assert scores.weighted.precision == pytest.approx((3 * 2 / 3 + 4 * 3 / 5) / 8)
    assert scores.weighted.recall == pytest.approx(5 / 8)
    assert scores.weighted.f1 == pytest.approx((3 * 2 / 3 + 4 * 2 / 3) / 8)


def test_the_confusion_matrix_has_truth_in_rows_and_prediction_in_columns():
    confusion = np.array(measure_classification(TRUTH, sure_of(PREDICTED)).confusion)
    assert confusion.shape == (8, 8)
    assert confusion[:3, :3].tolist() == [[2, 1, 0], [1, 3, 0], [0, 1, 0]]
    assert confusion.sum() == 8


def test_a_diagnosis_that_is_absent_does_not_weigh_on_the_macro_averages():
    predicted = ["MEL", "MEL", "SCC", "NV", "NV", "NV", "NV", "BCC"]
    scores = measure_classification(TRUTH, sure_of(predicted))
    assert scores.macro.f1 == pytest.approx((0.8 + 1 + 1) / 3)
    assert scores.micro.f1 == pytest.approx(7 / 8)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # scikit-learn warns of the absent class, and leaves it out as we do
        assert scores.balanced_accuracy == pytest.approx(balanced_accuracy_score(TRUTH, predicted))


def test_the_area_under_the_curve_is_the_chance_to_rank_a_lesion_above_another():
    # Melanoma 0.8 and 0.4 against 0.6 and 0.2 of nevi: three of the four pairs are ranked right.
    probabilities = np.zeros((4, 8), np.float32)
    probabilities[:, 0] = [0.8, 0.4, 0.6, 0.2]
    probabilities[:, 1] = 1 - probabilities[:, 0]
    scores = measure_classification(["MEL", "MEL", "NV", "NV"], probabilities)
    assert scores.classes["MEL"].auc == pytest.approx(0.75)
    assert scores.macro_auc == pytest.approx(0.75)


def test_a_diagnosis_that_a_split_does_not_hold_has_no_area():
    scores = measure_classification(TRUTH, sure_of(PREDICTED))
    assert {code: one.auc is None for code, one in scores.classes.items()} == {
        code: code not in ("MEL", "NV", "BCC") for code in CODES
    }
    alone = measure_classification(["NV", "NV"], sure_of(["NV", "MEL"]))
    assert alone.macro_auc is None
    assert alone.classes["NV"].auc is None


def test_of_two_equal_probabilities_the_first_code_is_predicted():
    assert predicted_codes(np.full((1, 8), 0.125, np.float32)) == ["MEL"]
