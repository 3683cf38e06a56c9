"""The page of a comparison: its figures, then the images of test, those first on which the two differ.

One file that needs no other and no network; whatever comes from the data is escaped.
"""

import base64
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import cv2
import numpy as np
import numpy.typing as npt
import pandas as pd

from components.audit.render import render
from components.bundle import Bundle
from components.colours import TRUE_OUTLINE
from components.compare.comparison import Comparison, Pair
from components.compare.paired import common
from components.compare.report import sections, title_of
from components.compare.sides import Answers, Model
from components.evaluate.classification import predicted_codes
from components.files import write_text
from components.lesions import CODES, Split, Task
from components.predictions import predict_masks, probabilities_of

MOST_SHOWN = 60
"""Images on a page: some 20 KB each, so that it stays a file to send."""

FIRST, SECOND = "#0072B2", "#D55E00"
"""Okabe and Ito's blue and vermilion: A and B, told apart with any colour vision."""

_SIDE = 240


@dataclass(frozen=True)
class _Bar:
    """A diagnosis: what either model says of it, percent, and whether it is the true one."""

    code: str
    first: float
    second: float
    true: bool


@dataclass(frozen=True)
class _Card:
    image_id: str
    verdict: str
    pictures: list[tuple[str, str]]
    bars: list[_Bar]


@dataclass(frozen=True)
class _Gallery:
    title: str
    cards: list[_Card]
    of: int


def write_page(path: Path, comparison: Comparison, most: int = MOST_SHOWN) -> int:
    """Write the page of a comparison.

    Args:
        path: the file.
        comparison: what it shows.
        most: images that are shown, each pair of models its share.

    Returns:
        How many images are shown.

    Raises:
        DatasetError, BundleError: an image, or a model that is asked for its masks, cannot be read.
        StoreError: the page cannot be written.
    """
    pairs = [pair for pair in comparison.pairs if pair.paired is not None]
    galleries = [_gallery(pair, max(1, most // len(pairs))) for pair in pairs[:most]]
    page = render(
        "compare.html.j2",
        package="components.compare",
        first=comparison.first,
        second=comparison.second,
        phantom=comparison.first.phantom or comparison.second.phantom,
        sections=sections(comparison),
        galleries=galleries,
        colours={"first": FIRST, "second": SECOND, "true": TRUE_OUTLINE},
    )
    write_text(path, page)
    return sum(len(gallery.cards) for gallery in galleries)


def _gallery(pair: Pair, most: int) -> _Gallery:
    assert pair.paired is not None
    ids = pair.paired.order[:most]
    cards = _diagnosed(pair, ids) if pair.task is Task.CLASSIFICATION else _outlined(pair, ids)
    return _Gallery(title_of(pair), cards, pair.paired.images)


def _answers(model: Model) -> Answers:
    assert model.answers is not None
    return model.answers


def _chosen(pair: Pair, ids: Sequence[str]) -> tuple[pd.DataFrame, pd.DataFrame]:
    """The rows of both tables for these images, in this order."""
    both = common(_answers(pair.first).table, _answers(pair.second).table)
    one, other = (table.set_index("image_id", drop=False).loc[list(ids)] for table in both)
    return one, other


def _diagnosed(pair: Pair, ids: Sequence[str]) -> list[_Card]:
    tables = _chosen(pair, ids)
    said = [probabilities_of(table) for table in tables]
    codes = [predicted_codes(one) for one in said]
    pictures = _pixels(_answers(pair.first), Task.CLASSIFICATION, ids)
    cards = []
    for place, image_id in enumerate(ids):
        truth = str(tables[0].iloc[place]["label"])
        first, second = codes[0][place], codes[1][place]
        percent = [100 * one[place].astype(float) for one in said]
        bars = [_Bar(code, percent[0][at], percent[1][at], code == truth) for at, code in enumerate(CODES)]
        picture = _uri(_thumbnail(pictures[place]))
        verdict = f"{truth}; A says {_marked(first, truth)}, B says {_marked(second, truth)}"
        cards.append(_Card(image_id, verdict, [(picture, "")], bars))
    return cards


def _marked(code: str, truth: str) -> str:
    return f"{code} ✓" if code == truth else f"{code} ✗"


def _outlined(pair: Pair, ids: Sequence[str]) -> list[_Card]:
    tables = _chosen(pair, ids)
    sides = [_outlines(_answers(model), ids, colour) for model, colour in ((pair.first, FIRST), (pair.second, SECOND))]
    cards = []
    for place, image_id in enumerate(ids):
        dice = [float(table.iloc[place]["dice"]) for table in tables]
        pictures = [(sides[n][place], f"{letter}: Dice {dice[n]:.3f}") for n, letter in enumerate("AB")]
        cards.append(_Card(image_id, f"Dice B - A {dice[1] - dice[0]:+.3f}", pictures, []))
    return cards


def _outlines(answers: Answers, ids: Sequence[str], colour: str) -> list[str]:
    """The images as a segmenter saw them, the true outline and its own drawn."""
    rows = _rows(answers, Task.SEGMENTATION, ids)
    said = predict_masks(Bundle.load(answers.bundle).on(answers.dataset.preprocessing), answers.dataset, rows)
    truth = answers.dataset.masks(rows) > 0
    pixels = answers.dataset.images(rows)
    return [
        _uri(_thumbnail(image, [(true, TRUE_OUTLINE, 5), (mask, colour, 2)]))
        for image, true, mask in zip(pixels, truth, said, strict=True)
    ]


def _rows(answers: Answers, task: Task, ids: Sequence[str]) -> pd.DataFrame:
    rows = answers.dataset.rows(task, Split.TEST).set_index("image_id", drop=False)
    return rows.loc[list(ids)].reset_index(drop=True)


def _pixels(answers: Answers, task: Task, ids: Sequence[str]) -> npt.NDArray[np.uint8]:
    return answers.dataset.images(_rows(answers, task, ids))


def _thumbnail(
    image: npt.NDArray[np.uint8], outlines: Sequence[tuple[npt.NDArray[np.bool_], str, int]] = ()
) -> npt.NDArray[np.uint8]:
    """The image, its longer side 240 pixels, with outlines of masks of its size: mask, colour, width; the first below."""
    scale = _SIDE / max(image.shape[:2])
    size = max(1, round(image.shape[1] * scale)), max(1, round(image.shape[0] * scale))
    small: npt.NDArray[np.uint8] = cv2.resize(image, size, interpolation=cv2.INTER_AREA if scale < 1 else cv2.INTER_CUBIC)
    for mask, colour, width in outlines:
        scaled = cv2.resize(mask.astype(np.uint8), size, interpolation=cv2.INTER_NEAREST)
        found, _ = cv2.findContours(scaled, cv2.RETR_EXTERNAL, cv2.CHAIN_APPROX_NONE)
        cv2.drawContours(small, found, -1, tuple(bytes.fromhex(colour[1:])), width, cv2.LINE_AA)
    return small


def _uri(image: npt.NDArray[np.uint8]) -> str:
    data = cv2.imencode(".jpg", cv2.cvtColor(image, cv2.COLOR_RGB2BGR), [cv2.IMWRITE_JPEG_QUALITY, 82])[1]
    return f"data:image/jpeg;base64,{base64.b64encode(bytes(data)).decode('ascii')}"
