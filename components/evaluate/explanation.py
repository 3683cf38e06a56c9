"""How much of what speaks for a classifier's answers lies on the lesion, and how much beside it, where only clues can be.

The share of the Grad-CAM map that lies on the true mask (the energy-based pointing game, Wang 2020), of test images that have one
of the same picture (`Dataset.outlined`).
A map that is spread evenly has as much on the lesion as the lesion covers of the picture, which stands beside it.
"""

from collections.abc import Hashable
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import cv2
import numpy as np
import numpy.typing as npt
import pandas as pd

from components.bundle import MODEL, Bundle
from components.dataset import Dataset
from components.evaluate.bootstrap import DRAWS, ENDS, draw_weights, places_of_groups
from components.evaluate.classification import predicted_codes
from components.evaluate.figures import Case, draw_cases
from components.evaluate.weighted import places_of
from components.evenly import evenly
from components.files import sha256_bytes
from components.grad_cam import GradCam
from components.lesions import Split, Task
from components.predictions import probabilities_of
from components.scores import Explanation, Interval

if TYPE_CHECKING:
    from matplotlib.figure import Figure

# Enough for an interval of a few hundredths; each costs one more answer of the network.
MOST = 256
_SHOWN = 12


@dataclass(frozen=True)
class Explained:
    """Maps of N test images.

    Attributes:
        table: image_id, group_id, label, said, on_lesion (NaN where nothing speaks for the answer), lesion_share, each 0 to 1.
        images: N x H x W x 3, uint8, RGB.
        maps: N x H x W, 0 or more.
        masks: N x H x W, bool, True where lesion.
    """

    table: pd.DataFrame
    images: npt.NDArray[np.uint8]
    maps: npt.NDArray[np.float32]
    masks: npt.NDArray[np.bool_]


def explain(folder: Path, bundle: Bundle, dataset: Dataset, test: pd.DataFrame) -> Explained | str:
    """Ask a classifier where it finds what it says, on at most `MOST` images.

    Args:
        folder: the bundle's.
        bundle: the same, open.
        dataset: a preprocessed dataset.
        test: its answers to test, as `components.evaluate.judged` makes them.

    Returns:
        The maps; or why there are none, without full stop.
    """
    if dataset.segmenter is not None:
        return "its images are cropped to the lesion, so that the masks of the whole images do not lie on them"
    masked = dataset.outlined()
    known = test[test["image_id"].isin(masked.index)]
    if known.empty:
        return "no image of test has a mask of the same picture"
    camera = GradCam.of_model((folder / MODEL).read_bytes(), bundle.description.input_size)
    if not camera.knows:
        return "its network does not end in global average pooling and dense layers"
    digests = known["image_id"].map(lambda name: sha256_bytes(name.encode()))
    chosen = known.loc[digests.sort_values().index[:MOST]].sort_values("image_id", ignore_index=True)
    rows = dataset.rows(Task.CLASSIFICATION, Split.TEST).set_index("image_id", drop=False).loc[chosen["image_id"]]
    images, said = dataset.images(rows), predicted_codes(probabilities_of(chosen))
    size = images.shape[2], images.shape[1]
    maps = _scaled(camera.maps(images, places_of(said)), size, cv2.INTER_LINEAR)
    masks = _scaled(dataset.masks(masked.loc[chosen["image_id"]]), size, cv2.INTER_NEAREST_EXACT) > 0
    energy = maps.sum(axis=(1, 2))
    share = np.where(energy > 0, (maps * masks).sum(axis=(1, 2)) / np.where(energy > 0, energy, 1), np.nan)
    table = chosen[["image_id", "group_id", "label"]].assign(said=said, on_lesion=share, lesion_share=masks.mean(axis=(1, 2)))
    return Explained(table, images, maps, masks)


def measure_explanation(explained: Explained, *, draws: int = DRAWS, seed: int = 0) -> Explanation | None:
    """The mean share on the lesion, with its 95 % interval by bootstrap over groups; None: nothing speaks for any answer."""
    told = explained.table.dropna(subset="on_lesion")
    if told.empty:
        return None
    group, groups = places_of_groups(told["group_id"])
    images, shares = np.bincount(group), np.bincount(group, told["on_lesion"])
    drawn = np.concatenate([(shares @ weights) / (images @ weights) for weights in draw_weights(groups, draws, seed)])
    low, high = np.quantile(drawn, ENDS)
    return Explanation(
        images=len(told),
        lesions=groups,
        on_lesion=float(told["on_lesion"].mean()),
        interval=Interval(low=float(low), high=float(high)),
        lesion_share=float(told["lesion_share"].mean()),
    )


def draw_explained(name: str, explained: Explained, scores: Explanation, footnote: str) -> "Figure":
    """A sheet of images under their maps, with the true outline: evenly spaced from the least on the lesion to the most."""
    ranked = explained.table.dropna(subset="on_lesion").sort_values(["on_lesion", "image_id"])
    places = evenly(len(ranked), _SHOWN)
    chosen = ranked.index.to_numpy(np.intp)[places]
    pictures = zip(explained.images[chosen], explained.maps[chosen], explained.masks[chosen], strict=True)
    cases = [
        Case(row["image_id"], image, _caption(row), heat, truth)
        for row, (image, heat, truth) in zip(ranked.iloc[places].to_dict("records"), pictures, strict=True)
    ]
    finding = f"{name}: {scores.on_lesion:.0%} of what speaks for its answers lies on the lesion"
    span = f"95 % interval {scores.interval.low:.0%} to {scores.interval.high:.0%}"
    where = (
        f"{span}; the lesion covers {scores.lesion_share:.0%} of the picture\n"
        f"Grad-CAM, bright: speaks for the answer; yellow: true outline; {len(cases)} of {scores.images:,} test images with masks"
    )
    return draw_cases(cases, finding, where, footnote)


def _caption(row: dict[Hashable, Any]) -> str:
    right = row["said"] == row["label"]
    return f"{row['on_lesion']:.0%} on it, {row['said']}" + (", right" if right else f", true {row['label']}")


def _scaled(planes: np.ndarray, size: tuple[int, int], how: int) -> np.ndarray:
    """N planes at another width and height."""
    return np.stack([cv2.resize(plane, size, interpolation=how) for plane in planes])
