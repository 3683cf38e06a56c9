"""What a run came to: its models' figures, and what is in production and why."""

from rich.table import Table

from components.dataset import Dataset
from components.lesions import Task
from components.params import Params, for_model, version_of
from components.promotion.entries import Outcome
from components.register.against_parent import changes, doubt, figures
from components.release import Judged, read_release
from components.scores import Scores, SegmenterScores, read_scores
from components.store import Store
from dermacare.console import console
from pipelines.home import Home
from pipelines.parents import count_learned
from pipelines.runs import RunRecord


def show_results(home: Home, record: RunRecord) -> None:
    """Print the table of models (test split) and a line for each model that was registered."""
    store = Store(home.root)
    outs = {step: store.out(step, record.steps[step].key) for step in ("evaluate", "register")}
    scores = read_scores(outs["evaluate"])
    console.print(_models(scores))
    if any(model.parent for model in scores.models.values()):
        _show_parents(store, record, scores)
    if scores.phantom:
        console.print("These images were drawn: the figures show that the pipeline works, and say nothing about skin.")
    release = read_release(outs["register"])
    for judged in release.judged:
        console.print(_told(judged), markup=False)


def _told(judged: Judged) -> str:
    """What came of a model, and how to go on."""
    model = f"{judged.name} version {judged.version} ({judged.model})"
    if judged.serves:
        return f"in production: {model}: {judged.chosen}"
    serving = "nothing serves" if judged.serving is None else f"version {judged.serving} serves"
    if judged.outcome is Outcome.NEEDS_APPROVAL:
        label = f"{judged.name}/{judged.version}"
        return f"needs approval: {model}: {judged.reason}. Until `dermacare approve {label} --reason …`, {serving}."
    return f"refused: {model}: {judged.reason}. So {serving}."


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


def _show_parents(store: Store, record: RunRecord, scores: Scores) -> None:
    """Print each model that was trained on from a registered version beside it: what it forgot, what it learned."""
    params = Params.model_validate(record.params)
    dataset = Dataset(store.out("preprocess", record.steps["preprocess"].key))
    table = Table("model", "trained on from", "figure", "before", "now", title="before and after training on, on the test split")
    lines = []
    for model in scores.models.values():
        if model.parent is None:
            continue
        section = params.train_unet if isinstance(model, SegmenterScores) else params.train_classifier
        recipe = for_model(section, model.name)
        version = version_of(recipe.weights) or model.parent.digest[:12]
        for name, pair in figures(model, "test").items():
            table.add_row(model.name, version, name, *(f"{value:.3f}" for value in pair))
        learned = count_learned(store, model.parent.data_version, dataset, Task(model.task), recipe.folds)
        lines += [f"{model.name}: {changes(model.parent)}", doubt(version, model.parent, learned)]
    console.print(table)
    for line in filter(None, lines):
        console.print(line, markup=False)
