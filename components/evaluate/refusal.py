"""Whether a classifier refuses what it should not answer, and how much of test it refuses besides."""

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
import pandas as pd
from sklearn.metrics import roc_auc_score, roc_curve

from components.bundle import Bundle
from components.calibration_scores import ProbeScores, RefusalScores
from components.dataset import Dataset
from components.evaluate.probes import draw_far, draw_near
from components.evenly import evenly
from components.preprocess.stages import preprocess_image

# Each costs four more answers of the network, one a kind of near pictures.
_MOST = 100
_BATCH = 32

Floats = npt.NDArray[np.float32]


@dataclass(frozen=True)
class Probed:
    """How strange pictures are to a classifier.

    Attributes:
        usual: of images of test.
        far: kind → of pictures without skin.
        near: kind → of what nearly is an image of a lesion.
        threshold: strangeness above which it refuses.
        promised: share of images like those that judged it which it should refuse.
    """

    usual: Floats
    far: Mapping[str, Floats]
    near: Mapping[str, Floats]
    threshold: float
    promised: float

    def scores(self) -> RefusalScores:
        """The figures."""
        return RefusalScores(
            promised=self.promised,
            images=len(self.usual),
            refused=float((self.usual > self.threshold).mean()),
            far=self._compare(self.far),
            near=self._compare(self.near),
        )

    def curve(self, strange: Floats) -> tuple[npt.NDArray[np.float64], npt.NDArray[np.float64]]:
        """The ROC curve: share of images of test and of strange pictures above each threshold, both rising from 0 to 1."""
        usual, refused, _ = roc_curve(*self._told(strange))
        return usual, refused

    def _compare(self, kinds: Mapping[str, Floats]) -> dict[str, ProbeScores]:
        every = {**kinds, "all": np.concatenate(list(kinds.values()))}
        return {
            kind: ProbeScores(
                pictures=len(strange),
                auc=float(roc_auc_score(*self._told(strange))),
                refused=float((strange > self.threshold).mean()),
            )
            for kind, strange in every.items()
        }

    def _told(self, strange: Floats) -> tuple[npt.NDArray[np.intp], Floats]:
        return np.repeat([0, 1], [len(self.usual), len(strange)]), np.concatenate([self.usual, strange])


def probe(bundle: Bundle, dataset: Dataset, test: pd.DataFrame) -> Probed | None:
    """Show a classifier images of test, and pictures that it should refuse.

    Args:
        bundle: the classifier.
        dataset: a preprocessed dataset.
        test: its rows of test, at least one; of more than 100 as many are taken, evenly.

    Returns:
        None where the bundle refuses nothing.
    """
    if bundle.refusal is None or bundle.description.refuses is None:
        return None
    chosen = test.iloc[evenly(len(test), _MOST)]
    images = dataset.images(chosen)
    size, params = bundle.description.stored_size, bundle.description.preprocess
    far = {kind: np.stack([preprocess_image(one, size, params) for one in pictures]) for kind, pictures in draw_far(size).items()}
    return Probed(
        usual=_strangeness(bundle, images),
        far={kind: _strangeness(bundle, pictures) for kind, pictures in far.items()},
        near={kind: _strangeness(bundle, pictures) for kind, pictures in draw_near(images).items()},
        threshold=bundle.refusal.threshold,
        promised=bundle.description.refuses,
    )


def _strangeness(bundle: Bundle, pixels: npt.NDArray[np.uint8]) -> Floats:
    return np.concatenate([bundle.strangeness_of(pixels[start : start + _BATCH]) for start in range(0, len(pixels), _BATCH)])
