"""A comparison in words and tables: what the terminal, the Markdown and the page all show."""

from collections.abc import Sequence
from dataclasses import dataclass

from components.compare.comparison import Comparison, Differing, Pair
from components.compare.differences import Contrast
from components.compare.paired import Paired
from components.compare.sides import Model
from components.lesions import LESIONS, Diagnosis, Task
from components.register.decisions import wear
from components.scores import DICE_CHANGE

# The figure that the first sentence is about comes first.
_SHOWN = {
    Task.CLASSIFICATION: (
        "balanced_accuracy",
        "macro_f1",
        "accuracy",
        "macro_auc",
        "melanoma_sensitivity",
        "malignant/auc",
        "brier",
    ),
    Task.SEGMENTATION: ("dice", "jaccard", "thresholded_jaccard", "boundary_f1", "sensitivity", "specificity"),
}
_ACRONYMS = {"f1": "F1", "auc": "AUC", "dice": "Dice", "jaccard": "Jaccard", "ece": "ECE"}
_NAMES = {"malignant/auc": "AUC of malignant against benign", "brier": "Brier score (less is better)"}


@dataclass(frozen=True)
class Table:
    """Text in rows: a title, the names of the columns, the rows; the first cell of a row is its name.

    `figures`: whether the other cells are numbers, which stand right.
    """

    title: str
    columns: tuple[str, ...]
    rows: Sequence[tuple[str, ...]]
    figures: bool = True


@dataclass(frozen=True)
class Section:
    """A heading, sentences with their full stops, tables."""

    title: str
    sentences: tuple[str, ...]
    tables: tuple[Table, ...]


def sections(comparison: Comparison, most_params: int | None = None) -> list[Section]:
    """One section for each pair of models, then what else differs.

    Args:
        comparison: what is told.
        most_params: parameters that are listed; None: all.
    """
    return [*(_of_pair(pair) for pair in comparison.pairs), _made(comparison, most_params)]


def title_of(pair: Pair) -> str:
    """What the two models of a pair are called."""
    models = (pair.first, pair.second)
    named = [f"{letter} {model.name}" for letter, model in zip("AB", models, strict=True) if pair.first.name != pair.second.name]
    versions = [f"{letter} {model.version}" for letter, model in zip("AB", models, strict=True) if model.version]
    return (", ".join(named) or pair.first.name) + (f" ({', '.join(versions)})" if versions else "")


def words(figure: str) -> str:
    """What people call a figure: `macro_f1` → macro F1."""
    if figure in _NAMES:
        return _NAMES[figure]
    return " ".join(_ACRONYMS.get(word, word) for word in figure.replace("_", " ").split())


def _of_pair(pair: Pair) -> Section:
    tables = [_figures(pair)]
    if pair.paired is not None:
        tables.append(_differences(pair.paired))
        if pair.paired.diagnoses:
            tables.append(_diagnoses(pair.paired))
    return Section(title_of(pair), tuple(_sentences(pair)), tuple(tables))


def _sentences(pair: Pair) -> list[str]:
    paired = pair.paired
    if paired is None:
        asked = all(model.answers is not None for model in (pair.first, pair.second))
        why = "were judged on no image of test in common" if asked else "cannot be compared image by image: see below"
        said = [f"The two {why}; their own figures follow."]
    else:
        said = [_verdict(pair.task, paired), _counts(pair.task, paired)]
        if paired.images < max(paired.of):
            of = f"{paired.of[0]:,} images that judged A and {paired.of[1]:,} that judged B"
            said.append(f"Of {of} these are the common ones.")
    said += [_doubt(letter, model) for letter, model in (("A", pair.first), ("B", pair.second))]
    if pair.first.test_set and pair.second.test_set and pair.first.test_set != pair.second.test_set:
        said.append("Their own test sets differ: their own figures of test compare roughly.")
    said += _wears(pair)
    return [one for one in said if one]


def _wears(pair: Pair) -> list[str]:
    """How many decisions the test set has taken, or those of both where they differ."""
    if pair.first.test_set == pair.second.test_set:
        return [_sentence(wear(count)) for count in pair.decisions.values()]
    named = (("A", pair.first.test_set), ("B", pair.second.test_set))
    return [f"{letter}: {wear(pair.decisions[one])}." for letter, one in named if one in pair.decisions]


