"""What is measured on val, against scikit-learn."""

import warnings

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from sklearn.metrics import balanced_accuracy_score, f1_score

from components.train_classifier.objective import is_right, measure_diagnoses

DIAGNOSIS = st.integers(0, 7)


def one_hot(places: list[int]) -> np.ndarray:
    return np.eye(8, dtype=np.float32)[places]


@settings(max_examples=100, deadline=None)
@given(pairs=st.lists(st.tuples(DIAGNOSIS, DIAGNOSIS), min_size=1, max_size=40))
def test_balanced_accuracy_and_macro_f1_are_those_of_scikit_learn(pairs: list[tuple[int, int]]) -> None:
    true, predicted = ([pair[side] for pair in pairs] for side in (0, 1))
    ours = measure_diagnoses(one_hot(true), 0.5 * one_hot(predicted) + 0.0625)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # of diagnoses that are predicted and not there
        theirs = balanced_accuracy_score(true, predicted)
    assert ours["balanced_accuracy"] == pytest.approx(theirs)
    assert ours["macro_f1"] == pytest.approx(f1_score(true, predicted, average="macro"))


def test_the_score_is_whether_the_most_probable_diagnosis_is_right() -> None:
    assert np.array(is_right(one_hot([0, 3]), one_hot([0, 2]))).tolist() == [1, 0]
