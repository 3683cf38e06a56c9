"""Figures worked out by hand on masks of a few pixels, and scikit-learn's on random ones."""

import numpy as np
import pandas as pd
import pytest
from sklearn.metrics import accuracy_score, f1_score, jaccard_score, precision_score, recall_score

from components.boundary import boundary_f1
from components.evaluate.judged import measured
from components.evaluate.segmentation import measure_segmentation
from components.lesions import Task
from components.overlap import IMAGE_MEASURES, MEASURES, Overlap, count_overlap, measure_overlap, threshold_jaccard


def masks(*rows: str) -> np.ndarray:
    """One row of pixels an image: `#` is lesion."""
    return np.array([[[pixel == "#" for pixel in row]] for row in rows])


def table_of(truth: np.ndarray, predicted: np.ndarray) -> pd.DataFrame:
    counts = pd.DataFrame(vars(count_overlap(truth, predicted)))
    return measured(Task.SEGMENTATION, counts.assign(boundary_f1=boundary_f1(truth, predicted)))


def test_pixels_are_counted_four_ways():
    overlap = count_overlap(masks("###....."), masks(".####..."))
    assert [int(count[0]) for count in vars(overlap).values()] == [2, 2, 1, 3]


def test_the_measures_of_one_image():
    (row,) = measure_overlap(Overlap(*(np.array([count]) for count in (2, 2, 1, 3)))).to_dict("records")
    assert row == {
        "dice": pytest.approx(4 / 7),
        "jaccard": pytest.approx(2 / 5),
        "sensitivity": pytest.approx(2 / 3),
        "specificity": pytest.approx(3 / 5),
        "precision": pytest.approx(2 / 4),
        "f1": pytest.approx(4 / 7),
        "global_accuracy": pytest.approx(5 / 8),
    }


def test_the_mean_over_images_counts_each_image_the_same_and_pooling_each_pixel():
    # A large lesion half found, a small one wholly found.
    scores = measure_segmentation(table_of(masks("########", "#......."), masks("####....", "#.......")))
    assert scores.images == 2
    assert scores.per_image.sensitivity == pytest.approx((0.5 + 1) / 2)
    assert scores.pooled.sensitivity == pytest.approx(5 / 9)
    assert scores.per_image.dice == pytest.approx((8 / 12 + 1) / 2)
    assert scores.pooled.dice == pytest.approx(10 / 14)


@pytest.mark.parametrize(
    ("truth", "predicted", "expected"),
    [
        (
            "....",
            "....",
            {"dice": 1, "jaccard": 1, "sensitivity": 1, "specificity": 1, "precision": 1, "f1": 1, "global_accuracy": 1},
        ),
        (
            "##..",
            "....",
            {"dice": 0, "jaccard": 0, "sensitivity": 0, "specificity": 1, "precision": 0, "f1": 0, "global_accuracy": 0.5},
        ),
        (
            "....",
            "##..",
            {"dice": 0, "jaccard": 0, "sensitivity": 1, "specificity": 0.5, "precision": 0, "f1": 0, "global_accuracy": 0.5},
        ),
        (
            "####",
            "####",
            {"dice": 1, "jaccard": 1, "sensitivity": 1, "specificity": 1, "precision": 1, "f1": 1, "global_accuracy": 1},
        ),
    ],
)
def test_empty_and_full_masks_have_defined_figures(truth, predicted, expected):
    assert measure_overlap(count_overlap(masks(truth), masks(predicted))).to_dict("records") == [expected]


def test_images_in_which_nothing_was_found_are_counted():
    assert measure_segmentation(table_of(masks("##..", "##.."), masks("....", "##.."))).empty_predictions == 1


def test_scikit_learn_gives_the_same_figures():
    rng = np.random.default_rng(1)
    truth, predicted = rng.random((2, 5, 12, 9)) < 0.4
    table = measure_overlap(count_overlap(truth, predicted))
    for row, true, said in zip(table.to_dict("records"), truth, predicted, strict=True):
        true, said = true.ravel(), said.ravel()
        assert row == pytest.approx(
            {
                "dice": f1_score(true, said),
                "jaccard": jaccard_score(true, said),
                "sensitivity": recall_score(true, said),
                "specificity": recall_score(~true, ~said),
                "precision": precision_score(true, said),
                "f1": f1_score(true, said),
                "global_accuracy": accuracy_score(true, said),
            }
        )
    assert set(table.columns) == set(MEASURES)


def test_a_mask_that_overlaps_too_little_counts_as_failed():
    assert threshold_jaccard(np.array([0.3, 0.649, 0.65, 1])).tolist() == [0, 0, 0.65, 1]
    scores = measure_segmentation(table_of(masks("####", "####"), masks("###.", "#...")))
    assert scores.per_image.thresholded_jaccard == pytest.approx((0.75 + 0) / 2)


def test_a_table_holds_each_measure_of_an_image():
    table = table_of(masks("####", "####"), masks("###.", "#..."))
    assert set(IMAGE_MEASURES) < set(table.columns)
    assert measure_segmentation(table).intervals == {}
    assert set(measure_segmentation(table, ["a", "b"]).intervals) == {*IMAGE_MEASURES, *(f"pooled/{name}" for name in MEASURES)}
