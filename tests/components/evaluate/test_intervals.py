import numpy as np
import pytest

from components.evaluate.intervals import f1_intervals
from components.lesions import CODES


def test_a_model_without_mistakes_has_an_interval_of_no_width():
    truth = [code for code in CODES for _ in range(40)]
    intervals = f1_intervals(truth, truth, [str(i) for i in range(len(truth))])
    assert intervals == pytest.approx(np.ones((8, 2)))


def test_a_diagnosis_that_is_never_there_has_0():
    intervals = f1_intervals(["MEL", "NV"] * 30, ["MEL", "NV"] * 30, [str(i) for i in range(60)])
    assert intervals[CODES.index("SCC")].tolist() == [0, 0]


def test_images_of_one_lesion_widen_the_interval():
    truth, predicted = ["MEL"] * 200, (["MEL"] * 2 + ["NV"] * 2) * 50
    alone = f1_intervals(truth, predicted, [str(i) for i in range(200)])
    together = f1_intervals(truth, predicted, [str(i // 4 * 2 + i % 4 // 2) for i in range(200)])
    width = np.ptp(alone[0]), np.ptp(together[0])
    assert width[1] == pytest.approx(np.sqrt(2) * width[0], rel=0.15)


def test_the_interval_is_that_of_the_binomial_where_f1_is_a_share():
    # 100 melanomas, 80 found, nothing else there: F1 = 2 r / (r + 1) with recall r, whose 95 % interval is about 0.72 to 0.88.
    intervals = f1_intervals(["MEL"] * 100, ["MEL"] * 80 + ["NV"] * 20, [str(i) for i in range(100)])
    assert intervals[0] == pytest.approx([2 * r / (r + 1) for r in (0.72, 0.88)], abs=0.015)
