"""One temperature for all probabilities of a classifier, so that they mean what they say (Guo 2017).

p becomes softmax(log p / T): above 1 a temperature takes confidence away, below 1 it adds some. It changes neither the order of the
diagnoses nor the decision. So what comes right is the confidence in the diagnosis that is named, over all of them together: a
network that was trained to answer as if all were equally frequent goes on doing so, and its probability of a rare one stays too
high. Of a mean of several models the mean is what is calibrated, not each of them: members that are right by themselves make a mean
that is not confident enough (Rahaman and Thiery 2021).
"""

import numpy as np
import numpy.typing as npt

Floats = npt.NDArray[np.float32]
Places = npt.NDArray[np.intp]

_COLDEST, _HOTTEST = 0.1, 10.0
# Below the smallest normal float32 there is nothing left to compare.
_LEAST = float(np.finfo(np.float32).tiny)


def calibrate(probabilities: Floats, temperature: float | None) -> Floats:
    """Probabilities at another temperature.

    Args:
        probabilities: N x K, float32, 0 to 1.
        temperature: above 0; None leaves them as they are.

    Returns:
        N x K, float32, each row summing to 1.
    """
    if temperature is None:
        return probabilities
    logits = _logits(probabilities) / temperature
    odds = np.exp(logits - logits.max(axis=1, keepdims=True))
    calibrated: Floats = (odds / odds.sum(axis=1, keepdims=True)).astype(np.float32)
    return calibrated


def fit_temperature(truth: Places, probabilities: Floats) -> float:
    """The temperature with the least negative log-likelihood, 0.1 to 10.

    Args:
        truth: N places of the true diagnoses, 0 to K - 1; one or more.
        probabilities: N x K, as the model gives them to images that it did not learn from.
    """
    # A program that only predicts needs neither.
    from scipy.optimize import minimize_scalar
    from scipy.special import logsumexp

    logits = _logits(probabilities)
    true = logits[np.arange(len(truth)), truth]

    def loss(logarithm: float) -> float:
        inverse = np.exp(-logarithm)
        return float((logsumexp(logits * inverse, axis=1) - true * inverse).mean())

    best = minimize_scalar(loss, bounds=(np.log(_COLDEST), np.log(_HOTTEST)), method="bounded", options={"xatol": 1e-5})
    return round(float(np.exp(best.x)), 4)


def _logits(probabilities: Floats) -> npt.NDArray[np.float64]:
    return np.log(np.maximum(probabilities, _LEAST, dtype=np.float64))
