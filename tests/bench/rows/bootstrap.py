"""The bootstrap's intervals of all of a classifier's figures, against scikit-learn called for each draw."""

from collections.abc import Iterator

import numpy as np
from sklearn.metrics import (
    accuracy_score,
    average_precision_score,
    brier_score_loss,
    confusion_matrix,
    precision_recall_fscore_support,
    roc_auc_score,
    roc_curve,
)

from components.evaluate.bootstrap import DRAWS, draw_weights, intervals
from components.evaluate.weighted import confidence_bins, is_malignant, malignancy, places_of
from components.lesions import CODES
from tests.bench.row import Row, race

_IMAGES = 3_800
_IMAGES_OF_A_LESION = 2
_LOOPED = 20
_REPEATS = 3
_SHARES = (0.18, 0.51, 0.13, 0.03, 0.10, 0.01, 0.01, 0.03)  # of the diagnoses in ISIC 2019


def measure() -> Iterator[Row]:
    """Seconds for 2,000 draws; those of the loop are measured on 20 draws, times 100."""
    truth, said, groups = _answers()

    def ours() -> None:
        intervals(truth, said, groups)

    def theirs() -> None:
        for weights in next(draw_weights(len(set(groups)), _LOOPED, seed=0)).T:
            _by_scikit_learn(truth, said, weights[np.array(groups, int)])

    seconds = race(ours, theirs, repeats=_REPEATS)
    name = f"bootstrap of every figure, {DRAWS:,} draws, {_IMAGES:,} images"
    yield Row.of_costs(name, "s", ours=seconds[0], theirs=seconds[1] * DRAWS / _LOOPED)


def _answers() -> tuple[list[str], np.ndarray, list[str]]:
    rng = np.random.default_rng(0)
    true = rng.choice(len(CODES), _IMAGES, p=np.array(_SHARES) / sum(_SHARES))
    logits = rng.normal(size=(_IMAGES, len(CODES))) + 2.5 * np.eye(len(CODES))[true]
    said = np.exp(logits) / np.exp(logits).sum(axis=1, keepdims=True)
    return [CODES[place] for place in true], said.astype(np.float32), [str(i // _IMAGES_OF_A_LESION) for i in range(_IMAGES)]


def _by_scikit_learn(truth: list[str], said: np.ndarray, weights: np.ndarray) -> None:
    """Each figure once; what several are made of is computed once too."""
    true, scores = places_of(truth), said.astype(np.float64)
    predicted, labels = scores.argmax(axis=1), np.arange(len(CODES))
    accuracy_score(true, predicted, sample_weight=weights)
    confusion_matrix(true, predicted, labels=labels, sample_weight=weights)
    for average in (None, "micro", "macro", "weighted"):
        precision_recall_fscore_support(true, predicted, labels=labels, average=average, sample_weight=weights, zero_division=0)
    brier_score_loss(np.eye(len(CODES))[true], said, sample_weight=weights, scale_by_half=False)
    confidence = scores.max(axis=1)
    np.bincount(confidence_bins(confidence), weights * (confidence - (true == predicted)))
    for shown, score in [*((true == label, scores[:, label]) for label in labels), (is_malignant(truth), malignancy(said))]:
        roc_auc_score(shown, score, sample_weight=weights)
        average_precision_score(shown, score, sample_weight=weights)
    roc_curve(true == 0, scores[:, 0], sample_weight=weights, drop_intermediate=False)
