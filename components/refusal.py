"""How strange an image is to a classifier, so that what is no lesion, or none that can be seen, is refused and not diagnosed.

The network's features (what its last layer sees) of images that it did not learn from are taken for one Gaussian: the largest
directions by principal components, the same small variance in all others (Tipping and Bishop 1999). An image is as strange as its
features are far from the mean (Mahalanobis; Lee 2018, here without the diagnoses, since what is strange has none). Features are
brought to one length first: what excites the network little, such as noise, would lie near the mean otherwise (Mueller 2025).
"""

from dataclasses import dataclass
from io import BytesIO
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from components.errors import BundleError

REFUSED = 0.01
"""Share of images like those that the threshold was chosen on which are refused all the same."""

Floats = npt.NDArray[np.float32]

_DIRECTIONS = 64
_PARTS = 5
_LEAST = 1e-6


@dataclass(frozen=True)
class Refusal:
    """What tells strange images, of F features.

    Attributes:
        mean: F.
        directions: D x F, orthonormal.
        variances: D, of each direction.
        noise: 1, the variance of every other one.
        threshold: 1, strangeness above which an image is refused.
    """

    mean: Floats
    directions: Floats
    variances: Floats
    noise: Floats
    threshold: Floats

    def strangeness(self, features: Floats) -> Floats:
        """Squared distance from the mean, in deviations, a feature.

        Args:
            features: N x F.

        Returns:
            N, 0 or more; about 1 for images like those that it was fitted on.
        """
        centred = _one_length(features) - self.mean
        along = centred @ self.directions.T
        rest = np.maximum((centred**2).sum(axis=1) - (along**2).sum(axis=1), 0)
        distance: Floats = ((along**2 / self.variances).sum(axis=1) + rest / self.noise) / len(self.mean)
        return distance.astype(np.float32)

    def to_bytes(self) -> bytes:
        """A .npz without pickle, the same bytes for the same numbers."""
        out = BytesIO()
        np.savez(out, allow_pickle=False, **vars(self))
        return out.getvalue()

    @classmethod
    def read(cls, path: Path) -> "Refusal":
        """Read what `to_bytes` gave.

        Raises:
            BundleError: the file is none.
        """
        try:
            with np.load(path, allow_pickle=False) as arrays:
                return cls(**arrays)
        except (OSError, ValueError, TypeError) as error:
            raise BundleError(f"{path}: cannot be read ({error}); copy the bundle again or train again") from error


def fit_refusal(features: Floats, groups: npt.NDArray[Any]) -> Refusal:
    """Fit to images that the network did not learn from.

    The threshold is the strangeness that `REFUSED` of them exceed, each measured by what was fitted on images of other groups.

    Args:
        features: N x F, N at least 1.
        groups: N group ids.
    """
    from sklearn.model_selection import GroupKFold

    held = len(np.unique(groups))
    judged = []
    if held > 1:
        for fitted, measured in GroupKFold(min(_PARTS, held)).split(features, groups=groups):
            judged.append(_fit(features[fitted], 0.0).strangeness(features[measured]))
    else:
        judged.append(_fit(features, 0.0).strangeness(features))
    return _fit(features, float(np.quantile(np.concatenate(judged), 1 - REFUSED)))


def _fit(features: Floats, threshold: float) -> Refusal:
    whole = _one_length(features)
    mean = whole.mean(axis=0, dtype=np.float64)
    _, sizes, directions = np.linalg.svd(whole - mean, full_matrices=False)
    variances = sizes**2 / max(len(features) - 1, 1)
    kept = min(_DIRECTIONS, len(features) // 4, features.shape[1] - 1)
    noise = variances[kept:].sum() / (features.shape[1] - kept)
    numbers = (mean, directions[:kept], np.maximum(variances[:kept], _LEAST), [max(noise, _LEAST)], [threshold])
    return Refusal(*(np.asarray(one, np.float32) for one in numbers))


def _one_length(features: Floats) -> Floats:
    """Features whose mean square is 1; those that are all 0 stay so."""
    scaled: Floats = features / np.maximum(np.sqrt((features**2).mean(axis=1, keepdims=True)), _LEAST)
    return scaled
