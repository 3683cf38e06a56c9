"""What a run came to: its models' figures, and what is in production and why."""

from rich.table import Table

from components.release import read_release
from components.scores import Scores, read_scores
from components.store import Store
from dermacare.console import console
from pipelines.home import Home
from pipelines.runs import RunRecord


def show_results(home: Home, record: RunRecord) -> None:
    """Print the table of models (test split) and a line for each model that was registered."""
    store = Store(home.root)
    outs = {step: store.out(step, record.steps[step].key) for step in ("evaluate", "register")}
    scores = read_scores(outs["evaluate"])
    console.print(_models(scores))
    if scores.phantom:
        console.print("These images were drawn: the figures show that the pipeline works, and say nothing about skin.")
    release = read_release(outs["register"])
    for promoted in (release.classifier, release.segmenter):
        if promoted is not None:
            console.print(
                f"in production: {promoted.name} version {promoted.version} ({promoted.model}): {promoted.reason}", markup=False
            )


def _models(scores: Scores) -> Table:
    table = Table("model", "parameters", "balanced accuracy", "macro F1", "accuracy", "Dice", "Jaccard", title="on the test split")
    for column in table.columns[1:]:
        column.justify = "right"
    for segmenter in scores.segmenters():
        measured = segmenter.test.per_image
        table.add_row(
            segmenter.name, f"{segmenter.parameters_total:,}", "", "", "", f"{measured.dice:.3f}", f"{measured.jaccard:.3f}"
        )
    for classifier in scores.classifiers():
        test = classifier.test
        figures = [test.balanced_accuracy, test.macro.f1, test.accuracy]
        table.add_row(classifier.name, f"{classifier.parameters_total:,}", *(f"{value:.3f}" for value in figures), "", "")
    if scores.classifiers():
        images = scores.classifiers()[0].test.images
        table.caption = f"{images} test images; guessing among eight classes gives a balanced accuracy of 0.125"
    return table
