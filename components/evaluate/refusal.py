"""Whether a classifier refuses what it should not answer, and how much of test it refuses besides."""

from collections.abc import Mapping

import numpy as np
import numpy.typing as npt
import pandas as pd
from sklearn.metrics import roc_auc_score

from components.bundle import Bundle
from components.calibration_scores import ProbeScores, RefusalScores
from components.dataset import Dataset
from components.evaluate.probes import draw_far, draw_near
from components.preprocess.stages import preprocess_image

_MOST = 200
_BATCH = 32

Floats = npt.NDArray[np.float32]


def measure_refusal(bundle: Bundle, dataset: Dataset, test: pd.DataFrame) -> RefusalScores | None:
    """Measure a classifier's refusal.

    Args:
        bundle: the classifier.
        dataset: a preprocessed dataset.
        test: its rows of test, at least one; of more than 200 as many are taken, evenly.

    Returns:
        None where the bundle refuses nothing.
    """
    if bundle.refusal is None or bundle.description.refuses is None:
        return None
    chosen = test.iloc[np.unique(np.linspace(0, len(test) - 1, min(_MOST, len(test))).round().astype(int))]
    images = dataset.images(chosen)
    usual = _strangeness(bundle, images)
    size, params = bundle.description.stored_size, bundle.description.preprocess
    far = {kind: np.stack([preprocess_image(one, size, params) for one in pictures]) for kind, pictures in draw_far(size).items()}
    threshold = float(bundle.refusal.threshold[0])
    return RefusalScores(
        promised=bundle.description.refuses,
        images=len(usual),
        refused=float((usual > threshold).mean()),
        far=_compare(bundle, usual, far, threshold),
        near=_compare(bundle, usual, draw_near(images), threshold),
    )


def _compare(bundle: Bundle, usual: Floats, kinds: Mapping[str, npt.NDArray[np.uint8]], threshold: float) -> dict[str, ProbeScores]:
    strange = {kind: _strangeness(bundle, pictures) for kind, pictures in kinds.items()}
    strange["all"] = np.concatenate(list(strange.values()))
    return {
        kind: ProbeScores(pictures=len(found), auc=_area(usual, found), refused=float((found > threshold).mean()))
        for kind, found in strange.items()
    }


def _strangeness(bundle: Bundle, pixels: npt.NDArray[np.uint8]) -> Floats:
    assert bundle.refusal is not None
    parts = [bundle.features_of(pixels[start : start + _BATCH]) for start in range(0, len(pixels), _BATCH)]
    return bundle.refusal.strangeness(np.concatenate(parts))


def _area(usual: Floats, strange: Floats) -> float:
    truth = np.repeat([0, 1], [len(usual), len(strange)])
    return float(roc_auc_score(truth, np.concatenate([usual, strange])))
