"""What a run came to: its models' figures, and what is in production and why."""

from collections.abc import Iterator, Mapping, Sequence

from rich.table import Table

from components.bundle import read_description
from components.dataset import Dataset
from components.lesions import Task
from components.params import Params, for_model, version_of
from components.promotion.entries import Outcome
from components.register.against_parent import changes, doubt, figures
from components.release import Judged, read_release
from components.scores import ClassifierScores, Scores, SegmenterScores, flat, read_scores
from components.store import Store
from dermacare.console import console
from pipelines.home import Home
from pipelines.parents import KnownSplits, count_learned_before
from pipelines.runs import RunRecord


def show_results(home: Home, record: RunRecord) -> None:
    """Print the table of models (test split) and a line for each model that was registered."""
    store = Store(home.root)
    scores = read_scores(store.out("evaluate", record.steps["evaluate"].key))
    for table in model_tables(scores):
        console.print(table)
    if any(model.parent for model in scores.models.values()):
        _show_parents(home, record, scores)
    if scores.phantom:
        console.print("These images were drawn: the figures show that the pipeline works, and say nothing about skin.")
    if record.offline:
        console.print("Nothing was registered, since it ran with --offline; the same command without it does so.", markup=False)
        return
    release = read_release(store.out("register", record.steps["register"].key))
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


def model_tables(scores: Scores) -> Iterator[Table]:
    """A table a task: figures of the test split, each above its 95 % interval."""
    segmenters, classifiers = scores.segmenters(), scores.classifiers()
    if segmenters:
        yield _table(segmenters, {"dice": "Dice", "jaccard": "Jaccard", "boundary_f1": "boundary F1"})
    if classifiers:
        table = _table(classifiers, {"balanced_accuracy": "balanced accuracy", "macro_f1": "macro F1", "accuracy": "accuracy"})
        images = classifiers[0].test.images
        table.caption = f"{images} test images; guessing among eight classes gives a balanced accuracy of 0.125"
        yield table


def _table(models: Sequence[ClassifierScores | SegmenterScores], measures: Mapping[str, str]) -> Table:
    table = Table("model", "parameters", *measures.values(), title="on the test split, with 95 % intervals")
    for column in table.columns[1:]:
        column.justify = "right"
    for model in models:
        known = flat(model)
        cells = [f"{known[f'test/{name}']:.3f}\n{model.test.intervals.get(name, '')}" for name in measures]
        table.add_row(model.name, f"{model.parameters_total:,}", *cells)
    return table


def _show_parents(home: Home, record: RunRecord, scores: Scores) -> None:
    """Print each model that was trained on from a registered version beside it: what it forgot, what it learned."""
    params = Params.model_validate(record.params)
    store = Store(home.root)
    dataset = Dataset(store.out("preprocess", record.steps["preprocess"].key))
    table = Table("model", "trained on from", "figure", "before", "now", title="before and after training on, on the test split")
    lines = []
    for model in scores.models.values():
        if model.parent is None:
            continue
        step = "train_unet" if isinstance(model, SegmenterScores) else "train_classifier"
        recipe = for_model(getattr(params, step), model.name)
        trained = f"{step}/{model.name}"
        parent = read_description(store.out(trained, record.steps[trained].key)).parent
        assert parent is not None
        version = version_of(recipe.weights) or model.parent.digest[:12]
        for name, pair in figures(model, "test").items():
            table.add_row(model.name, version, name, *(f"{value:.3f}" for value in pair))
        learned = count_learned_before(KnownSplits(home), parent, dataset, Task(model.task), recipe.folds)
        lines += [f"{model.name}: {changes(model.parent)}", doubt(version, model.parent, learned)]
    console.print(table)
    for line in filter(None, lines):
        console.print(line, markup=False)
