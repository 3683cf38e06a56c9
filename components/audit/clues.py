"""What is known of an image without looking at its lesion, and how well the diagnosis is told from it alone.

Shallow models are given what has nothing to do with the lesion (how large the picture is, how dark its border …) and are judged on
lesions that they were not fitted on. What they reach, a network may reach too, and then its accuracy is no knowledge of skin
(Winkler et al. 2019; Bissoto et al. 2020; DeGrave et al. 2021).
"""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
import pandas as pd

from components.lesions import CODES

FOLDS = 5
DRAWS = 1000
SEED = 2019
# A diagnosis of fewer groups cannot be both learnt and judged in each fold.
FEWEST_GROUPS = 2 * FOLDS

_TREES = 50
_LEAVES = 32
_AT_ONCE = 100


@dataclass(frozen=True)
class Clue:
    """Something that is known of an image without looking at its lesion.

    Attributes:
        name: its name in sentences.
        key: its name for programs.
        columns: of the table of features.
        plain: it says nothing at all about skin; what is not plain may carry something of the lesion or the person.
        person: it is medical knowledge: who the patient is and where the lesion sits.
        caution: what else than a shortcut may explain it.
        shown: how captions show its values.
    """

    name: str
    key: str
    columns: tuple[str, ...]
    plain: bool = False
    person: bool = False
    caution: str = ""
    shown: str = "{:g}"


CLUES: tuple[Clue, ...] = (
    Clue("Resolution", "resolution", ("width", "height"), plain=True),
    Clue("Source", "source", ("source",), plain=True),
    Clue(
        "File size",
        "file-size",
        ("bytes_per_pixel",),
        caution="It is taken as bytes a pixel, so that it does not repeat the resolution; an encoder also spends more bytes on a "
        "picture with more detail, so a part of it may be the lesion itself.",
        shown="{:.2f} bytes a pixel",
    ),
    Clue(
        "Border darkness",
        "border",
        ("border_darkness",),
        caution="A dark vignette tells the dermatoscope; very dark lesions that reach the rim add to it.",
        shown="{:.1%} of the rim",
    ),
    Clue(
        "Hair",
        "hair",
        ("hair_share",),
        caution="Hair is found as thin dark lines, so streaks and networks of the lesion are counted too, and hairy parts of the "
        "body have lesions of their own.",
        shown="{:.1%} of the picture",
    ),
    Clue("Age", "age", ("age_approx",), person=True),
    Clue("Sex", "sex", ("sex",), person=True),
    Clue("Site", "site", ("anatom_site_general",), person=True),
)
TECHNICAL = Clue(
    "All technical clues together", "all-technical", tuple(c for clue in CLUES if not clue.person for c in clue.columns)
)
ALL = Clue("All clues together", "all", tuple(c for clue in CLUES for c in clue.columns))


@dataclass(frozen=True)
class Told:
    """How well a clue tells the diagnosis.

    Attributes:
        clue: what was given.
        constant: all images have the same value, so nothing can be told; the other figures are chance.
        balanced_accuracy: mean recall of the diagnoses, each image judged by a model that was fitted on other groups.
        lower, upper: 95 % interval, bootstrap over groups.
        recalls: by diagnosis.
    """

    clue: Clue
    constant: bool
    balanced_accuracy: float
    lower: float
    upper: float
    recalls: dict[str, float]


@dataclass(frozen=True)
class Measured:
    """All clues, judged on the same images; `left_out`: diagnoses of too few groups."""

    told: list[Told]
    images: int
    groups: int
    classes: list[str]
    left_out: list[str]

    @property
    def chance(self) -> float:
        """Balanced accuracy of a guess."""
        return 1 / len(self.classes)

    def gain(self, score: float) -> float:
        """A balanced accuracy as a share of the way from chance to certainty."""
        return (score - self.chance) / (1 - self.chance)


def features(rows: pd.DataFrame) -> pd.DataFrame:
    """The clues of rows as numbers, NaN where unknown; words as codes in alphabetical order, on which trees cut well enough."""
    numbers = rows[["width", "height", "border_darkness", "hair_share", "age_approx"]].astype(np.float64)
    numbers["bytes_per_pixel"] = rows["bytes"] / (rows["width"].astype(np.float64) * rows["height"])
    for name in ("source", "sex", "anatom_site_general"):
        words = sorted(rows[name].dropna().unique())
        numbers[name] = rows[name].map({word: float(code) for code, word in enumerate(words)}).astype(np.float64)
    return numbers


