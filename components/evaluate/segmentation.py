"""The measures of a segmenter, from the pixel counts of each image."""

import numpy as np

from components.overlap import MEASURES, Overlap, measure_overlap
from components.scores import OverlapScores, SegmentationScores


def measure_segmentation(overlap: Overlap) -> SegmentationScores:
    """Every figure of the report, as a mean over images and over all pixels pooled."""
    per_image = measure_overlap(overlap)
    pooled = measure_overlap(overlap.pooled())
    return SegmentationScores(
        images=len(per_image),
        empty_predictions=int(np.count_nonzero(overlap.true_positive + overlap.false_positive == 0)),
        per_image=OverlapScores(**{name: float(per_image[name].mean()) for name in MEASURES}),
        pooled=OverlapScores(**{name: float(pooled[name].iloc[0]) for name in MEASURES}),
    )
