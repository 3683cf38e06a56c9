"""Flipped diagnoses: a batch whose labels disagree more with the old images than those do among each other.

A judge is trained on the old images alone: logistic regression on the features of a frozen network, cross-fitted by group, so that
it answers for images from which it did not learn, old and new alike. How plausible it finds the label that an image carries is
ranked among the old images of that label, out of fold: a conformal p-value (Vovk 2005), which is uniform for a sound image whatever
share its class has in the batch. Fisher's -ln p (1932), averaged over each lesion, is summed over the batch and over each class of
it, and compared with as many old lesions of the same classes drawn at random (10,000 times): how often they are as doubtful.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from components.groups import fold_of
from components.intake.finding import Finding
from components.lesions import CODES

CHECK = "labels"

Floats = npt.NDArray[np.float64]
Labels = npt.NDArray[np.object_]

FOLDS = 5
DRAWS = 10_000
# Classes with fewer old lesions are ranked as one: among a dozen, no label can be told to be implausible.
_RARE = 80
# Labels are judged where there are so many old lesions to rank among, and a class by itself where so many new ones are summed.
_FEWEST_OLD = 20
_FEWEST_NEW = 5
# Labels as implausible as this twentieth of the old ones are told as doubtful.
DOUBTFUL = 0.05
_DIRECTIONS = 128
_STRENGTH = 0.01


@dataclass(frozen=True)
class Labelled:
    """Images with diagnoses: N x F features, N labels, N groups, N ids."""

    features: npt.NDArray[np.float32]
    labels: Labels
    groups: Labels
    ids: Labels

    def rows(self, chosen: npt.NDArray[np.bool_]) -> "Labelled":
        """Those that N flags choose."""
        return Labelled(self.features[chosen], self.labels[chosen], self.groups[chosen], self.ids[chosen])


def labels(old: Labelled, new: Labelled, *, alpha: float, seed: int) -> Finding:
    """Whether more labels of a batch are in doubt than chance explains.

    Args:
        old: images that were there, with the labels that they had.
        new: images whose labels are new.
        alpha: how often a sound batch may be refused.
        seed: of the bootstrap.
    """
    chosen = new.rows(np.isin(new.labels, _judged_classes(old)))
    if not len(chosen.labels):
        return Finding(CHECK, False, "the batch has no diagnosis of which there are enough old images to judge it by")
    return judge(old, chosen, cross_fitted(old, chosen), alpha=alpha, seed=seed)


def judge(old: Labelled, chosen: Labelled, said: "Said", *, alpha: float, seed: int) -> Finding:
    """As `labels`, by what judges said of the images already; each label is one that old images have."""
    told = weigh(old, chosen, said, seed=seed)
    parts = len(told.chances)
    worst = min(told.chances, key=lambda name: told.chances[name])
    chance = min(1.0, told.chances[worst] * parts)
    where = "" if worst == "all" else f", most of all under {worst}"
    doubtful = int((told.ranks <= DOUBTFUL).sum())
    usual = DOUBTFUL * len(told.ranks)
    refuses = chance < alpha
    sentence = (
        f"{doubtful:,} of {len(told.ranks):,} labels are as implausible as the worst {DOUBTFUL:.0%} of the old ones, where "
        f"{usual:.0f} were to be expected{where}: {'chance' if not refuses else 'no chance'} explains it (p = {chance:.2g})"
    )
    measures = {"labels": float(len(told.ranks)), "doubtful": float(doubtful), "expected": usual, "p": chance}
    order = np.argsort(told.ranks, kind="stable")[:doubtful]
    return Finding(CHECK, refuses, sentence, measures, tuple(chosen.ids[order]))


@dataclass(frozen=True)
class Weighed:
    """A batch's labels among the old ones.

    Attributes:
        ranks: M, conformal p-values, 0 to 1.
        chances: `all`, and each class (or the rare ones) with enough lesions → how often old lesions are as doubtful.
    """

    ranks: Floats
    chances: dict[str, float]


@dataclass(frozen=True)
class Said:
    """What the judges say: classes, and N x C probabilities of old images, M x C of new ones, each by a judge of other groups."""

    classes: tuple[str, ...]
    old: Floats
    new: Floats


def weigh(old: Labelled, new: Labelled, said: Said, *, seed: int) -> Weighed:
    """Rank the labels of a batch among the old ones, and tell how often chance makes them as doubtful as they are."""
    plausible, plausible_old = of_label(said.classes, said.new, new.labels), of_label(said.classes, said.old, old.labels)
    random = np.random.default_rng(seed)
    ranks, sums, drawn, chances = np.ones(len(new.labels)), 0.0, np.zeros(DRAWS), {}
    for name, codes in ranked_together(old).items():
        there, mine = np.isin(old.labels, codes), np.isin(new.labels, codes)
        if not mine.any():
            continue
        known = np.sort(plausible_old[there])
        ranks[mine] = (1 + np.searchsorted(known, plausible[mine], side="right")) / (len(known) + 1)
        old_ranks = np.searchsorted(known, plausible_old[there], side="right") / len(known)
        usual = by_lesion(-np.log(old_ranks), old.groups[there])
        seen = by_lesion(-np.log(ranks[mine]), new.groups[mine])
        draws = random.choice(usual, (DRAWS, len(seen))).sum(axis=1)
        # The old lesions are but a sample, too: their mean, which each new one is held against, would be a little another.
        draws += random.normal(0, usual.std() * len(seen) / np.sqrt(len(usual)), DRAWS)
        sums, drawn = sums + seen.sum(), drawn + draws
        if len(seen) >= _FEWEST_NEW:
            chances[name] = tail(draws, float(seen.sum()))
    return Weighed(ranks, {"all": tail(drawn, sums), **chances})


def cross_fitted(old: Labelled, new: Labelled) -> Said:
    """Probabilities of every class, for old and new images alike by the judge that did not learn from their group's fold."""
    from sklearn.decomposition import PCA
    from sklearn.linear_model import LogisticRegression
    from sklearn.pipeline import make_pipeline
    from sklearn.preprocessing import StandardScaler

    classes = tuple(sorted(set(old.labels.astype(str))))
    fold, new_fold = (np.array([fold_of(str(group), FOLDS) for group in one.groups], int) for one in (old, new))
    said, new_said = (np.zeros((len(one.labels), len(classes))) for one in (old, new))
    for number in range(FOLDS):
        learned = fold != number
        directions = min(_DIRECTIONS, int(learned.sum()) - 1, old.features.shape[1])
        judge = make_pipeline(
            StandardScaler(),
            PCA(directions, svd_solver="randomized", random_state=0),
            StandardScaler(),
            LogisticRegression(C=_STRENGTH, max_iter=1000),
        )
        judge.fit(old.features[learned], old.labels[learned].astype(str))
        places = np.array([classes.index(code) for code in judge.classes_])
        for where, images, given in ((fold == number, old, said), (new_fold == number, new, new_said)):
            if where.any():
                given[np.ix_(np.flatnonzero(where), places)] = judge.predict_proba(images.features[where])
    return Said(classes, said, new_said)


