"""Whether probabilities mean what they say, and whether sets hold the true diagnosis as often as they promise."""

from collections.abc import Iterator
from typing import Any

import numpy as np
import numpy.typing as npt
import pandas as pd
from scipy.stats import beta
from sklearn.model_selection import GroupKFold

from components.bundle import Description
from components.calibration import calibrate, fit_temperature
from components.calibration_scores import Bin, Calibration, Coverage, Estimate, SplitCalibration
from components.conformal import LEAST_GROUPS, LEVEL, fit_conformal, prediction_sets
from components.lesions import CODES
from components.predictions import probabilities_of

Floats = npt.NDArray[np.float64]
Probabilities = npt.NDArray[np.float32]
Groups = npt.NDArray[Any]

_BINS, _LEAST_IN_A_BIN = 15, 20
_PARTS = 5
_DRAWS_AT_ONCE = 100


def measure_calibration(description: Description, val: pd.DataFrame, test: pd.DataFrame) -> Calibration | None:
    """Measure a classifier's calibration and sets.

    Args:
        description: of its bundle.
        val, test: what it says of the images that judge it, as `components.evaluate.judged` has it.

    Returns:
        None where the bundle is not calibrated, or where a split holds fewer than two groups.
    """
    temperature, sets = description.temperature, description.conformal
    if temperature is None or sets is None or min(part["group_id"].nunique() for part in (val, test)) < 2:
        return None
    said = probabilities_of(test)
    raw_val, raw_test = (calibrate(probabilities_of(part), 1 / temperature) for part in (val, test))
    return Calibration(
        temperature=temperature,
        level=sets.level,
        val=measure_split(val, raw_val, *cross_fitted(val, raw_val, sets.level)),
        test=measure_split(test, raw_test, said, prediction_sets(said, sets)),
    )


def cross_fitted(table: pd.DataFrame, raw: Probabilities, level: float = LEVEL) -> tuple[Probabilities, npt.NDArray[np.bool_]]:
    """Probabilities and sets of images by a temperature and thresholds that were fitted on the others.

    Args:
        table: `label`, `group_id`, `fold`: N rows, of two groups or more. Where all lie in one fold, parts are cut by group.
        raw: N x 8, not calibrated, by models that did not learn from the image.
        level: see `components.conformal.Conformal`.

    Returns:
        Calibrated probabilities, N x 8, and which diagnoses are in each set, N x 8.
    """
    truth, groups = _places(table), table["group_id"].to_numpy()
    calibrated, inside = np.empty_like(raw), np.zeros(raw.shape, bool)
    for fitted, measured in _parts(table):
        temperature = fit_temperature(truth[fitted], raw[fitted])
        sets = fit_conformal(truth[fitted], calibrate(raw[fitted], temperature), groups[fitted], level)
        calibrated[measured] = calibrate(raw[measured], temperature)
        inside[measured] = prediction_sets(calibrated[measured], sets)
    return calibrated, inside


def _parts(table: pd.DataFrame) -> Iterator[tuple[npt.NDArray[np.intp], npt.NDArray[np.intp]]]:
    """Rows to fit on and rows to measure on; every row is measured once, and no group is on both sides."""
    if table["fold"].nunique() > 1 and table["fold"].notna().all():
        folds = table["fold"].to_numpy(np.int64)
        return ((np.flatnonzero(folds != fold), np.flatnonzero(folds == fold)) for fold in np.unique(folds))
    parts = min(_PARTS, table["group_id"].nunique())
    return iter(GroupKFold(parts).split(table, groups=table["group_id"]))


def _places(table: pd.DataFrame) -> npt.NDArray[np.intp]:
    return table["label"].map(CODES.index).to_numpy(np.intp)


def measure_split(
    table: pd.DataFrame, before: Probabilities, after: Probabilities, inside: npt.NDArray[np.bool_]
) -> SplitCalibration:
    """Measure what was said of images.

    Args:
        table: `label`, `group_id`: N rows, of two groups or more.
        before, after: N x 8, without and with the temperature.
        inside: N x 8, which diagnoses are in each set.
    """
    truth, groups = _places(table), table["group_id"].to_numpy()
    (sure_before, right), (sure, _) = (_confidence(truth, said) for said in (before, after))
    classes = {code: truth == place for place, code in enumerate(CODES)}
    return SplitCalibration(
        ece_before=calibration_error(sure_before, right, groups),
        ece=calibration_error(sure, right, groups),
        reliability_before=reliability(sure_before, right),
        reliability=reliability(sure, right),
        coverage=measure_coverage(truth, inside, groups),
        classes={
            code: measure_coverage(truth[here], inside[here], groups[here])
            for code, here in classes.items()
            if len(np.unique(groups[here])) >= LEAST_GROUPS
        },
    )


def _confidence(truth: npt.NDArray[np.intp], said: Probabilities) -> tuple[Floats, npt.NDArray[np.bool_]]:
    """Probability of the diagnosis that is named, and whether it is the true one."""
    return said.max(axis=1).astype(np.float64), said.argmax(axis=1) == truth


def reliability(confidence: Floats, right: npt.NDArray[np.bool_]) -> list[Bin]:
    """Up to 15 bins of equally many images, from the least sure to the surest.

    Args:
        confidence: N, the probability of the diagnosis that is named.
        right: N, whether it is the true one.
    """
    bins = _bins(confidence)
    return [
        Bin(images=int(here.sum()), confidence=float(confidence[here].mean()), accuracy=float(right[here].mean()))
        for here in (bins == place for place in range(bins.max() + 1))
    ]


