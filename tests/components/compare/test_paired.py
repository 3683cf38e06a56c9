"""Two tables of answers, image by image."""

import numpy as np
import pandas as pd
import pytest
from scipy.stats import binom

from components.compare.paired import common, pair
from components.lesions import CODES, Task
from components.overlap import Overlap, measure_overlap
from components.predictions import PROBABILITY_COLUMNS


def classified(truth: list[str], said: list[str], sure: float = 0.9) -> pd.DataFrame:
    """What a classifier said, two images a group."""
    probabilities = np.full((len(truth), 8), (1 - sure) / 7)
    probabilities[np.arange(len(truth)), [CODES.index(code) for code in said]] = sure
    ids = [f"I{number:03d}" for number in range(len(truth))]
    known = {"image_id": ids, "group_id": [f"g{number // 2}" for number in range(len(truth))], "label": truth, "truth": truth}
    return pd.DataFrame(known | {"sha256": ids}).join(pd.DataFrame(probabilities, columns=list(PROBABILITY_COLUMNS)))


def drawn(dice: list[float]) -> pd.DataFrame:
    """What a segmenter drew, an image a group; lesions of 10,000 pixels, found as large as they are."""
    ids = [f"I{number:03d}" for number in range(len(dice))]
    known = dict.fromkeys(("image_id", "group_id", "sha256", "truth"), ids)
    found = np.array([round(10_000 * one) for one in dice])
    overlap = Overlap(found, 10_000 - found, 10_000 - found, 80_000 + found)
    return pd.DataFrame(known | vars(overlap)).join(measure_overlap(overlap)).assign(thresholded_jaccard=0.0, boundary_f1=0.0)


def test_images_that_one_alone_has_right_are_counted_and_come_first() -> None:
    truth = ["MEL"] * 6 + ["NV"] * 14
    first = ["NV", "MEL", "MEL", *["BCC"] * 3, *["NV"] * 14]
    second = ["MEL", "NV", "MEL", *["BCC"] * 2, "MEL", *["NV"] * 14]
    told = pair(Task.CLASSIFICATION, classified(truth, first), classified(truth, second))
    assert told is not None
    assert (told.first_better, told.second_better) == (1, 2)
    assert told.order[:3] == ("I000", "I001", "I005")
    melanoma, nevus = told.diagnoses
    assert (melanoma.images, melanoma.first_right, melanoma.second_right) == (6, 2, 3)
    assert (melanoma.only_first, melanoma.only_second) == (("I001",), ("I000", "I005"))
    assert (nevus.only_first, nevus.only_second) == ((), ())
    assert told.differences["accuracy"].value == pytest.approx(1 / 20)
    assert not told.differences["accuracy"].told


def test_mcnemars_test_is_the_two_sided_binomial_of_the_images_on_which_they_differ() -> None:
    truth = ["NV"] * 100
    first = ["NV"] * 12 + ["MEL"] * 3 + ["NV"] * 85
    second = ["MEL"] * 12 + ["NV"] * 3 + ["NV"] * 85
    told = pair(Task.CLASSIFICATION, classified(truth, first), classified(truth, second))
    assert told is not None
    assert told.p_value == pytest.approx(2 * binom.cdf(3, 15, 0.5))
    assert told.differences["accuracy"].value == pytest.approx(-9 / 100)


def test_two_that_say_the_same_differ_by_nothing() -> None:
    table = classified(["MEL", "NV"] * 5, ["NV"] * 10)
    told = pair(Task.CLASSIFICATION, table, table.sample(frac=1, random_state=0))
    assert told is not None
    assert told.p_value == 1
    assert {(one.value, one.low, one.high) for one in told.differences.values()} == {(0, 0, 0)}


def test_only_the_same_pixels_under_the_same_truth_are_common() -> None:
    first, second = classified(["NV"] * 6, ["NV"] * 6), classified(["NV"] * 6, ["MEL"] * 6)
    second.loc[1, "sha256"] = "replaced"
    second.loc[2, ["truth", "label"]] = "MEL"
    second = second.drop(index=3).sample(frac=1, random_state=1)
    for table in common(first, second):
        assert table["image_id"].tolist() == ["I000", "I004", "I005"]
    told = pair(Task.CLASSIFICATION, first, second)
    assert told is not None
    assert (told.images, told.of) == (3, (6, 5))


def test_without_a_common_image_nothing_is_paired() -> None:
    first, second = drawn([0.5]), drawn([0.5]).assign(image_id="other")
    assert pair(Task.SEGMENTATION, first, second) is None


def test_masks_are_compared_by_their_dice() -> None:
    first, second = drawn([0.9, 0.8, 0.5, 0.7]), drawn([0.85, 0.5, 0.9, 0.7])
    told = pair(Task.SEGMENTATION, first, second)
    assert told is not None
    assert (told.first_better, told.second_better) == (1, 1)
    assert told.order == ("I002", "I001", "I000", "I003")
    assert told.differences["dice"].value == pytest.approx(0.05 / 4)
    assert told.differences["dice"].low < 0 < told.differences["dice"].high
    assert told.diagnoses == ()


def test_the_interval_of_masks_is_that_of_a_mean_over_groups() -> None:
    rng = np.random.default_rng(0)
    first = rng.uniform(0.4, 0.6, 400)
    change = rng.normal(0.02, 0.05, 400)
    told = pair(Task.SEGMENTATION, drawn(first.tolist()), drawn((first + change).tolist()))
    assert told is not None
    one = told.differences["dice"]
    half = 1.96 * change.std() / 20
    assert (one.low, one.high) == pytest.approx((change.mean() - half, change.mean() + half), abs=0.0015)
