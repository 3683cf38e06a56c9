"""A challenger beside the champion: both judged on the same images of test, of which neither learned."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import cv2
import numpy as np
import numpy.typing as npt
import pandas as pd
from scipy.stats import binomtest

from components.boundary import boundary_f1
from components.bundle import Bundle, Description
from components.dataset import Dataset
from components.evaluate.bootstrap import paired_differences, paired_mask_differences
from components.evaluate.classification import predicted_codes
from components.evaluate.judged import answered, measured
from components.images import decode_image
from components.lesions import Split, Task
from components.overlap import count_overlap
from components.predictions import PROBABILITY_COLUMNS, probabilities_of
from components.promotion.entries import Comparison, Version
from components.scores import DICE_CHANGE, Difference

_BATCH = 32


@dataclass(frozen=True)
class Incomparable:
    """Why two models cannot be compared, without full stop."""

    reason: str


@dataclass(frozen=True)
class Judge:
    """What judges.

    Attributes:
        dataset: the preprocessed images of a run.
        validated: the same as they came; None: they are not at hand.
        specificity: at which the share of melanomas found is told.
    """

    dataset: Dataset
    validated: Dataset | None
    specificity: float

    def rows(self, task: Task) -> pd.DataFrame:
        """Test."""
        return self.dataset.rows(task, Split.TEST)


def compare(
    champion: Bundle,
    version: Version,
    judge: Judge,
    challenger: pd.DataFrame,
    learned: int | None,
    tell: Callable[[int], None],
) -> Comparison | Incomparable:
    """Judge the champion on the images of test, and set the challenger beside it.

    Args:
        champion: what serves.
        version: as which it is registered.
        judge: the images, and how melanomas are counted.
        challenger: its answers to the images of test, as `components.evaluate.judged` writes them.
        learned: images of test whose group the champion learned from; None: not known.
        tell: called with the number of images of each batch.
    """
    if learned is None:
        return Incomparable(f"whether it learned from images of test is not known, since {_unknown(champion.description)}")
    if learned:
        return Incomparable(f"it learned from lesions of {learned:,} images of test")
    answers = _answers(champion, judge, tell)
    if isinstance(answers, Incomparable):
        return answers
    now = challenger.set_index("image_id").loc[answers["image_id"]].reset_index()
    if champion.task is Task.CLASSIFICATION:
        return _classifiers(version, answers, now, judge.specificity)
    return _segmenters(version, answers, now)


def _unknown(description: Description) -> str:
    own, *before = (version[:12] for version in description.learned_from)
    if not before:
        return f"its data (version {own}) is neither in this home nor in MLflow"
    return (
        f"of its data (version {own}) and that of the models that it was trained on from ({', '.join(before)}) some is neither in "
        "this home nor in MLflow"
    )


def _answers(champion: Bundle, judge: Judge, tell: Callable[[int], None]) -> pd.DataFrame | Incomparable:
    """What the champion says of test: from the pixels at hand where it was trained on such, else from the images as they came."""
    rows = judge.rows(champion.task)
    if champion.description.preprocess == judge.dataset.preprocessing:
        return answered(champion, judge.dataset, rows, tell)
    if judge.validated is None:
        return Incomparable("it saw images that were preprocessed otherwise, and the images as they came are not at hand")
    origin = judge.validated.rows(champion.task, Split.TEST).set_index("image_id", drop=False).loc[rows["image_id"]]
    parts = []
    for start in range(0, len(rows), _BATCH):
        batch, came = rows.iloc[start : start + _BATCH], origin.iloc[start : start + _BATCH].to_dict("records")
        images = [decode_image(judge.validated.image_bytes(row), str(row["image_id"])) for row in came]
        parts.append(_table(champion, judge.dataset, batch, champion.predict(images)))
        tell(len(batch))
    known = rows[["image_id", "group_id", *(["label"] if champion.task is Task.CLASSIFICATION else [])]].reset_index(drop=True)
    return measured(champion.task, known.join(pd.concat(parts, ignore_index=True)))


def _table(champion: Bundle, dataset: Dataset, rows: pd.DataFrame, said: np.ndarray) -> pd.DataFrame:
    if champion.task is Task.CLASSIFICATION:
        return pd.DataFrame(said, columns=list(PROBABILITY_COLUMNS))
    truth = dataset.masks(rows) > 0
    height, width = truth.shape[1:]
    scaled = np.stack([cv2.resize(one, (width, height), interpolation=cv2.INTER_LINEAR) for one in said])
    predicted = scaled >= champion.description.mask_threshold
    return pd.DataFrame(vars(count_overlap(truth, predicted))).assign(boundary_f1=boundary_f1(truth, predicted))


def _classifiers(version: Version, before: pd.DataFrame, now: pd.DataFrame, specificity: float) -> Comparison:
    truth, groups = now["label"].tolist(), now["group_id"].tolist()
    first, second = probabilities_of(before), probabilities_of(now)
    was_right, is_right = (np.array(predicted_codes(said)) == np.array(truth) for said in (first, second))
    differences = paired_differences(truth, first, second, groups, specificity=specificity)
    return _comparison(version, groups, differences, gained=is_right & ~was_right, lost=was_right & ~is_right)


def _segmenters(version: Version, before: pd.DataFrame, now: pd.DataFrame) -> Comparison:
    groups = now["group_id"].tolist()
    change = now["dice"].to_numpy() - before["dice"].to_numpy()
    differences = paired_mask_differences(before, now, groups)
    return _comparison(version, groups, differences, gained=change > DICE_CHANGE, lost=change < -DICE_CHANGE)


def _comparison(
    version: Version,
    groups: Sequence[str],
    differences: dict[str, Difference],
    *,
    gained: npt.NDArray[np.bool_],
    lost: npt.NDArray[np.bool_],
) -> Comparison:
    better, worse = int(gained.sum()), int(lost.sum())
    return Comparison(
        champion=version,
        images=len(groups),
        groups=len(set(groups)),
        differences=differences,
        gained=better,
        lost=worse,
        p_value=float(binomtest(better, better + worse).pvalue) if better + worse else 1.0,
    )
