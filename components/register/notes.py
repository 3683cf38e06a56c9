"""What a reviewer reads in MLflow: each run's description and name, in Markdown."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from components.register.against_parent import changes, doubt, figures
from components.register.choose import NAMES
from components.register.context import RunContext
from components.register.publish import ModelRecord
from components.release import Promoted, Release
from components.scores import OUT_OF_FOLD_ROWS, ClassifierScores, Scores, SegmenterScores
from components.tracking import UsedData

DRAWN = "**Drawn images (phantom): these models know nothing about skin.**"
_MOST_PARAMS = 20


@dataclass(frozen=True)
class Champion:
    """The model that was in production before a run.

    Attributes:
        version: its version of the registered model.
        model: the model's name in the run that made it.
        run_id: our id of that run.
        data_version: what it was trained on.
        commit: git commit of the code that made it, or empty.
        params: all parameters of that run, flat; empty where MLflow no longer has them.
        figures: its figures, by flat name: `val/macro_f1`.
    """

    version: int
    model: str
    run_id: str
    data_version: str
    commit: str
    params: Mapping[str, str]
    figures: Mapping[str, float]


def model_note(record: ModelRecord, data: UsedData, run: RunContext) -> str:
    """Description of a model's run."""
    description = record.description
    height, width = description.input_size
    origin = f"Trained in run `{record.reused}` and reused here." if record.reused else f"Trained in run `{run.run_id}`."
    lines = [
        f"{record.name}: {description.task} at {height} x {width} pixels (height x width), "
        f"{description.parameters_total:,} parameters, {description.parameters_trainable:,} of them trainable. {origin}",
        "",
        *([DRAWN, ""] if description.phantom else []),
        _data_line(data),
        "",
        *_table([record.scores]),
        *_against_parent(record, run),
    ]
    return "\n".join(lines)


def run_note(records: Sequence[ModelRecord], scores: Scores, data: UsedData, run: RunContext) -> str:
    """Description of the pipeline run as far as it is known before anything is promoted."""
    reused = [f"{record.name} (run `{record.reused}`)" for record in records if record.reused]
    lines = [
        f"{len(records)} models" + (f", profile `{run.profile}`" if run.profile else "") + f", code {_code(run)}.",
        *([f"Reused, not trained again: {', '.join(reused)}."] if reused else []),
        "",
        *([DRAWN, ""] if scores.phantom else []),
        _data_line(data),
        "",
    ]
    for task in (scores.classifiers(), scores.segmenters()):
        lines += [*_table(task), ""] if task else []
    for record in records:
        lines += [f"### {record.name} trained on", *_against_parent(record, run), ""] if record.parent else []
    return "\n".join(lines)


def release_note(release: Release, champions: Mapping[str, Champion], data: UsedData, run: RunContext) -> str:
    """What went to production, and what changed against what was there; `champions`: by registered model."""
    lines = []
    for promoted in (release.classifier, release.segmenter):
        if promoted is None:
            continue
        state = "is now in production" if promoted.moved else "stays in production"
        lines += [f"### {promoted.name}: version {promoted.version} {state}", "", f"{promoted.reason}", ""]
        champion = champions.get(promoted.name)
        if champion is None:
            lines += ["Nothing was in production before.", ""]
        else:
            lines += [f"Against version {champion.version}, {champion.model} of run `{champion.run_id}`:", ""]
            lines += [*_changes(promoted, champion, data, run), ""]
    return "\n".join(lines)


def run_name(release: Release, champions: Mapping[str, Champion], run: RunContext) -> str:
    """Name of the pipeline run: the figures that decided, and by how much they differ from production's."""
    parts = []
    for promoted in (release.classifier, release.segmenter):
        if promoted is None or promoted.validation is None:
            continue
        champion = champions.get(promoted.name)
        before = champion.figures.get(f"val/{promoted.metric}") if champion else None
        change = "" if before is None or not promoted.moved else f" ({promoted.validation - before:+.3f})"
        parts.append(f"{promoted.model} {NAMES[promoted.metric]} {promoted.validation:.3f}{change}")
    return f"{run.profile or 'run'}: {', '.join(parts)}"


