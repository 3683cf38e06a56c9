"""A model against the one that it was trained on from, image by image: what it forgot, and what it learned."""

import numpy as np
import pandas as pd

from components.bundle import Parent
from components.evaluate.classification import measure_answers, predicted_codes
from components.evaluate.segmentation import measure_segmentation
from components.lesions import CODES, Split
from components.predictions import probabilities_of
from components.scores import DICE_CHANGE, ClassifierParent, SegmenterParent


def compare_classifiers(
    parent: Parent, before: pd.DataFrame, now: pd.DataFrame, specificity: float, *, other_size: bool
) -> ClassifierParent:
    """Compare what a classifier and its parent say.

    Args:
        parent: what was trained on from.
        before: its predictions, as `components.evaluate.judged` makes them.
        now: those of the new model, the images of test in the same order.
        specificity: at which the share of melanomas found is told.
        other_size: whether the images are of another size than those that the parent was trained on.
    """
    val, test = (before[before["split"] == split.value] for split in (Split.VAL, Split.TEST))
    truth = test["label"].to_numpy()
    was_right = np.array(predicted_codes(probabilities_of(test))) == truth
    is_right = np.array(predicted_codes(probabilities_of(now[now["split"] == Split.TEST.value]))) == truth
    return ClassifierParent(
        digest=parent.digest,
        name=parent.name,
        data_version=parent.data_version,
        other_size=other_size,
        val=None if val.empty else measure_answers(val, specificity),
        test=measure_answers(test, specificity),
        forgotten={code: int((was_right & ~is_right & (truth == code)).sum()) for code in CODES},
        learned={code: int((~was_right & is_right & (truth == code)).sum()) for code in CODES},
    )


def compare_segmenters(parent: Parent, before: pd.DataFrame, now: pd.DataFrame, *, other_size: bool) -> SegmenterParent:
    """Compare the masks of a segmenter and its parent; arguments as in `compare_classifiers`."""
    val, test = (before[before["split"] == split.value] for split in (Split.VAL, Split.TEST))
    change = now.loc[now["split"] == Split.TEST.value, "dice"].to_numpy() - test["dice"].to_numpy()
    return SegmenterParent(
        digest=parent.digest,
        name=parent.name,
        data_version=parent.data_version,
        other_size=other_size,
        val=None if val.empty else measure_segmentation(val, val["group_id"].tolist()),
        test=measure_segmentation(test, test["group_id"].tolist()),
        forgotten=int((change < -DICE_CHANGE).sum()),
        learned=int((change > DICE_CHANGE).sum()),
    )
