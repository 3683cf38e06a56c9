"""Two models image by image: on which of the images that both were judged on they differ, and whether by more than chance."""

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
import pandas as pd
from scipy.stats import binomtest

from components.compare.differences import Contrast, differences
from components.evaluate.classification import predicted_codes
from components.lesions import CODES, Task
from components.predictions import probabilities_of
from components.scores import DICE_CHANGE

_SAME = ["image_id", "sha256", "truth"]


@dataclass(frozen=True)
class OfDiagnosis:
    """Images of one diagnosis: how many, how many each has right, and those that one alone has right, by id."""

    code: str
    images: int
    first_right: int
    second_right: int
    only_first: tuple[str, ...]
    only_second: tuple[str, ...]


@dataclass(frozen=True)
class Paired:
    """Two models on the images of test that both were judged on and neither learned from.

    Attributes:
        images, groups: how many there are.
        of: images of test that each of the two was judged on.
        differences: see `components.compare.differences`.
        first_better, second_better: images that the one alone has right; for segmenters whose Dice is higher by more than
            `DICE_CHANGE`.
        p_value: of McNemar's exact test (1947; for segmenters the sign test, which is the same sum): how probable so uneven a share
            of the images on which they differ would be if neither were better. It counts each image by itself, though those of a
            lesion do not vary alone; the intervals do not.
        diagnoses: those that the images show, in the order of `CODES`; empty for segmenters.
        order: ids of all images, those first on which the two differ most.
    """

    images: int
    groups: int
    of: tuple[int, int]
    differences: dict[str, Contrast]
    first_better: int
    second_better: int
    p_value: float
    diagnoses: tuple[OfDiagnosis, ...]
    order: tuple[str, ...]


def common(first: pd.DataFrame, second: pd.DataFrame) -> tuple[pd.DataFrame, pd.DataFrame]:
    """The rows of two tables (`components.compare.sides.Answers`) that show the same pixels under the same id and truth, by id."""
    both = first[_SAME].merge(second[_SAME], on=_SAME)["image_id"].sort_values()
    one, other = (table.set_index("image_id", drop=False).loc[both].reset_index(drop=True) for table in (first, second))
    return one, other


def pair(task: Task, first: pd.DataFrame, second: pd.DataFrame) -> Paired | None:
    """Compare what two models said; None where they have no image in common.

    Args:
        task: that both answer.
        first, second: see `components.compare.sides.Answers`.
    """
    of = len(first), len(second)
    first, second = common(first, second)
    if first.empty:
        return None
    better, change = _right_alone(first, second) if task is Task.CLASSIFICATION else _by_dice(first, second)
    counts = int((better < 0).sum()), int((better > 0).sum())
    order = np.lexsort((first["image_id"].to_numpy(str), -change, better == 0))
    return Paired(
        images=len(first),
        groups=second["group_id"].nunique(),
        of=of,
        differences=differences(task, first, second),
        first_better=counts[0],
        second_better=counts[1],
        p_value=float(binomtest(counts[0], sum(counts)).pvalue) if any(counts) else 1.0,
        diagnoses=_by_diagnosis(first, second) if task is Task.CLASSIFICATION else (),
        order=tuple(first["image_id"].iloc[order]),
    )


def _right(table: pd.DataFrame) -> npt.NDArray[np.bool_]:
    right: npt.NDArray[np.bool_] = np.array(predicted_codes(probabilities_of(table))) == table["label"].to_numpy(str)
    return right


def _right_alone(first: pd.DataFrame, second: pd.DataFrame) -> tuple[npt.NDArray[np.int64], npt.NDArray[np.floating]]:
    """-1 where the first alone is right, 1 where the second is, 0 elsewhere; and the largest change of a probability."""
    change = np.abs(probabilities_of(second) - probabilities_of(first)).max(axis=1)
    return _right(second).astype(int) - _right(first).astype(int), change


def _by_dice(first: pd.DataFrame, second: pd.DataFrame) -> tuple[npt.NDArray[np.int64], npt.NDArray[np.floating]]:
    change = second["dice"].to_numpy(float) - first["dice"].to_numpy(float)
    return np.where(np.abs(change) > DICE_CHANGE, np.sign(change), 0).astype(int), np.abs(change)


def _by_diagnosis(first: pd.DataFrame, second: pd.DataFrame) -> tuple[OfDiagnosis, ...]:
    truth, ids = first["label"].to_numpy(str), first["image_id"].to_numpy(str)
    one, other = _right(first), _right(second)
    return tuple(
        OfDiagnosis(
            code=code,
            images=int(shown.sum()),
            first_right=int((shown & one).sum()),
            second_right=int((shown & other).sum()),
            only_first=tuple(ids[shown & one & ~other].tolist()),
            only_second=tuple(ids[shown & other & ~one].tolist()),
        )
        for code in CODES
        if (shown := truth == code).any()
    )