def _changes(promoted: Promoted, champion: Champion, data: UsedData, run: RunContext) -> list[str]:
    rows = [
        ("model", champion.model, promoted.model),
        ("data version", champion.data_version[:12], data.version[:12]),
        ("commit", champion.commit[:12] or "unknown", _code(run)),
        *(
            (f"{NAMES[promoted.metric]}, {split}", _number(champion.figures.get(f"{short}/{promoted.metric}")), _number(now))
            for split, short, now in (("validation", "val", promoted.validation), ("test", "test", promoted.test))
        ),
    ]
    differing = _differing(champion.params, run.params) if champion.params else []
    rows += [(f"`{key}`", old, new) for key, old, new in differing[:_MOST_PARAMS]]
    lines = ["| | before | now |", "|---|---|---|", *(f"| {key} | {old} | {new} |" for key, old, new in rows if old != new)]
    if len(lines) == 2:
        return ["Nothing changed."]
    if len(differing) > _MOST_PARAMS:
        lines += ["", f"{len(differing) - _MOST_PARAMS} more parameters differ: compare the two runs in MLflow."]
    if champion.data_version != data.version:
        lines += ["", "The two were measured on different data: their figures compare roughly."]
    return lines


def _differing(before: Mapping[str, str], now: Mapping[str, str]) -> list[tuple[str, str, str]]:
    keys = sorted(before.keys() | now.keys())
    return [(key, before.get(key, "absent"), now.get(key, "absent")) for key in keys if before.get(key) != now.get(key)]


def _table(models: Sequence[ClassifierScores | SegmenterScores]) -> list[str]:
    """Validation and test figures of models of one task."""
    if isinstance(models[0], ClassifierScores):
        heads = ["macro F1", "balanced accuracy", "accuracy", "macro AUC"]
    else:
        heads = ["Dice", "Jaccard", "sensitivity", "specificity"]
    titles = [f"{head}, {split}" for head in heads for split in ("val", "test")]
    lines = ["| model | parameters | " + " | ".join(titles) + " |", "|---" * (len(titles) + 2) + "|"]
    for model in models:
        cells = [_number(value) for pair in zip(_figures(model, "val"), _figures(model, "test"), strict=True) for value in pair]
        lines.append(f"| {model.name} | {model.parameters_total:,} | " + " | ".join(cells) + " |")
    crossed = [model.name for model in models if model.val_rows == OUT_OF_FOLD_ROWS]
    if crossed:
        lines += ["", f"val of {', '.join(crossed)}: out-of-fold predictions of train and val, since it was trained with folds."]
    return lines


def _against_parent(record: ModelRecord, run: RunContext) -> list[str]:
    """A model beside the version that it was trained on from; nothing where it was not."""
    parent = record.scores.parent
    if parent is None:
        return []
    lines = ["", f"Trained on from {record.parent}:", "", "| | before | now |", "|---|---|---|"]
    for split in ("val", "test"):
        for name, pair in figures(record.scores, split).items():
            lines.append(f"| {name}, {split} | {_number(pair[0])} | {_number(pair[1])} |")
    told = changes(parent)
    lines += ["", f"{told[0].upper()}{told[1:]}."]
    remark = doubt(record.parent, parent, run.learned.get(record.name))
    return [*lines, "", f"{remark}."] if remark else lines


def _figures(model: ClassifierScores | SegmenterScores, split: str) -> list[float | None]:
    if isinstance(model, ClassifierScores):
        judged = model.val if split == "val" else model.test
        return [judged.macro.f1, judged.balanced_accuracy, judged.accuracy, judged.macro_auc]
    overlap = (model.val if split == "val" else model.test).per_image
    return [overlap.dice, overlap.jaccard, overlap.sensitivity, overlap.specificity]


def _data_line(data: UsedData) -> str:
    counts = "; ".join(
        f"{task}: " + ", ".join(f"{count:,} {split}" for split, count in splits.items())
        for task, splits in data.profile["images"].items()
    )
    return f"Data: {data.name}, version `{data.version[:12]}` ({counts})."


def _code(run: RunContext) -> str:
    if run.commit is None:
        return "outside git"
    return run.commit[:12] + (" with uncommitted changes" if run.dirty else "")


def _number(value: float | None) -> str:
    return "none" if value is None else f"{value:.3f}"
