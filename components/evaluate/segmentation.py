"""The measures of a segmenter, from the table of what it drew."""

from collections.abc import Sequence

import numpy as np
import pandas as pd

from components.evaluate.bootstrap import mask_intervals
from components.overlap import IMAGE_MEASURES, MEASURES, measure_overlap
from components.predictions import overlap_of
from components.scores import ImageOverlapScores, OverlapScores, SegmentationScores


def measure_segmentation(table: pd.DataFrame, groups: Sequence[str] | None = None) -> SegmentationScores:
    """Every figure of the report, as a mean over images and over all pixels pooled.

    Args:
        table: N rows, at least one: the pixel counts and each of `IMAGE_MEASURES`, as `components.evaluate.judged` makes them.
        groups: N group ids, for the intervals; None: without intervals.
    """
    overlap = overlap_of(table)
    pooled = measure_overlap(overlap.pooled())
    return SegmentationScores(
        images=len(table),
        empty_predictions=int(np.count_nonzero(overlap.true_positive + overlap.false_positive == 0)),
        per_image=ImageOverlapScores(**{name: float(table[name].mean()) for name in IMAGE_MEASURES}),
        pooled=OverlapScores(**{name: float(pooled[name].iloc[0]) for name in MEASURES}),
        intervals={} if groups is None else mask_intervals(table, groups),
    )