def _sentence(text: str) -> str:
    return f"{text[0].upper()}{text[1:]}."


def _verdict(task: Task, paired: Paired) -> str:
    """The sentence that a reviewer reads first."""
    name = _SHOWN[task][0]
    one = paired.differences[name]
    interval = f"B - A {one.value:+.3f}, 95 % interval {one.low:+.3f} to {one.high:+.3f}"
    on = f"On the same {paired.images:,} images of {paired.groups:,} groups"
    if not one.told:
        return f"{on} no difference of {words(name)} can be told from chance ({interval})."
    return f"{on} {'B' if one.value > 0 else 'A'} has the better {words(name)} ({interval})."


def _counts(task: Task, paired: Paired) -> str:
    first, second = paired.first_better, paired.second_better
    independent = "which takes images of one lesion for independent"
    if task is Task.CLASSIFICATION:
        test = f"p = {paired.p_value:.2g} by McNemar's exact test, {independent}"
        return f"A alone is right on {first:,} of them, B alone on {second:,} ({test})."
    test = f"p = {paired.p_value:.2g} by the sign test, {independent}"
    return f"A has a Dice higher by more than {DICE_CHANGE:g} on {first:,} of them, B on {second:,} ({test})."


def _doubt(letter: str, model: Model) -> str:
    if model.answers is None or model.answers.left_out == 0:
        return ""
    if model.answers.left_out is None:
        where = "its data, or that of a model before it, is neither in this home nor in MLflow"
        return f"Whether {letter} learned from some of these images is not known, since {where}."
    return f"{model.answers.left_out:,} images of test were left out, since {letter} learned from them or others of their group."


def _figures(pair: Pair) -> Table:
    rows = []
    for name in _SHOWN[pair.task]:
        cells: list[str] = []
        for split in ("val", "test"):
            before, now = (model.figures.get(f"{split}/{name}") for model in (pair.first, pair.second))
            cells += [number(before), number(now), "" if before is None or now is None else f"{now - before:+.3f}"]
        if any(cell not in ("none", "") for cell in cells):
            rows.append((words(name), *cells))
    return Table("As their runs measured them", ("", *(f"{x}, {s}" for s in ("val", "test") for x in ("A", "B", "B - A"))), rows)


def _differences(paired: Paired) -> Table:
    rows = [(words(name), *_cells(one)) for name, one in paired.differences.items()]
    return Table(f"On the same {paired.images:,} images of test", ("", "A", "B", "B - A", "95 % interval"), rows)


def _cells(one: Contrast) -> tuple[str, ...]:
    return number(one.first), number(one.second), f"{one.value:+.3f}", f"{one.low:+.3f} to {one.high:+.3f}"


def _diagnoses(paired: Paired) -> Table:
    rows = [
        (
            f"{one.code} {LESIONS[Diagnosis(one.code)].name}",
            f"{one.images:,}",
            f"{one.first_right:,}",
            f"{one.second_right:,}",
            f"{len(one.only_first):,}",
            f"{len(one.only_second):,}",
        )
        for one in paired.diagnoses
    ]
    return Table("By diagnosis, images", ("", "all", "A right", "B right", "A alone right", "B alone right"), rows)


def _made(comparison: Comparison, most: int | None) -> Section:
    said = [_sentence(note) for side in (comparison.first, comparison.second) for note in side.notes]
    said += [f"Of {letter} alone: {', '.join(names)}." for letter, names in zip("AB", comparison.alone, strict=True) if names]
    shown = comparison.params[:most]
    if len(shown) < len(comparison.params):
        said.append(f"{len(comparison.params) - len(shown):,} more parameters differ: --html and --json list all.")
    if not comparison.facts and not comparison.params:
        said.append("Data, code, libraries and parameters are the same as far as they are known.")
    tables = [_differing("Data, code, libraries", comparison.facts), _differing("Parameters", shown)]
    return Section("What made them", tuple(dict.fromkeys(said)), tuple(table for table in tables if table.rows))


def _differing(title: str, found: Sequence[Differing]) -> Table:
    return Table(title, ("", "A", "B"), [(one.name, one.first, one.second) for one in found], figures=False)


def number(value: float | None) -> str:
    """A figure with three digits, or none."""
    return "none" if value is None else f"{value:.3f}"
