"""Every measure of a classifier for many weightings of its groups at once, so that a bootstrap costs seconds.

An image that weighs 2 counts as two images do: a figure of R weightings is what scikit-learn gives with `sample_weight`, R times.
"""

from collections.abc import Sequence

import numpy as np
import numpy.typing as npt
from scipy.sparse import csr_matrix

from components.evaluate.ranking import Floats, Ranking
from components.lesions import CODES, LESIONS, Diagnosis

CONFIDENCE_BINS = 15
_CLASSES = len(CODES)
_MALIGNANT = np.array([LESIONS[diagnosis].malignant for diagnosis in Diagnosis])


def malignancy(probabilities: npt.NDArray[np.float32]) -> Floats:
    """Probability that a lesion is malignant: N, the sum over the malignant diagnoses of N x 8."""
    summed: Floats = probabilities[:, _MALIGNANT].astype(np.float64).sum(axis=1)
    return summed


def is_malignant(truth: Sequence[str]) -> npt.NDArray[np.bool_]:
    """Which of N diagnoses are malignant."""
    malignant: npt.NDArray[np.bool_] = _MALIGNANT[places_of(truth)]
    return malignant


def places_of(truth: Sequence[str]) -> npt.NDArray[np.intp]:
    """The column of each of N diagnosis codes in the order of `CODES`."""
    column = {code: place for place, code in enumerate(CODES)}
    return np.array([column[code] for code in truth], np.intp)


def squared_errors(truth: npt.NDArray[np.intp], probabilities: npt.NDArray[np.float32]) -> Floats:
    """Sum over the diagnoses of (probability - truth) squared: N, 0 to 2 (Brier 1950)."""
    errors: Floats = ((probabilities.astype(np.float64) - np.eye(_CLASSES)[truth]) ** 2).sum(axis=1)
    return errors


def confidence_bins(confidence: Floats) -> npt.NDArray[np.intp]:
    """Into which of 15 bins each of N confidences falls: bins of equally many images; equal confidences share a bin."""
    edges = np.percentile(confidence, np.linspace(0, 100, CONFIDENCE_BINS + 1)[1:-1])
    return np.searchsorted(edges, confidence)


class ClassifierMeasures:
    """What a classifier said of N images, ready to be weighed.

    Args:
        truth: N diagnosis codes.
        probabilities: N x 8, columns in the order of `CODES`.
        group: N, int, the place of each image's group, 0 to `groups` - 1.
        groups: how many groups there are.
        specificity: at which the share of melanomas found is told.
    """

    def __init__(
        self,
        truth: Sequence[str],
        probabilities: npt.NDArray[np.float32],
        group: npt.NDArray[np.intp],
        groups: int,
        specificity: float,
    ) -> None:
        true, said = places_of(truth), probabilities.argmax(axis=1)
        scores = probabilities.astype(np.float64)
        self._specificity = specificity
        self._rankings = [Ranking(true == place, scores[:, place], group, groups) for place in range(_CLASSES)]
        malignant, suspected = is_malignant(truth), malignancy(probabilities)
        self._malignant = Ranking(malignant, suspected, group, groups)
        self._decided = _sums(2 * malignant + (suspected >= 0.5), 4, group, groups)
        self._confusion = _sums(true * _CLASSES + said, _CLASSES**2, group, groups)
        self._errors = np.bincount(group, squared_errors(true, probabilities), groups)
        confidence = scores.max(axis=1)
        # Of a bin, confidence and accuracy are weighed by the same images: only the difference of their sums counts.
        self._bins = _sums(confidence_bins(confidence), CONFIDENCE_BINS, group, groups, confidence - (true == said))

    def measure(self, weights: Floats) -> dict[str, Floats]:
        """Weigh groups.

        Args:
            weights: groups x R, at least 0; each column has a weight above 0.

        Returns:
            Every figure that has an interval, by its flat name (`components/scores.py`), each R; NaN where a weighting has none,
            since it holds no image of a diagnosis, or none of another. Means are over the diagnoses that a weighting holds.
        """
        confusion = (self._confusion @ weights).reshape(_CLASSES, _CLASSES, -1)
        images = confusion.sum(axis=(0, 1))
        ranked = [ranking.measure(weights, self._specificity) for ranking in self._rankings]
        by_diagnosis = _by_diagnosis(confusion) | {
            "auc": np.stack([one.auc for one in ranked]),
            "average_precision": np.stack([one.average_precision for one in ranked]),
        }
        figures = _averages(confusion, by_diagnosis) | {
            "melanoma_sensitivity": ranked[CODES.index(Diagnosis.MEL)].sensitivity,
            "brier": (self._errors @ weights) / images,
            "ece": np.abs(self._bins @ weights).sum(axis=0) / images,
        }
        for place, code in enumerate(CODES):
            figures |= {f"{code}/{name}": values[place] for name, values in by_diagnosis.items()}
        return figures | self._malignant_against_benign(weights)

    def _malignant_against_benign(self, weights: Floats) -> dict[str, Floats]:
        ranked = self._malignant.measure(weights, self._specificity)
        cleared, alarmed, missed, found = self._decided @ weights
        return {
            "malignant/auc": ranked.auc,
            "malignant/average_precision": ranked.average_precision,
            "malignant/sensitivity": _share(found, found + missed),
            "malignant/specificity": _share(cleared, cleared + alarmed),
        }


def _by_diagnosis(confusion: Floats) -> dict[str, Floats]:
    """Figures of each diagnosis from 8 x 8 x R counts, each 8 x R; a diagnosis that is never predicted has precision 0."""
    right = np.einsum("iir->ir", confusion)
    there, said = confusion.sum(axis=1), confusion.sum(axis=0)
    others = there.sum(axis=0) - there
    held = there > 0
    return {
        "precision": np.where(held, right / np.maximum(said, 1e-300), np.nan),
        "recall": _share(right, there),
        "f1": np.where(held, 2 * right / np.maximum(said + there, 1e-300), np.nan),
        "specificity": _share(others - said + right, others),
    }


def _averages(confusion: Floats, by_diagnosis: dict[str, Floats]) -> dict[str, Floats]:
    """What is told of all diagnoses together, each R."""
    there = confusion.sum(axis=1)
    accuracy = np.einsum("iir->r", confusion) / there.sum(axis=0)
    figures = {"accuracy": accuracy, "balanced_accuracy": _mean(by_diagnosis["recall"])}
    figures |= {f"macro_{name}": _mean(by_diagnosis[name]) for name in ("auc", "average_precision", "precision", "recall", "f1")}
    for name in ("precision", "recall", "f1"):
        figures[f"micro_{name}"] = accuracy
        figures[f"weighted_{name}"] = np.nansum(there * by_diagnosis[name], axis=0) / there.sum(axis=0)
    return figures


def _sums(
    row: npt.NDArray[np.integer], rows: int, group: npt.NDArray[np.intp], groups: int, values: Floats | None = None
) -> csr_matrix:
    """Rows x groups: what the images of a group add to each row, 1 each where no values are given."""
    return csr_matrix((np.ones(len(row)) if values is None else values, (row, group)), shape=(rows, groups))


def _share(part: Floats, whole: Floats) -> Floats:
    share: Floats = np.where(whole > 0, part / np.maximum(whole, 1e-300), np.nan)
    return share


def _mean(values: Floats) -> Floats:
    """Mean over the diagnoses that have a figure: R, of 8 x R."""
    return _share(np.nansum(values, axis=0), np.count_nonzero(~np.isnan(values), axis=0).astype(np.float64))
