"""MixUp and CutMix: samples of a batch blended or pasted into each other, and their targets with them."""

from dataclasses import dataclass
from typing import Literal

import numpy as np
import numpy.typing as npt

from components.augment_balance.batch import Batch, Floats

Places = npt.NDArray[np.int64]


@dataclass(frozen=True)
class Mix:
    """How samples are mixed.

    Attributes:
        kind: mixup (Zhang 2018) blends whole images; cutmix (Yun 2019) pastes a rectangle of one into the other.
        alpha: both parameters of the beta distribution that each sample's share of itself is drawn from.
    """

    kind: Literal["mixup", "cutmix"]
    alpha: float


def mix_batch(batch: Batch, mix: Mix, seed: int, epoch: int, step: int) -> Batch:
    """Mix each sample of a classification batch with another one, drawn by seed, epoch and step alone."""
    rng = np.random.default_rng([seed, epoch, step, 1])
    partners, shares = rng.permutation(len(batch.images)), rng.beta(mix.alpha, mix.alpha, len(batch.images)).astype(np.float32)
    if mix.kind == "mixup":
        return blend(batch, partners, shares)
    return paste(batch, partners, cut_boxes(shares, rng.random((len(shares), 2)), batch.images.shape[1:3]))


def blend(batch: Batch, partners: Places, shares: Floats) -> Batch:
    """MixUp: each image becomes `share` of itself plus the rest of its partner's.

    Args:
        batch: N samples of classification.
        partners: N, each sample's partner by its place in the batch.
        shares: N, 0 to 1.
    """
    own = shares[:, None, None, None]
    return _with_targets(own * batch.images + (1 - own) * batch.images[partners], batch, partners, shares)


def paste(batch: Batch, partners: Places, boxes: Places) -> Batch:
    """CutMix: each image gets a rectangle of its partner's, at the same place; its share is what is left of its own pixels.

    Args:
        batch: N samples of classification.
        partners: N, each sample's partner by its place in the batch.
        boxes: N x 4: first row, row after the last, first column, column after the last.
    """
    images = batch.images.copy()
    for image, partner, (top, bottom, left, right) in zip(images, partners, boxes, strict=True):
        image[top:bottom, left:right] = batch.images[partner, top:bottom, left:right]
    areas = (boxes[:, 1] - boxes[:, 0]) * (boxes[:, 3] - boxes[:, 2])
    shares = (1 - areas / (images.shape[1] * images.shape[2])).astype(np.float32)
    return _with_targets(images, batch, partners, shares)


def cut_boxes(shares: Floats, middles: npt.NDArray[np.float64], size: tuple[int, ...]) -> Places:
    """Rectangles of the image's aspect that leave `shares` of it, about `middles`, cut at its border.

    Args:
        shares: N, 0 to 1.
        middles: N x 2, row and column of the middles as a share of the height and width.
        size: height, width in pixels.

    Returns:
        N x 4, as `paste` takes them.
    """
    half = np.sqrt(1 - shares)[:, None] / 2
    edges = np.stack([middles - half, middles + half], axis=2) * np.array(size)[:, None]
    boxes: Places = np.clip(np.rint(edges), 0, np.array(size)[:, None]).astype(np.int64).reshape(-1, 4)
    return boxes


def _with_targets(images: Floats, batch: Batch, partners: Places, shares: Floats) -> Batch:
    """Targets and weights such that the weighted cross-entropy of a mixed sample is what both samples' mix to."""
    own, other = shares * batch.weights, (1 - shares) * batch.weights[partners]
    weights = own + other
    # Where neither weighs anything, the targets do not matter, but must be numbers.
    share = np.divide(own, weights, out=shares.copy(), where=weights > 0)[:, None]
    return Batch(images, share * batch.targets + (1 - share) * batch.targets[partners], weights)
