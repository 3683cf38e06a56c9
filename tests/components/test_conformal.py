"""Conformal sets: against MAPIE, and on new images of simulated classifiers."""

import numpy as np
import pytest
from mapie.classification import SplitConformalClassifier
from sklearn.base import BaseEstimator, ClassifierMixin

from components.conformal import fit_conformal, prediction_sets
from components.lesions import CODES
from tests.components.test_calibration import simulated


class Given(ClassifierMixin, BaseEstimator):
    """A classifier for MAPIE whose images are their probabilities."""

    def __init__(self) -> None:
        self.classes_ = np.arange(len(CODES))

    def fit(self, images: np.ndarray, truth: np.ndarray) -> "Given":
        return self

    def predict_proba(self, images: np.ndarray) -> np.ndarray:
        return images

    def predict(self, images: np.ndarray) -> np.ndarray:
        return images.argmax(axis=1)


def alone(truth: np.ndarray) -> np.ndarray:
    """Each image is a group of its own."""
    return np.array([f"g{place}" for place in range(len(truth))], dtype=object)


@pytest.mark.parametrize("place", [0, 3, 7])
def test_each_diagnosis_has_the_threshold_that_mapie_finds_on_its_images_alone(place: int) -> None:
    (truth, said), (_, new) = simulated(2000), simulated(500, seed=1)
    ours = prediction_sets(new, fit_conformal(truth, said, alone(truth)))[:, place]
    theirs = SplitConformalClassifier(Given(), confidence_level=0.9, conformity_score="lac", prefit=True)
    theirs.conformalize(said[truth == place].astype(float), truth[truth == place])
    _, sets = theirs.predict_set(new.astype(float))
    np.testing.assert_array_equal(ours, sets[:, place, 0])


def test_new_images_of_each_diagnosis_are_covered_as_often_as_was_asked() -> None:
    (truth, said), (new_truth, new) = simulated(8000, sharpness=3), simulated(16000, sharpness=3, seed=1)
    inside = prediction_sets(new, fit_conformal(truth, said, alone(truth)))
    covered = inside[np.arange(len(new)), new_truth]
    for place in range(len(CODES)):
        assert covered[new_truth == place].mean() == pytest.approx(0.9, abs=0.03)


def test_a_diagnosis_of_few_lesions_shares_the_threshold_of_all() -> None:
    truth, said = simulated(400)
    rare = np.where((truth == 5) & (np.cumsum(truth == 5) > 20), 1, truth)
    fitted = fit_conformal(rare, said, alone(rare))
    assert fitted.own == tuple(code for code in CODES if code != "DF")
    shared = np.sort(said[np.arange(400), rare])[-361]  # 401 x 0.9 = 360.9
    assert fitted.least["DF"] == pytest.approx(shared)


def test_of_fewer_than_nine_images_nothing_is_left_out() -> None:
    truth, said = simulated(8)
    assert prediction_sets(said, fit_conformal(truth, said, alone(truth))).all()
