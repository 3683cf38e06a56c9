"""Sets of diagnoses that hold the true one in at least nine of ten images of each diagnosis (conformal prediction).

A diagnosis is in the set where its probability is at least the diagnosis's own threshold: the one that nine of ten images reach
which truly show it and which the model did not learn from (Sadinle 2019; one threshold a diagnosis: Vovk 2012). It holds for images
that come from where those came from, on the average over such images, whatever the network is worth: a poor one answers with large
sets. A set may be empty: then nothing is as probable as it is where it is true.

MAPIE has the same sets, but one threshold for all diagnoses, which the frequent ones decide.
"""

import math
from typing import Any

import numpy as np
import numpy.typing as npt
from pydantic import BaseModel, ConfigDict

from components.lesions import CODES

LEVEL = 0.9
LEAST_GROUPS = 30
"""Groups (lesions) of a diagnosis, at least, for a threshold of its own."""

Floats = npt.NDArray[np.float32]


class Conformal(BaseModel):
    """Thresholds of the sets.

    Attributes:
        level: share of images, at least, whose set holds the true diagnosis, 0 to 1.
        least: by diagnosis code, all eight: least probability that puts it into the set; 0: it always is in it.
        own: codes whose threshold is their own; the others had images of fewer than `LEAST_GROUPS` groups and share one, of all
            images together, which holds over all diagnoses but not for each.
    """

    model_config = ConfigDict(extra="forbid", frozen=True)

    level: float
    least: dict[str, float]
    own: tuple[str, ...]


def fit_conformal(truth: npt.NDArray[np.intp], probabilities: Floats, groups: npt.NDArray[Any], level: float = LEVEL) -> Conformal:
    """Choose the thresholds.

    Args:
        truth: N places of the true diagnoses in `CODES`.
        probabilities: N x 8, calibrated, of images that the model did not learn from.
        groups: N group ids.
        level: see `Conformal`.
    """
    said = probabilities[np.arange(len(truth)), truth]
    shared = _reached(said, level)
    own = [place for place in range(len(CODES)) if len(np.unique(groups[truth == place])) >= LEAST_GROUPS]
    least = {code: _reached(said[truth == place], level) if place in own else shared for place, code in enumerate(CODES)}
    return Conformal(level=level, least=least, own=tuple(CODES[place] for place in own))


def prediction_sets(probabilities: Floats, conformal: Conformal) -> npt.NDArray[np.bool_]:
    """Which diagnoses are in the set of each image: N x 8, bool, in the order of `CODES`; arguments as of `fit_conformal`."""
    inside: npt.NDArray[np.bool_] = probabilities >= np.array([conformal.least[code] for code in CODES])
    return inside


def _reached(said: Floats, level: float) -> float:
    """What at least a share `level` reaches, with one more for the image to come; 0 where there are too few to tell."""
    needed = math.ceil((len(said) + 1) * level)
    return float(np.sort(said)[-needed]) if needed <= len(said) else 0.0
