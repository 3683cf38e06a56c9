import numpy as np
import pytest

from components.evaluate.classification import measure_classification
from components.evaluate.intervals import f1_intervals, paired_intervals
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


def test_two_models_that_say_the_same_differ_by_nothing():
    truth = ["MEL", "NV", "BCC"] * 20
    said = ["NV", "NV", "BCC"] * 20
    ends = paired_intervals(truth, said, said, [str(i) for i in range(60)])
    assert ends == dict.fromkeys(("accuracy", "balanced_accuracy", "macro_f1"), (0.0, 0.0))


def test_what_is_hard_for_both_falls_out_of_the_paired_difference():
    rng = np.random.default_rng(0)
    truth = rng.choice(["MEL", "NV"], 400).tolist()
    hard = rng.random(400) < 0.5
    first = ["DF" if one else true for one, true in zip(hard, truth, strict=True)]
    # The second is right on four of them more.
    saved = set(np.flatnonzero(hard)[:4].tolist())
    second = [truth[place] if place in saved else said for place, said in enumerate(first)]
    low, high = paired_intervals(truth, first, second, [str(i) for i in range(400)])["accuracy"]
    assert 0 < low < 4 / 400 < high < 0.025


def test_the_summaries_of_a_draw_are_the_measures_of_its_images():
    # One group: every draw is the sample itself.
    rng = np.random.default_rng(1)
    truth = rng.choice(["MEL", "NV", "AK"], 50).tolist()
    said = [rng.choice(CODES, 50).tolist() for _ in range(2)]
    ends = paired_intervals(truth, *said, ["one"] * 50, draws=3)
    one_hot = [np.array([[code == one for code in CODES] for one in part], np.float32) for part in said]
    measured = [measure_classification(truth, part) for part in one_hot]
    assert ends["accuracy"][0] == pytest.approx(measured[1].accuracy - measured[0].accuracy)
    assert ends["balanced_accuracy"][0] == pytest.approx(measured[1].balanced_accuracy - measured[0].balanced_accuracy)
    assert ends["macro_f1"][1] == pytest.approx(measured[1].macro.f1 - measured[0].macro.f1)
