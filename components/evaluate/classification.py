"""The measures of a classifier, by scikit-learn where it has them."""

from collections.abc import Callable, Mapping, Sequence

import numpy as np
import numpy.typing as npt
import pandas as pd
from sklearn.metrics import (
    accuracy_score,
    average_precision_score,
    confusion_matrix,
    precision_recall_fscore_support,
    roc_auc_score,
    roc_curve,
)

from components.evaluate.bootstrap import intervals
from components.evaluate.weighted import confidence_bins, is_malignant, malignancy, places_of, squared_errors
from components.lesions import CODES, Diagnosis
from components.predictions import probabilities_of
from components.scores import Averages, BinaryScores, ClassificationScores, ClassScores

Probabilities = npt.NDArray[np.float32]


def measure_classification(
    truth: Sequence[str], probabilities: Probabilities, groups: Sequence[str] | None = None, *, specificity: float = 0.9
) -> ClassificationScores:
    """Judge predictions against the true diagnoses.

    Args:
        truth: N diagnosis codes.
        probabilities: N x 8, float, each row summing to 1, columns in the order of `CODES`.
        groups: N group ids, for the intervals; None: without intervals.
        specificity: least one at which the share of melanomas found is told.

    Returns:
        Every figure of the report. A diagnosis that is never predicted has precision 0; one that the split does not hold
        counts neither in the macro averages nor in balanced accuracy.
    """
    predicted = predicted_codes(probabilities)
    present = [code for code in CODES if code in set(truth)]
    areas, precisions = _of_curves(truth, probabilities, roc_auc_score), _of_curves(truth, probabilities, average_precision_score)
    macro = _averages(truth, predicted, "macro", present)
    precision, recall, f1, support = precision_recall_fscore_support(truth, predicted, labels=CODES, zero_division=0)
    return ClassificationScores(
        images=len(truth),
        accuracy=float(accuracy_score(truth, predicted)),
        balanced_accuracy=macro.recall,
        micro=_averages(truth, predicted, "micro", CODES),
        macro=macro,
        weighted=_averages(truth, predicted, "weighted", CODES),
        macro_auc=_mean(areas),
        macro_average_precision=_mean(precisions),
        melanoma_sensitivity=_sensitivity_at(truth, probabilities, Diagnosis.MEL, specificity),
        malignant=_malignant_against_benign(truth, probabilities),
        brier=float(squared_errors(places_of(truth), probabilities).mean()),
        ece=_calibration_error(truth, probabilities),
        classes={
            code: ClassScores(
                precision=float(precision[i]),
                recall=float(recall[i]),
                f1=float(f1[i]),
                support=int(support[i]),
                specificity=_recall(~_is(truth, code), ~_is(predicted, code)),
                auc=areas[code],
                average_precision=precisions[code],
            )
            for i, code in enumerate(CODES)
        },
        confusion=confusion_matrix(truth, predicted, labels=CODES).tolist(),
        intervals={} if groups is None else intervals(truth, probabilities, groups, specificity=specificity),
    )


def measure_answers(table: pd.DataFrame, specificity: float) -> ClassificationScores:
    """Judge a table of predictions, as `components.evaluate.judged` makes it, with intervals."""
    return measure_classification(
        table["label"].tolist(), probabilities_of(table), table["group_id"].tolist(), specificity=specificity
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


def _both(shown: npt.NDArray[np.bool_]) -> bool:
    return bool(shown.any() and not shown.all())


def _of_curves(truth: Sequence[str], probabilities: Probabilities, measure: Callable[..., float]) -> dict[str, float | None]:
    """A figure of each diagnosis's curve against the rest; None where one of the two is absent."""
    shown = {code: _is(truth, code) for code in CODES}
    return {code: float(measure(shown[code], probabilities[:, i])) if _both(shown[code]) else None for i, code in enumerate(CODES)}


def _mean(figures: Mapping[str, float | None]) -> float | None:
    known = [figure for figure in figures.values() if figure is not None]
    return float(np.mean(known)) if known else None


def _recall(shown: npt.NDArray[np.bool_], said: npt.NDArray[np.bool_]) -> float | None:
    return float(said[shown].mean()) if shown.any() else None


def _sensitivity_at(truth: Sequence[str], probabilities: Probabilities, code: str, specificity: float) -> float | None:
    shown = _is(truth, code)
    if not _both(shown):
        return None
    # All thresholds: of several in a row on one line of the curve, the best that is allowed may lie between the ends.
    false_positive, true_positive, _ = roc_curve(shown, probabilities[:, CODES.index(code)], drop_intermediate=False)
    cleared = np.rint((1 - false_positive) * (~shown).sum())
    return float(true_positive[cleared / (~shown).sum() >= specificity].max())


def _malignant_against_benign(truth: Sequence[str], probabilities: Probabilities) -> BinaryScores | None:
    malignant, suspected = is_malignant(truth), malignancy(probabilities)
    if not _both(malignant):
        return None
    return BinaryScores(
        auc=float(roc_auc_score(malignant, suspected)),
        average_precision=float(average_precision_score(malignant, suspected)),
        sensitivity=float((suspected[malignant] >= 0.5).mean()),
        specificity=float((suspected[~malignant] < 0.5).mean()),
    )


def _calibration_error(truth: Sequence[str], probabilities: Probabilities) -> float:
    confidence = probabilities.max(axis=1).astype(np.float64)
    excess = confidence - (probabilities.argmax(axis=1) == places_of(truth))
    return float(np.abs(np.bincount(confidence_bins(confidence), excess)).sum() / len(excess))


def _averages(truth: Sequence[str], predicted: Sequence[str], average: str, labels: Sequence[str]) -> Averages:
    precision, recall, f1, _ = precision_recall_fscore_support(truth, predicted, labels=labels, average=average, zero_division=0)
    return Averages(precision=float(precision), recall=float(recall), f1=float(f1))