def calibration_error(
    confidence: Floats, right: npt.NDArray[np.bool_], groups: Groups, *, draws: int = 1000, seed: int = 0
) -> Estimate:
    """How far confidence lies from accuracy, without what chance alone adds: root of the debiased squared error (Kumar 2019).

    The plain error of a perfect model is not 0: .05 on 480 images. Squared, what chance adds to a bin is the mean square of its
    images' residuals (right - confidence) with themselves; left out, there remains the mean product of two different images'
    residuals, whose expectation is the squared error itself, 0 for a perfect model. Images of one group vary together, so that only
    pairs of different groups count. A root mean square is never below the mean that the plain error is.

    The interval is by bootstrap over groups (Efron 1979), in the same bins; a group that is drawn twice makes no pair with itself.

    Args:
        confidence: N, 0 to 1, the probability of the diagnosis that is named.
        right: N, whether it is the true one.
        groups: N group ids, at least two of them.
        draws: bootstrap samples.
        seed: of the draws.

    Returns:
        0 to 1; 0 where the residuals are no larger than chance makes them.
    """
    residuals, counts = _by_group(confidence, right, groups)
    held = len(counts)
    rng = np.random.default_rng(seed)
    drawn = []
    for start in range(0, draws, _DRAWS_AT_ONCE):
        weights = rng.multinomial(held, np.full(held, 1 / held), size=min(_DRAWS_AT_ONCE, draws - start))
        drawn.append(_squared_error(weights.astype(np.float64), residuals, counts))
    value = _squared_error(np.ones((1, held)), residuals, counts)[0]
    low, high = np.quantile(np.concatenate(drawn), [0.025, 0.975])
    return Estimate(value=_root(value), low=_root(low), high=_root(high))


def squared_error(confidence: Floats, right: npt.NDArray[np.bool_], groups: Groups) -> float:
    """The debiased square below `calibration_error`: unbiased, and so below 0 half of the time where a model is perfect."""
    residuals, counts = _by_group(confidence, right, groups)
    return float(_squared_error(np.ones((1, len(counts))), residuals, counts)[0])


def _by_group(confidence: Floats, right: npt.NDArray[np.bool_], groups: Groups) -> tuple[Floats, Floats]:
    """Sums of residuals and numbers of images, groups x bins."""
    bins = _bins(confidence)
    names, place = np.unique(groups, return_inverse=True)
    residuals, counts = np.zeros((2, len(names), bins.max() + 1))
    np.add.at(residuals, (place, bins), right - confidence)
    np.add.at(counts, (place, bins), 1)
    return residuals, counts


def _squared_error(weights: Floats, residuals: Floats, counts: Floats) -> Floats:
    """The debiased square of each draw; `weights`: draws x groups, how often each was drawn."""
    held, squares = weights @ counts, weights**2
    pairs = held**2 - squares @ counts**2
    # A bin whose images are all of one group tells nothing.
    told = np.where(pairs > 0, held, 0)
    products = ((weights @ residuals) ** 2 - squares @ residuals**2) / np.maximum(pairs, 1)
    error: Floats = (told * products).sum(axis=1) / np.maximum(told.sum(axis=1), 1)
    return error


def _bins(confidence: Floats) -> npt.NDArray[np.intp]:
    """The bin of each image."""
    count = max(1, min(_BINS, len(confidence) // _LEAST_IN_A_BIN))
    bins = np.empty(len(confidence), np.intp)
    for place, here in enumerate(np.array_split(np.argsort(confidence, kind="stable"), count)):
        bins[here] = place
    return bins


def _root(square: float) -> float:
    return float(np.sqrt(max(square, 0.0)))


def measure_coverage(truth: npt.NDArray[np.intp], inside: npt.NDArray[np.bool_], groups: Groups) -> Coverage:
    """How often sets hold the true diagnosis.

    Args:
        truth: N places in `CODES`, at least one.
        inside: N x 8, which diagnoses are in each set.
        groups: N group ids.
    """
    covered, sizes = inside[np.arange(len(truth)), truth], inside.sum(axis=1)
    return Coverage(
        images=len(truth),
        covered=int(covered.sum()),
        share=binomial_share(covered, groups),
        mean_size=float(sizes.mean()),
        empty=int((sizes == 0).sum()),
    )


def binomial_share(hits: npt.NDArray[np.bool_], groups: Groups) -> Estimate:
    """The share of hits with its exact binomial interval (Clopper and Pearson 1934), for groups of images (Korn and Graubard 1998).

    Images of one group are not as many as they seem: the interval is that of as many single images as would vary as much. Where all
    or none hit, that cannot be told, and there are as many as groups.

    Args:
        hits: N, at least one.
        groups: N group ids.
    """
    names, place = np.unique(groups, return_inverse=True)
    share, held = float(hits.mean()), len(names)
    deviations = np.bincount(place, weights=hits - share)
    variance = held / max(held - 1, 1) * float((deviations**2).sum()) / len(hits) ** 2
    worth = min(share * (1 - share) / variance, float(len(hits))) if variance > 0 else float(held)
    found = share * worth
    low = float(beta.ppf(0.025, found, worth - found + 1)) if share > 0 else 0.0
    high = float(beta.ppf(0.975, found + 1, worth - found)) if share < 1 else 1.0
    return Estimate(value=share, low=low, high=high)
