"""How strange an image is to a classifier, so that what is no lesion, or none that can be seen, is refused and not diagnosed.

The network's features (what its last layer sees) of images that it did not learn from are taken for one Gaussian: the largest
directions by principal components, the same small variance in all others (Tipping and Bishop 1999). An image is as strange as its
features are far from the mean (Mahalanobis; Lee 2018, here without the diagnoses, since what is strange has none). Features are
brought to one length first: what excites the network little, such as noise, would lie near the mean otherwise (Mueller 2025).
What the picture looks like (`components.appearance`) is taken for a Gaussian of its own, and whichever finds the image stranger
counts. Images that the network learned from are described by both too, since they are many; from where on an image is refused is
told by others alone.
"""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace
from io import BytesIO
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from components.appearance import appearance_of
from components.errors import BundleError
from components.images import RGBImage

REFUSED = 0.02
"""Share of images like those that the threshold was chosen on which are refused all the same."""

Floats = npt.NDArray[np.float32]

_DIRECTIONS = 64
_PARTS = 5
_LEAST = 1e-6


@dataclass(frozen=True)
class Gaussian:
    """Where vectors of F numbers usually lie.

    Attributes:
        mean, scale: F; what is taken off, and what the rest is divided by.
        directions: D x F, orthonormal.
        variances: D, of each direction.
        noise: 1, the variance of every other one.
        limit: 1, distance above which an image is refused.
    """

    mean: Floats
    scale: Floats
    directions: Floats
    variances: Floats
    noise: Floats
    limit: Floats

    def distance(self, vectors: Floats) -> Floats:
        """Squared distance from the mean, in deviations, a number: N, 0 or more; about 1 for those that it was fitted on.

        Args:
            vectors: N x F.
        """
        centred = (vectors - self.mean) / self.scale
        along = centred @ self.directions.T
        rest = np.maximum((centred**2).sum(axis=1) - (along**2).sum(axis=1), 0)
        distance: Floats = ((along**2 / self.variances).sum(axis=1) + rest / self.noise) / len(self.mean)
        return distance.astype(np.float32)


@dataclass(frozen=True)
class Refusal:
    """What tells strange images.

    Attributes:
        features: where the network's features, of one length, usually lie.
        appearance: where what images look like usually lies; None: a bundle of before, which does not look.
    """

    features: Gaussian
    appearance: Gaussian | None = None

    @property
    def looks(self) -> bool:
        """Whether `strangeness` wants the images themselves."""
        return self.appearance is not None

    @property
    def threshold(self) -> float:
        """Strangeness above which an image is refused."""
        return float(self.features.limit[0])

    def strangeness(self, features: Floats, images: Iterable[RGBImage]) -> Floats:
        """How strange images are.

        Args:
            features: N x F, what the network sees of them.
            images: N x H x W x 3, uint8, RGB, preprocessed; not looked at without `looks`.

        Returns:
            N, 0 or more; about 1 for images like those that it was fitted on, above `threshold` refused.
        """
        return self.strangeness_of(features, appearance_of(images) if self.looks else None)

    def strangeness_of(self, features: Floats, appearance: Floats | None) -> Floats:
        """As `strangeness`, of images whose appearance, N x 26, is known; it is not looked at without `looks`."""
        strange = self.features.distance(_one_length(features))
        if self.appearance is None or appearance is None:
            return strange
        looks = self.appearance.distance(appearance) * np.float32(self.threshold / self.appearance.limit[0])
        strangest: Floats = np.maximum(strange, looks)
        return strangest

    def to_bytes(self) -> bytes:
        """A .npz without pickle, the same bytes for the same numbers."""
        out = BytesIO()
        parts = {"features": self.features, "appearance": self.appearance}
        arrays = {f"{part}/{name}": one for part, found in parts.items() if found for name, one in vars(found).items()}
        np.savez(out, allow_pickle=False, **arrays)
        return out.getvalue()

    @classmethod
    def read(cls, path: Path) -> "Refusal":
        """Read what `to_bytes` gave, now or before there was an appearance.

        Raises:
            BundleError: the file is none.
        """
        try:
            with np.load(path, allow_pickle=False) as file:
                arrays = dict(file)
                if "threshold" in arrays:
                    limit, scale = arrays.pop("threshold"), np.ones_like(arrays["mean"])
                    return cls(Gaussian(**arrays, scale=scale, limit=limit))
                return cls(*(Gaussian(**found) for part in ("features", "appearance") if (found := _under(part, arrays))))
        except (OSError, ValueError, TypeError, KeyError) as error:
            raise BundleError(f"{path}: cannot be read ({error}); copy the bundle again or train again") from error


