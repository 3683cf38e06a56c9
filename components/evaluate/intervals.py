"""How far a figure may move by chance: bootstrap over groups, since images of one lesion do not vary alone (Efron 1979)."""

from collections.abc import Sequence

import numpy as np
import numpy.typing as npt

from components.lesions import CODES

_DRAWS_AT_ONCE = 100


def f1_intervals(
    truth: Sequence[str], predicted: Sequence[str], groups: Sequence[str], *, draws: int = 1000, seed: int = 0
) -> npt.NDArray[np.float64]:
    """95 % percentile intervals of each diagnosis's F1.

    Args:
        truth: N diagnosis codes.
        predicted: N diagnosis codes.
        groups: N group ids; whole groups are drawn.
        draws: bootstrap samples.
        seed: of the draws.

    Returns:
        8 x 2: lower and upper end, in the order of `CODES`.
    """
    counts = _counts(truth, predicted, groups)
    rng = np.random.default_rng(seed)
    chances = np.full(len(counts), 1 / len(counts))
    parts = []
    for start in range(0, draws, _DRAWS_AT_ONCE):
        weights = rng.multinomial(len(counts), chances, size=min(_DRAWS_AT_ONCE, draws - start))
        right, said, there = np.tensordot(weights, counts, axes=1).transpose(1, 0, 2)
        parts.append(2 * right / np.maximum(said + there, 1))
    ends: npt.NDArray[np.float64] = np.quantile(np.concatenate(parts), [0.025, 0.975], axis=0).T
    return ends


def paired_intervals(
    truth: Sequence[str],
    first: Sequence[str],
    second: Sequence[str],
    groups: Sequence[str],
    *,
    draws: int = 1000,
    seed: int = 0,
) -> dict[str, tuple[float, float]]:
    """95 % percentile intervals of how much better the second of two models is on the same images.

    Both are judged on each draw of groups, so that what makes images hard for both falls out of the difference.

    Args:
        truth: N diagnosis codes.
        first: N diagnosis codes, what one model said.
        second: what the other said.
        groups: N group ids; whole groups are drawn.
        draws: bootstrap samples.
        seed: of the draws.

    Returns:
        `accuracy`, `balanced_accuracy` and `macro_f1` → lower and upper end of second - first. The last two are means over the
        diagnoses that a draw holds.
    """
    counts = [_counts(truth, said, groups) for said in (first, second)]
    rng = np.random.default_rng(seed)
    groups_held = len(counts[0])
    weights = rng.multinomial(groups_held, np.full(groups_held, 1 / groups_held), size=draws)
    one, other = (_summaries(np.tensordot(weights, held, axes=1)) for held in counts)
    ends = {name: np.quantile(other[name] - one[name], [0.025, 0.975]) for name in one}
    return {name: (float(low), float(high)) for name, (low, high) in ends.items()}


def _summaries(counts: npt.NDArray[np.int64]) -> dict[str, npt.NDArray[np.float64]]:
    """Accuracy, balanced accuracy and macro F1 of each draw; `counts`: draws x 3 x 8, as `_counts` has them."""
    right, said, there = counts.transpose(1, 0, 2)
    held = there > 0
    classes = held.sum(axis=1)
    recall = np.where(held, right / np.maximum(there, 1), 0)
    f1 = np.where(held, 2 * right / np.maximum(said + there, 1), 0)
    return {
        "accuracy": right.sum(axis=1) / there.sum(axis=1),
        "balanced_accuracy": recall.sum(axis=1) / classes,
        "macro_f1": f1.sum(axis=1) / classes,
    }


def _counts(truth: Sequence[str], predicted: Sequence[str], groups: Sequence[str]) -> npt.NDArray[np.int64]:
    """Groups x 3 x 8: of each diagnosis, how often it was rightly predicted, predicted, and true."""
    names, place = np.unique(np.array(groups), return_inverse=True)
    true, said = _one_hot(truth), _one_hot(predicted)
    counts = np.zeros((len(names), 3, len(CODES)), np.int64)
    np.add.at(counts, place, np.stack([true & said, said, true], axis=1))
    return counts


def _one_hot(codes: Sequence[str]) -> npt.NDArray[np.bool_]:
    table: npt.NDArray[np.bool_] = np.array(codes)[:, None] == np.array(CODES)
    return table
