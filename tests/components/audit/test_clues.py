"""How well a clue tells the diagnosis, on data of which the answer is known beforehand."""

from collections.abc import Mapping
from typing import Any

import numpy as np
import pandas as pd
import pytest

from components.audit.clues import CLUES, Measured, measure
from components.lesions import CODES

ROWS = 100


def table(labels: list[str], **columns: Any) -> pd.DataFrame:
    """Clues that are all the same, but for those that are given."""
    flat = dict.fromkeys((column for clue in CLUES for column in clue.columns), 1.0)
    return pd.DataFrame({**flat, **columns}, index=range(len(labels))).astype(float)


def labels_and_groups(lesions: int = 50) -> tuple[list[str], list[str]]:
    """Two images a lesion, so many lesions of each diagnosis."""
    labels = [code for code in CODES for _ in range(2 * lesions)]
    return labels, [f"{code}{number // 2}" for code in CODES for number in range(2 * lesions)]


def told(measured: Measured) -> Mapping[str, float]:
    return {one.clue.key: one.balanced_accuracy for one in measured.told}


def test_a_clue_that_is_the_diagnosis_tells_all_and_the_others_nothing() -> None:
    labels, groups = labels_and_groups()
    measured = measure(table(labels, width=[100 + CODES.index(code) for code in labels]), labels, groups)
    resolution = measured.told[0]
    assert (resolution.balanced_accuracy, resolution.lower, resolution.upper) == (1, 1, 1)
    assert all(one.constant for one in measured.told[1:-2])
    assert told(measured)["all-technical"] == told(measured)["all"] == 1


def test_one_bit_tells_two_of_eight_diagnoses() -> None:
    # Worked out by hand: of two sizes, each can be answered by one diagnosis alone, so two recalls are 1 and six are 0.
    labels, groups = labels_and_groups()
    measured = measure(table(labels, width=[512 if code in ("MEL", "NV", "BKL") else 256 for code in labels]), labels, groups)
    assert told(measured)["resolution"] == pytest.approx(2 / 8, abs=1e-9)
    assert measured.chance == 1 / 8
    assert measured.gain(2 / 8) == pytest.approx((2 / 8 - 1 / 8) / (7 / 8))


def test_what_is_known_of_a_lesion_alone_does_not_help_on_other_lesions() -> None:
    labels, groups = labels_and_groups()
    of_lesion = {group: value for value, group in enumerate(np.random.default_rng(0).permutation(sorted(set(groups))))}
    measured = measure(table(labels, hair_share=[of_lesion[group] for group in groups]), labels, groups)
    hair = next(one for one in measured.told if one.clue.key == "hair")
    assert hair.lower < measured.chance


def test_noise_tells_no_more_than_chance_whatever_the_balance_of_diagnoses() -> None:
    rng = np.random.default_rng(1)
    labels = rng.choice(CODES[:3], 1500, p=[0.8, 0.15, 0.05]).tolist()
    measured = measure(table(labels, age_approx=rng.uniform(0, 90, 1500)), labels, [str(n) for n in range(1500)])
    age = next(one for one in measured.told if one.clue.key == "age")
    assert age.lower < 1 / 3 < age.upper


def test_an_empty_cell_is_a_value_of_its_own() -> None:
    labels, groups = labels_and_groups()
    ages = [np.nan if code == "SCC" else 50.0 for code in labels]
    measured = measure(table(labels, age_approx=ages), labels, groups)
    age = next(one for one in measured.told if one.clue.key == "age")
    assert age.recalls["SCC"] == 1


def test_intervals_are_wider_where_images_share_lesions() -> None:
    rng = np.random.default_rng(2)
    lesions = rng.normal(size=200) + np.repeat([0.0, 1.0], 100)
    width = np.repeat(lesions, 8)
    labels = ["MEL"] * 800 + ["NV"] * 800
    by_lesion = measure(table(labels, width=width), labels, [str(n // 8) for n in range(1600)]).told[0]
    by_image = measure(table(labels, width=width), labels, [str(n) for n in range(1600)]).told[0]
    assert by_lesion.upper - by_lesion.lower > 1.8 * (by_image.upper - by_image.lower)


def test_the_same_data_gives_the_same_figures() -> None:
    labels, groups = labels_and_groups(20)
    rng = np.random.default_rng(3)
    noise = table(labels, hair_share=rng.uniform(size=len(labels)), bytes_per_pixel=rng.uniform(size=len(labels)))
    assert measure(noise, labels, groups) == measure(noise, labels, groups)
