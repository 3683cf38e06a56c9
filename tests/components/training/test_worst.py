"""The sheet of the worst images: the right ones, in their order, named and counted as they are."""

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from components.augment_balance.reader import Batch
from components.lesions import CODES
from components.reporter import Reporter
from components.train_classifier.objective import DIAGNOSES
from components.train_classifier.registry import build
from components.train_unet.losses import MASKS
from components.training.worst import draw_diagnoses, draw_masks, find_worst, show_worst
from tests.trainings import classifier_params, make_data, open_first_feed

# Probability of the true diagnosis, MEL, in the image of this place; what is left is NV's.
CERTAINTY = [0.9, 0.2, 0.6, 0.1, 0.95] + [0.99] * 15


def batches() -> Iterator[Batch]:
    """Images whose first pixel is the certainty; in batches of 6, the last of 2."""
    images = np.zeros((len(CERTAINTY), 4, 4, 3), np.float32)
    images[:, 0, 0, 0] = CERTAINTY
    for start in range(0, len(CERTAINTY), 6):
        part = images[start : start + 6]
        yield Batch(part, np.eye(8, dtype=np.float32)[[0] * len(part)], np.ones(len(part), np.float32))


def answer(images: np.ndarray) -> np.ndarray:
    said = np.zeros((len(images), 8), np.float32)
    said[:, 0], said[:, 1] = images[:, 0, 0, 0], 1 - images[:, 0, 0, 0]
    return said


NAMES = [f"I{place}" for place in range(len(CERTAINTY))]


def test_the_twelve_with_the_highest_loss_are_found_over_all_batches() -> None:
    worst = find_worst(batches(), NAMES, answer, DIAGNOSES)
    assert [one.image_id for one in worst] == ["I3", "I1", "I2", "I0", "I4", "I5", "I6", "I7", "I8", "I9", "I10", "I11"]
    assert worst[0].loss == pytest.approx(-np.log(0.1), rel=1e-4)


def texts(figure: Any) -> list[str]:
    return [axes.get_title() for axes in figure.axes if axes.get_title()]


def test_diagnoses_are_told_with_their_probabilities_and_the_commonest_mistake_is_the_title() -> None:
    figure = draw_diagnoses(find_worst(batches(), NAMES, answer, DIAGNOSES), "n = 20")
    assert texts(figure)[:3] == ["true MEL 10%, said NV 90%", "true MEL 20%, said NV 80%", "MEL, said 60%"]
    assert figure.get_suptitle() == "Highest loss: 2 of 12 are wrong, most often MEL taken for NV (2)"
    assert CODES[:2] == ("MEL", "NV")


@pytest.mark.parametrize(("folds", "where"), [(1, "val, 12 of"), (3, "fold 0, which judges, 12 of")])
def test_it_says_which_images_they_are(folds: int, where: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    drawn: list[Any] = []
    monkeypatch.setattr(Reporter, "figure", lambda self, name, figure: drawn.append(figure))
    feed = open_first_feed(make_data(tmp_path, per_class=6, folds=3), classifier_params(folds=folds))
    show_worst(build("tiny_cnn", (16, 16), 0.3).model, DIAGNOSES, feed, 0.5, Reporter(tmp_path, "test"))
    (figure,) = drawn
    assert figure.get_supxlabel().startswith(where)
    assert "val" not in figure.get_suptitle()


def test_where_all_are_right_they_are_the_least_certain() -> None:
    judged = [one for one in find_worst(batches(), NAMES, answer, DIAGNOSES) if one.prediction[0] > 0.5]
    assert draw_diagnoses(judged, "n = 20").get_suptitle() == "Highest loss: the least certain, and all are right"


def test_masks_are_told_with_their_dice() -> None:
    masks = np.zeros((2, 8, 8, 1), np.float32)
    masks[:, 2:6, 2:6] = 1
    said = {"whole": masks[0] * 0.8, "nothing": masks[1] * 0.4}
    batch = Batch(np.zeros((2, 8, 8, 3), np.float32), masks, np.ones(2, np.float32))
    worst = find_worst([batch], list(said), lambda images: np.stack(list(said.values())), MASKS)
    figure = draw_masks(worst, 0.5, "n = 2")
    assert texts(figure) == ["Dice 0.00, nothing found", "Dice 1.00"]
    # True and predicted outline of the one, the true one of the other.
    assert [len(axes.collections) for axes in figure.axes[:2]] == [1, 2]
    assert figure.get_suptitle() == "Highest loss: outlines of Dice 0.00 to 1.00"