@dataclass(frozen=True)
class Seen:
    """Images as a classifier and an eye see them.

    Attributes:
        features: N x F, what its last layer sees.
        appearance: N x 26, see `components.appearance`.
        groups: N group ids.
    """

    features: Floats
    appearance: Floats
    groups: npt.NDArray[Any]


def fit_refusal(judged: Seen, learned: Seen) -> Refusal:
    """Fit to images.

    Either limit is such that half of `REFUSED` of the images exceed it, each measured by what was fitted on images of other groups:
    of the images that judge, by what the network sees of them; of all, by what they look like, which nobody learned.

    Args:
        judged: images that the network did not learn from, at least 1.
        learned: images that it learned from; maybe none.
    """
    appearance = np.concatenate([learned.appearance, judged.appearance])
    groups, nothing = np.concatenate([learned.groups, judged.groups]), appearance[:0]
    return Refusal(
        _fit_with_limit(_one_length(judged.features), judged.groups, _one_length(learned.features), scaled=False),
        _fit_with_limit(appearance, groups, nothing, scaled=True),
    )


def _fit_with_limit(judged: Floats, groups: npt.NDArray[Any], learned: Floats, *, scaled: bool) -> Gaussian:
    from sklearn.model_selection import GroupKFold

    held, distances = len(np.unique(groups)), []
    if held > 1:
        for fitted, measured in GroupKFold(min(_PARTS, held)).split(judged, groups=groups):
            distances.append(_fit(np.concatenate([learned, judged[fitted]]), scaled=scaled).distance(judged[measured]))
    else:
        distances.append(_fit(np.concatenate([learned, judged]), scaled=scaled).distance(judged))
    limit = float(np.quantile(np.concatenate(distances), 1 - REFUSED / 2))
    return replace(_fit(np.concatenate([learned, judged]), scaled=scaled), limit=np.array([max(limit, _LEAST)], np.float32))


def _fit(vectors: Floats, *, scaled: bool) -> Gaussian:
    mean = vectors.mean(axis=0, dtype=np.float64)
    scale = np.maximum(vectors.std(axis=0, dtype=np.float64), _LEAST) if scaled else np.ones(vectors.shape[1])
    _, sizes, directions = np.linalg.svd((vectors - mean) / scale, full_matrices=False)
    variances = sizes**2 / max(len(vectors) - 1, 1)
    kept = min(_DIRECTIONS, len(vectors) // 4, vectors.shape[1] - 1)
    noise = variances[kept:].sum() / (vectors.shape[1] - kept)
    numbers = (mean, scale, directions[:kept], np.maximum(variances[:kept], _LEAST), [max(noise, _LEAST)], [0.0])
    return Gaussian(*(np.asarray(one, np.float32) for one in numbers))


def _one_length(features: Floats) -> Floats:
    """Features whose mean square is 1; those that are all 0 stay so."""
    scaled: Floats = features / np.maximum(np.sqrt((features**2).mean(axis=1, keepdims=True)), _LEAST)
    return scaled


def _under(part: str, arrays: Mapping[str, Floats]) -> dict[str, Floats]:
    return {name.removeprefix(f"{part}/"): one for name, one in arrays.items() if name.startswith(f"{part}/")}
