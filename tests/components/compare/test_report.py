"""What is told of a comparison."""

from pathlib import Path

import pytest

from components.compare import compare
from components.compare.markdown import table_of, write_markdown
from components.compare.page import write_page
from components.compare.report import words
from components.compare.sides import Model, Side
from components.lesions import Task
from components.register.decisions import WORN_AFTER


def side(name: str, test_set: str = "one", **params: str) -> Side:
    model = Model("resnet50", Task.CLASSIFICATION, {"test/macro_f1": 0.5}, chosen=True, test_set=test_set)
    return Side(name, {"data version": "d", f"only of {name}": "x"}, params, (model,), phantom=False)


def test_a_worn_test_set_is_told_of() -> None:
    told = write_markdown(compare(side("a"), side("b"), {"one": WORN_AFTER + 1}))
    assert "This test set has taken 21 decisions, more than 20" in told
    told = write_markdown(compare(side("a"), side("b", "two"), {"one": 3, "two": 1}))
    assert "A: this test set has taken 3 decisions. B: this test set has taken 1 decision." in told
    assert "Their own test sets differ" in told


def test_what_one_side_alone_knows_of_itself_is_no_difference_but_a_parameter_is() -> None:
    comparison = compare(side("a", old="1", same="0"), side("b", new="2", same="0"), {})
    assert comparison.facts == ()
    assert [(one.name, one.first, one.second) for one in comparison.params] == [("old", "1", "absent"), ("new", "absent", "2")]


def test_many_parameters_are_counted() -> None:
    comparison = compare(side("a", **{f"p{n}": "1" for n in range(23)}), side("b", same="2"), {})
    assert "4 more parameters differ: --html and --json list all." in write_markdown(comparison)


def test_what_comes_from_elsewhere_cannot_write_into_the_page(tmp_path: Path) -> None:
    comparison = compare(side("<script>alert(1)</script>", a="<img src=x>"), side("b", a="2"), {})
    write_page(tmp_path / "page.html", comparison)
    text = (tmp_path / "page.html").read_text()
    assert "<script" not in text
    assert "<img" not in text
    assert "&lt;script&gt;" in text


def test_a_table_keeps_its_columns_whatever_its_cells_hold() -> None:
    assert table_of(("a", "b"), [("x|y", "<b>")]) == "| a | b |\n|---|---:|\n| x\\|y | \\<b\\> |"


@pytest.mark.parametrize(
    ("figure", "called"),
    [("macro_f1", "macro F1"), ("balanced_accuracy", "balanced accuracy"), ("malignant/auc", "AUC of malignant against benign")],
)
def test_figures_are_called_what_people_call_them(figure: str, called: str) -> None:
    assert words(figure) == called
