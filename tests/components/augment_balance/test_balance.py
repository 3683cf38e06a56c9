import numpy as np
import pytest

from components.augment_balance.balance import count_repeats, weigh_classes
from components.lesions import Diagnosis

MEL, NV, BCC, AK, BKL, DF, VASC, SCC = Diagnosis

# The report's train split, and by hand: 9007 / 3158 = 2.85, / 2318 = 3.89, / 603 = 14.9, / 1835 = 4.91, / 171 = 52.7, …
REPORT = {MEL: 3158, NV: 9007, BCC: 2318, AK: 603, BKL: 1835, DF: 171, VASC: 177, SCC: 462}


def test_repeats_bring_each_class_near_the_largest_and_stop_at_the_limit() -> None:
    assert count_repeats(REPORT, 10) == {MEL: 3, NV: 1, BCC: 4, AK: 10, BKL: 5, DF: 10, VASC: 10, SCC: 10}


def test_half_a_repeat_counts_up() -> None:
    assert count_repeats({NV: 100, MEL: 40, BKL: 67}, 10) == {NV: 1, MEL: 3, BKL: 1}


def test_a_limit_of_one_repeats_nothing() -> None:
    assert set(count_repeats(REPORT, 1).values()) == {1}


def test_weights_without_oversampling_are_the_balanced_ones() -> None:
    # n / (classes x n of the class): 8 / (2 x 6) and 8 / (2 x 2)
    assert weigh_classes({NV: 6, MEL: 2}, {NV: 1, MEL: 1}) == pytest.approx({NV: 2 / 3, MEL: 2.0})


def test_classes_that_oversampling_has_made_equal_weigh_the_same() -> None:
    assert weigh_classes({NV: 6, MEL: 2}, {NV: 1, MEL: 3}) == pytest.approx({NV: 1.0, MEL: 1.0})


def test_weights_make_up_for_what_the_limit_held_back() -> None:
    # Shown: 60 NV and 2 x 10 DF, so 80 / (2 x 60) and 80 / (2 x 20).
    assert weigh_classes({NV: 60, DF: 2}, {NV: 1, DF: 10}) == pytest.approx({NV: 2 / 3, DF: 2.0})


@pytest.mark.parametrize("most", [1, 3, 10, 100])
def test_each_class_has_the_same_say_in_an_epoch(most: int) -> None:
    repeats = count_repeats(REPORT, most)
    weights = weigh_classes(REPORT, repeats)
    say = [REPORT[label] * repeats[label] * weights[label] for label in Diagnosis]
    np.testing.assert_allclose(say, say[0])
    # The mean weight of a sample is 1, so that the learning rate means the same with and without weights.
    assert sum(say) == pytest.approx(sum(REPORT[label] * repeats[label] for label in Diagnosis))
