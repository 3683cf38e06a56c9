"""The measures of a classifier, by scikit-learn where it has them."""

from collections.abc import Sequence

import numpy as np
import numpy.typing as npt
from sklearn.metrics import (
    accuracy_score,
    confusion_matrix,
    precision_recall_fscore_support,
    roc_auc_score,
    roc_curve,
)

from components.lesions import CODES
from components.scores import Averages, ClassificationScores, ClassScores

Probabilities = npt.NDArray[np.float32]


def measure_classification(truth: Sequence[str], probabilities: Probabilities) -> ClassificationScores:
    """Judge predictions against the true diagnoses.

    Args:
        truth: N diagnosis codes.
        probabilities: N x 8, float, each row summing to 1, columns in the order of `CODES`.

    Returns:
        Every figure of the report. A diagnosis that is never predicted has precision 0; one that the split does not hold
        counts neither in the macro averages nor in balanced accuracy.
    """
    predicted = predicted_codes(probabilities)
    present = [code for code in CODES if code in set(truth)]
    areas = {code: _area(truth, probabilities, code) for code in CODES}
    known = [area for area in areas.values() if area is not None]
    macro = _averages(truth, predicted, "macro", present)
    precision, recall, f1, support = precision_recall_fscore_support(truth, predicted, labels=CODES, zero_division=0)
    return ClassificationScores(
        images=len(truth),
        accuracy=float(accuracy_score(truth, predicted)),
        balanced_accuracy=macro.recall,
        micro=_averages(truth, predicted, "micro", CODES),
        macro=macro,
        weighted=_averages(truth, predicted, "weighted", CODES),
        macro_auc=float(np.mean(known)) if known else None,
        classes={
            code: ClassScores(
                precision=float(precision[i]), recall=float(recall[i]), f1=float(f1[i]), support=int(support[i]), auc=areas[code]
            )
            for i, code in enumerate(CODES)
        },
        confusion=confusion_matrix(truth, predicted, labels=CODES).tolist(),
    )


def predicted_codes(probabilities: Probabilities) -> list[str]:
    """The most probable diagnosis of each row; of equals, the first in the order of `CODES`."""
    return [CODES[i] for i in probabilities.argmax(axis=1)]


def roc(truth: Sequence[str], probabilities: Probabilities, code: str) -> tuple[npt.NDArray[np.float64], npt.NDArray[np.float64]]:
    """False and true positive rates of one diagnosis against the rest, at every threshold; both classes must be there."""
    false_positive, true_positive, _ = roc_curve(_is(truth, code), probabilities[:, CODES.index(code)])
    return false_positive, true_positive


def _is(truth: Sequence[str], code: str) -> npt.NDArray[np.bool_]:
    return np.array([name == code for name in truth])


def _area(truth: Sequence[str], probabilities: Probabilities, code: str) -> float | None:
    shown = _is(truth, code)
    if shown.all() or not shown.any():
        return None
    return float(roc_auc_score(shown, probabilities[:, CODES.index(code)]))


def _averages(truth: Sequence[str], predicted: Sequence[str], average: str, labels: Sequence[str]) -> Averages:
    precision, recall, f1, _ = precision_recall_fscore_support(truth, predicted, labels=labels, average=average, zero_division=0)
    return Averages(precision=float(precision), recall=float(recall), f1=float(f1))
