"""Which images the two sheets show."""

import numpy as np
import pandas as pd

from components.dataset import Dataset
from components.evaluate.sheets import confident_mistakes, draw_doubtful, draw_mistakes, most_doubtful
from components.lesions import CODES, Split, Task
from components.predictions import PROBABILITY_COLUMNS
from tests.datasets import preprocessed_dataset


def answers(*told: tuple[str, str, str, float, float]) -> pd.DataFrame:
    """Of each image: group, truth, what was said first, its probability, that of the next diagnosis; images a, b, …"""
    said = np.zeros((len(told), 8), np.float32)
    for row, (_, _, first, sure, then) in enumerate(told):
        place = CODES.index(first)
        said[row, place], said[row, (place + 1) % 8] = sure, then
        said[row, (place + 2) % 8] = 1 - sure - then
    frame = pd.DataFrame([one[:2] for one in told], columns=["group_id", "label"])
    frame["image_id"] = [chr(ord("a") + row) for row in range(len(told))]
    return frame.join(pd.DataFrame(said, columns=list(PROBABILITY_COLUMNS)))


TABLE = answers(
    ("1", "MEL", "MEL", 0.9, 0.1),
    ("2", "MEL", "NV", 0.7, 0.2),
    ("2", "MEL", "NV", 0.95, 0.05),
    ("3", "BCC", "AK", 0.8, 0.1),
    ("4", "NV", "NV", 0.45, 0.44),
    ("5", "NV", "MEL", 0.45, 0.4),
)


def test_the_surest_mistakes_come_first_and_a_lesion_once():
    mistakes = confident_mistakes(TABLE)
    assert mistakes["image_id"].tolist() == ["c", "d", "f"]
    assert mistakes["said"].tolist() == ["NV", "AK", "MEL"]


def test_the_least_sure_come_first_right_or_wrong():
    assert most_doubtful(TABLE)["image_id"].tolist() == ["e", "f", "b", "d", "a"]


def test_of_equals_the_first_by_name_and_twelve_at_most():
    table = answers(*((str(row), "MEL", "NV", 0.6, 0.3) for row in range(14))).iloc[::-1]
    assert confident_mistakes(table)["image_id"].tolist() == list("abcdefghijkl")


def test_sheets_show_the_pixels_and_what_was_said(tmp_path):
    dataset = Dataset(preprocessed_dataset(tmp_path, per_class=3))
    rows = dataset.rows(Task.CLASSIFICATION, Split.TEST).iloc[[0, 3]]
    table = TABLE.iloc[[3, 4]].assign(image_id=rows["image_id"].to_numpy(), group_id=rows["group_id"].to_numpy())
    figure = draw_doubtful("net", table, dataset, "")
    assert [axes.get_title() for axes in figure.axes] == ["said NV 45%, right, then BCC 44%", "said AK 80%, true BCC 0%"]
    assert figure.get_suptitle() == "net: most doubtful, 1 of 2 are wrong"
    assert np.array_equal(figure.axes[1].images[0].get_array(), dataset.images(rows)[0])
    assert draw_mistakes("net", table, dataset, "").get_suptitle() == "net: surest mistakes, at 80% to 80%"


def test_a_model_without_mistakes_has_no_such_sheet(tmp_path):
    dataset = Dataset(preprocessed_dataset(tmp_path, per_class=3))
    assert draw_mistakes("net", TABLE.iloc[[0]], dataset, "") is None
