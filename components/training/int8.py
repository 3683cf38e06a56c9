"""Whether a model is kept in 8-bit integers: where it answers the images that judge it as well as in float32."""

from collections.abc import Iterator, Sequence
from dataclasses import replace
from pathlib import Path

import numpy as np
import pandas as pd

from components.bundle import MODEL, Description, Int8
from components.dataset import Dataset
from components.evaluate.bootstrap import paired_differences, paired_mask_differences
from components.evaluate.judged import measured
from components.evenly import evenly
from components.files import atomic_write
from components.lesions import Task
from components.params import Size
from components.predictions import predict_rows, probabilities_of
from components.preprocess.normalise import normalise
from components.preprocess.resize import fit_input
from components.reporter import Reporter
from components.training.judge import Judge
from components.training.quantisation import Floats, quantise

# Enough for the ranges of what flows between layers.
_IMAGES = 64
_BATCH = 8
_FIGURES = {Task.CLASSIFICATION: ("balanced_accuracy", "balanced accuracy"), Task.SEGMENTATION: ("dice", "Dice")}


def in_integers(
    dataset: Dataset, judges: Sequence[Judge], draft: Description, loss: float, out: Path, reporter: Reporter
) -> tuple[list[Judge], Int8] | None:
    """Turn the judges' networks into integers, and hold their answers against those in float32.

    Args:
        dataset: what the members learned from.
        judges: one a fold.
        draft: of the bundle that is to be.
        loss: what the interval of the difference must exclude.
        out: folder for the networks.
        reporter: is told where it stays in float32.

    Returns:
        The same judges with networks in integers, and what that costs; None: it costs too much, or that cannot be told.
    """
    smaller = [_in_integers(dataset, judge, draft.input_size, out) for judge in judges]
    before, now = (pd.concat([_answers(dataset, one, draft) for one in some], ignore_index=True) for some in (judges, smaller))
    key, figure = _FIGURES[draft.task]
    groups = before["group_id"].tolist()
    if draft.task is Task.CLASSIFICATION:
        found = paired_differences(before["label"].tolist(), probabilities_of(before), probabilities_of(now), groups).get(key)
    else:
        found = paired_mask_differences(before, now, groups).get(key)
    if found is None:
        reporter.message(f"stays in float32: the images that judge it have no {figure}")
        return None
    told = f"{figure} {found.value:+.4f} ({found.low:+.4f} to {found.high:+.4f})"
    if found.low < -loss:
        reporter.message(f"stays in float32: in 8-bit integers {told} on the images that judge it, and int8_loss is {loss:g}")
        return None
    reporter.message(f"is kept in 8-bit integers: {told} on the images that judge it")
    return smaller, Int8(figure=figure, difference=found.value, low=found.low, high=found.high, images=len(before))


def calibration_images(dataset: Dataset, learned: pd.DataFrame, size: Size) -> Iterator[Floats]:
    """Batches of some of the images that a network learned from, as it sees them: N x H x W x 3, float32, 0 to 1."""
    places = evenly(len(learned), _IMAGES)
    chosen = learned.iloc[places]
    for start in range(0, len(chosen), _BATCH):
        images = dataset.images(chosen.iloc[start : start + _BATCH])
        yield normalise(np.stack([fit_input(image, size) for image in images]))


def _in_integers(dataset: Dataset, judge: Judge, size: Size, out: Path) -> Judge:
    folder = out / f"int8-{judge.folder.name}"
    with atomic_write(folder / MODEL) as handle:
        handle.write(quantise((judge.folder / MODEL).read_bytes(), calibration_images(dataset, judge.learned, size)))
    return replace(judge, folder=folder)


def _answers(dataset: Dataset, judge: Judge, draft: Description) -> pd.DataFrame:
    known = ["group_id", *(["label"] if draft.task is Task.CLASSIFICATION else [])]
    said = predict_rows(judge.bundle(draft), dataset, judge.rows, lambda _: None)
    return measured(draft.task, judge.rows[known].join(said))