def measure(table: pd.DataFrame, labels: Sequence[str], groups: Sequence[str], *, draws: int = DRAWS, seed: int = SEED) -> Measured:
    """How well each clue tells the diagnosis: class-balanced trees for one clue, forests for several, folds by group.

    Args:
        table: N rows of features, the columns of all clues.
        labels: N diagnosis codes.
        groups: N group ids; a group is never both fitted and judged on.
        draws: bootstrap samples of the groups.
        seed: of folds, models and draws: the same data gives the same figures.

    Returns:
        All clues, in the order of CLUES, then the technical ones together, then all.
    """
    from sklearn.model_selection import StratifiedGroupKFold

    classes = [code for code in CODES if code in set(labels)]
    truth = np.array([classes.index(code) for code in labels])
    names, places = np.unique(np.array(groups), return_inverse=True)
    folds = list(StratifiedGroupKFold(FOLDS, shuffle=True, random_state=seed).split(truth, truth, places))
    clues = [*CLUES, TECHNICAL, ALL]
    constant = [bool((table[list(clue.columns)].nunique(dropna=False) <= 1).all()) for clue in clues]
    right = [
        np.zeros(len(truth), np.bool_) if flat else _predict(table[list(clue.columns)], truth, folds, seed) == truth
        for clue, flat in zip(clues, constant, strict=True)
    ]
    ends = _intervals(np.stack(right), truth, places, len(names), len(classes), draws, seed)
    told = []
    for clue, flat, hits, (lower, upper) in zip(clues, constant, right, ends, strict=True):
        if flat:
            told.append(
                Told(clue, True, 1 / len(classes), 1 / len(classes), 1 / len(classes), dict.fromkeys(classes, 1 / len(classes)))
            )
        else:
            recalls = {code: float(hits[truth == number].mean()) for number, code in enumerate(classes)}
            told.append(Told(clue, False, float(np.mean(list(recalls.values()))), float(lower), float(upper), recalls))
    return Measured(told, len(truth), len(names), classes, [])


Folds = Sequence[tuple[npt.NDArray[np.int64], npt.NDArray[np.int64]]]


def _predict(table: pd.DataFrame, truth: npt.NDArray[np.int64], folds: Folds, seed: int) -> npt.NDArray[np.int64]:
    from sklearn.ensemble import RandomForestClassifier
    from sklearn.tree import DecisionTreeClassifier

    values = table.to_numpy(np.float32)
    smallest_leaf = max(5, len(values) // 500)
    predicted = np.empty(len(values), np.int64)
    for fitted, judged in folds:
        if len(table.columns) <= 2:
            model = DecisionTreeClassifier(
                class_weight="balanced", max_leaf_nodes=_LEAVES, min_samples_leaf=smallest_leaf, random_state=seed
            )
        else:
            model = RandomForestClassifier(_TREES, class_weight="balanced", min_samples_leaf=smallest_leaf, random_state=seed)
        predicted[judged] = model.fit(values[fitted], truth[fitted]).predict(values[judged])
    return predicted


def _intervals(
    right: npt.NDArray[np.bool_],
    truth: npt.NDArray[np.int64],
    places: npt.NDArray[np.int64],
    groups: int,
    classes: int,
    draws: int,
    seed: int,
) -> npt.NDArray[np.float64]:
    """Clues x 2: ends of the 95 % interval of each balanced accuracy, whole groups drawn, the same draws for all clues."""
    # groups x (1 + clues) x classes: images of each group, and how many each clue told.
    counts = np.zeros((groups, 1 + len(right), classes), np.float32)
    for number, hits in enumerate([np.ones(len(truth), np.bool_), *right]):
        cells = places[hits] * classes + truth[hits]
        counts[:, number] = np.bincount(cells, minlength=groups * classes).reshape(groups, classes)
    flat = counts.reshape(groups, -1)
    rng = np.random.default_rng(seed)
    chances = np.full(groups, 1 / groups)
    scores = []
    for start in range(0, draws, _AT_ONCE):
        weights = rng.multinomial(groups, chances, size=min(_AT_ONCE, draws - start)).astype(np.float32)
        sums = (weights @ flat).reshape(len(weights), 1 + len(right), classes)
        there = sums[:, :1] > 0
        recalls = np.where(there, sums[:, 1:] / np.maximum(sums[:, :1], 1), 0)
        scores.append(recalls.sum(axis=2) / there.sum(axis=2))
    ends: npt.NDArray[np.float64] = np.quantile(np.concatenate(scores), [0.025, 0.975], axis=0).T
    return ends
