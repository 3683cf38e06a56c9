"""How well a score ranks one kind of image above the rest, for many weightings of the images at once.

Between two scores of images that are of the kind, the others change nothing but how many of them are passed. So only the distinct
scores of the kind are levels; the others are summed, weighted, between levels and at them, by one sparse product. What is left are
cumulative sums over the levels. A tie counts as it does in scikit-learn: one step of the curve.
"""

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
from scipy.sparse import csr_matrix

Floats = npt.NDArray[np.float64]


@dataclass(frozen=True)
class Ranked:
    """Figures of R weightings, each R, 0 to 1; NaN where the kind, or all else, has no weight.

    Attributes:
        auc: area under the ROC curve.
        average_precision: mean precision over the recall steps, not interpolated.
        sensitivity: highest sensitivity at any threshold of at least the specificity that was asked for.
    """

    auc: Floats
    average_precision: Floats
    sensitivity: Floats


class Ranking:
    """A score, and which images are of the kind that it should rank above the rest.

    Args:
        shown: N, bool, images of the kind.
        score: N, float.
        group: N, int, the place of each image's group, 0 to `groups` - 1.
        groups: how many groups there are.
    """

    def __init__(self, shown: npt.NDArray[np.bool_], score: Floats, group: npt.NDArray[np.intp], groups: int) -> None:
        levels = np.unique(score[shown])
        self._levels = len(levels)
        place = np.searchsorted(levels, score)
        at_level = np.append(levels, np.nan)[place] == score
        # Level 0 is the highest score. Rows: the kind at each level, others at each, others above each and, last, below all.
        row = np.where(at_level, self._levels - 1 - place, self._levels - place)
        row = row + np.where(shown, 0, np.where(at_level, self._levels, 2 * self._levels))
        self._sums = csr_matrix((np.ones(len(score)), (row, group)), shape=(3 * self._levels + 1, groups))

    def measure(self, weights: Floats, specificity: float) -> Ranked:
        """Weigh groups.

        Args:
            weights: groups x R, at least 0.
            specificity: least one of a threshold, more than 0 and at most 1.
        """
        sums: Floats = self._sums @ weights
        here, tied, between = np.split(sums, [self._levels, 2 * self._levels])
        found = here.cumsum(axis=0)
        passed = (between[:-1] + tied).cumsum(axis=0)
        all_here, all_else = here.sum(axis=0), tied.sum(axis=0) + between.sum(axis=0)
        known = (all_here > 0) & (all_else > 0)
        pairs = (here * (all_else - passed + tied / 2)).sum(axis=0)
        precision = found / np.maximum(found + passed, 1e-300)
        allowed = (all_else - passed) / np.maximum(all_else, 1e-300) >= specificity
        figures = (pairs / np.where(known, all_else, 1), (here * precision).sum(axis=0), (here * allowed).sum(axis=0))
        return Ranked(*(np.where(known, figure / np.where(known, all_here, 1), np.nan) for figure in figures))
