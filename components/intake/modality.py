"""Pictures of another kind: photographs, X-rays, histology, charts among dermoscopy."""

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from components.intake.chance import lowest_share
from components.intake.features import Described
from components.intake.finding import Finding
from components.refusal import REFUSED, Refusal, Seen, fit_refusal

CHECK = "modality"
_MOST = 1000
_LEAST = 1e-6

Floats = npt.NDArray[np.float32]


@dataclass(frozen=True)
class Neighbours:
    """How far images usually lie from the nearest image of another group, by what a network sees: pictures of another kind that
    lie in the middle of a Gaussian still have nothing near them (Sun 2022, with one neighbour).

    Attributes:
        features: N x F, of length 1.
        limit: distance that `REFUSED` of the N exceed.
    """

    features: Floats
    limit: float

    @classmethod
    def fit(cls, features: Floats, groups: npt.NDArray[np.object_]) -> "Neighbours":
        """Of N x F features of N groups, at least two of them; with one group nothing is far."""
        known = _of_length_one(features)
        _, numbers = np.unique(groups.astype(str), return_inverse=True)
        likeness = known @ known.T
        likeness[numbers[:, None] == numbers[None, :]] = -1
        limit = float(np.quantile(1 - likeness.max(axis=1), 1 - REFUSED))
        return cls(known, max(limit, _LEAST))

    def distance(self, features: Floats) -> Floats:
        """One minus the cosine to the nearest: N, 0 to 2."""
        distance: Floats = 1 - (_of_length_one(features) @ self.features.T).max(axis=1)
        return distance


@dataclass(frozen=True)
class Known:
    """What tells strange images from old ones."""

    refusal: Refusal
    neighbours: Neighbours

    def strangeness(self, new: Described) -> Floats:
        """N, 0 or more; strange above 1."""
        gaussian = self.refusal.strangeness_of(new.features, new.appearance) / np.float32(self.refusal.threshold)
        strangest: Floats = np.maximum(gaussian, self.neighbours.distance(new.features) / np.float32(self.neighbours.limit))
        return strangest


def fit(old: Described, groups: npt.NDArray[np.object_]) -> Known:
    """Look at old images, N of N groups; at most 1,000 of them, evenly spread, for the Gaussians: more only take longer."""
    places = np.linspace(0, len(groups) - 1, min(len(groups), _MOST)).astype(np.intp)
    some, nothing = old.rows(places), old.rows(places[:0])
    refusal = fit_refusal(
        Seen(some.features, some.appearance, groups[places]), Seen(nothing.features, nothing.appearance, groups[:0])
    )
    return Known(refusal, Neighbours.fit(old.features, groups))


def _of_length_one(features: Floats) -> Floats:
    lengths = np.linalg.norm(features, axis=1, keepdims=True)
    scaled: Floats = features / np.maximum(lengths, np.finfo(np.float32).tiny)
    return scaled


def modality(known: Known, new: Described, ids: npt.NDArray[np.object_], *, share: float, alpha: float) -> Finding:
    """Count the images of a batch that are strange beside the old ones; of images like the old ones some 3 % are.

    By one of two Gaussians, of what a network sees and of what pictures look like (`components.refusal`), or by the nearest old
    image.

    Args:
        known: the old images, by `fit`.
        new: M images of the batch.
        ids: their M ids.
        share: strange images that a batch may have: those of another camera or clinic look a little different.
        alpha: the batch is refused where the lower end of the share's one-sided 1 - alpha interval lies above.
    """
    strangeness = known.strangeness(new)
    strange = strangeness > 1
    count, low = int(strange.sum()), lowest_share(int(strange.sum()), len(ids), alpha)
    worst = np.argsort(-strangeness)[:count]
    refuses = low > share
    told = f"{count:,} of {len(ids):,} images look like nothing that was there ({_percent(count, len(ids))})"
    limit = f"more than {share:.0%} for sure" if refuses else f"not surely more than {share:.0%}"
    measures = {"strange": float(count), "images": float(len(ids)), "surely": low}
    return Finding(CHECK, refuses, f"{told}: {limit}", measures, tuple(ids[worst]))


def _percent(count: int, of: int) -> str:
    return f"{count / of:.1%}" if of else "none"