def by_lesion(values: Floats, groups: Labels) -> Floats:
    """Mean of values over each group, in the order of the groups' ids."""
    _, lesion, count = np.unique(groups.astype(str), return_inverse=True, return_counts=True)
    return np.asarray(np.bincount(lesion, values) / count, np.float64)


def ranked_together(old: Labelled) -> dict[str, list[str]]:
    """The classes of old images: each by itself, those of which there are few together."""
    lesions = {code: len(np.unique(old.groups[old.labels == code].astype(str))) for code in CODES}
    common = {code: [code] for code, count in lesions.items() if count >= _RARE}
    rare = [code for code, count in lesions.items() if 0 < count < _RARE]
    return common | ({"rare diagnoses": rare} if rare else {})


def _judged_classes(old: Labelled) -> list[str]:
    """Classes of which, or of the rare ones together, there are enough lesions."""
    lesions = {name: np.unique(old.groups[np.isin(old.labels, codes)].astype(str)) for name, codes in ranked_together(old).items()}
    return [code for name, codes in ranked_together(old).items() if len(lesions[name]) >= _FEWEST_OLD for code in codes]


def of_label(classes: Sequence[str], probabilities: Floats, given: Labels) -> Floats:
    """Of each row the probability of the class that is given; 0 where the judges do not know it."""
    places = {code: place for place, code in enumerate(classes)}
    return np.array([row[places[code]] if code in places else 0.0 for row, code in zip(probabilities, given, strict=True)])


def tail(drawn: Floats, seen: float) -> float:
    """How often what was drawn is as large as what was seen. Beyond what draws can tell, by a normal tail of their logarithm."""
    from scipy.stats import norm

    count = int((drawn >= seen).sum())
    if count >= 10:
        return (1 + count) / (1 + len(drawn))
    logs = np.log(np.maximum(drawn, 1e-9))
    return float(min((1 + count) / (1 + len(drawn)), norm.sf((np.log(max(seen, 1e-9)) - logs.mean()) / max(logs.std(), 1e-9))))
