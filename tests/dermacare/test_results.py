"""The tables at the end of a run."""

import io

import pytest
from rich.console import Console

from components.scores import Scores
from dermacare.results import model_tables
from tests.components.test_scores import both, segmenter


def shown(scores: Scores) -> list[str]:
    """Lines of all tables in a terminal of 80 columns, without its frames."""
    console = Console(width=80, file=io.StringIO())
    for table in model_tables(scores):
        console.print(table)
    return [" ".join(line.replace("│", " ").split()) for line in console.file.getvalue().splitlines()]


def test_each_figure_stands_above_its_interval() -> None:
    lines = shown(both())
    assert lines[lines.index("unet_plain 2,164,593 0.667 0.500 1.000") + 1] == "0.67 to 0.67 0.50 to 0.50 1.00 to 1.00"
    assert lines[lines.index("resnet50 24,640,904 1.000 1.000 1.000") + 1] == "1.00 to 1.00 1.00 to 1.00 1.00 to 1.00"
    assert any("2 test images; guessing among eight classes" in line for line in lines)


@pytest.mark.parametrize("models", [{}, {"unet_plain": segmenter()}])
def test_a_task_without_models_has_no_table(models: dict) -> None:
    scores = both().model_copy(update={"models": models})
    assert len(list(model_tables(scores))) == len(models)
