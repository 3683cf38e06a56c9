"""What a reviewer reads in MLflow: each run's description and name, in Markdown."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from components.leak_study.page import write_note
from components.leak_study.scores import LeakScores
from components.lesions import Task
from components.promotion.entries import Entry, Outcome
from components.promotion.figures import NAMES
from components.register.against_parent import changes, doubt, figures
from components.register.context import RunContext
from components.register.decision_notes import gates, headline, what_next
from components.register.publish import ModelRecord
from components.release import Judged, Release
from components.scores import OUT_OF_FOLD_ROWS, ClassifierScores, Interval, Scores, SegmenterScores, flat
from components.tracking import UsedData

DRAWN = "**Drawn images (phantom): these models know nothing about skin.**"
_MOST_PARAMS = 20
_SAID = {
    Outcome.PROMOTE: "promoted",
    Outcome.SERVES: "serves already",
    Outcome.NEEDS_APPROVAL: "needs approval",
    Outcome.REFUSE: "refused",
}
_CLASSIFIER_TABLE = ("macro_f1", "balanced_accuracy", "accuracy", "macro_auc", "melanoma_sensitivity")
_SEGMENTER_TABLE = ("dice", "jaccard", "thresholded_jaccard", "boundary_f1", "sensitivity", "specificity")


@dataclass(frozen=True)
class Champion:
    """The model that served before a run.

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
        *([DRAWN, ""] if description.saw_drawn else []),
        _data_line(data),
        "",
        *_table([record.scores]),
        *_against_parent(record, run),
    ]
    return "\n".join(lines)


def run_note(records: Sequence[ModelRecord], scores: Scores, data: UsedData, run: RunContext, leak: LeakScores | None) -> str:
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
    lines += ["### What a leak is worth", "", write_note(leak), ""] if leak is not None else []
    return "\n".join(lines)


def parent_link(experiment: str, run: str) -> str:
    """The line of a model's run that leads to the pipeline run; MLflow ids of the experiment and of that run."""
    return f"Part of {_link('this pipeline run', experiment, run)}."


def children_links(experiment: str, runs: Mapping[str, str]) -> str:
    """The line of the pipeline run that leads to the runs of its models: model's name → MLflow's id of its run."""
    return f"Its models' runs: {', '.join(_link(name, experiment, run) for name, run in runs.items())}."


def release_note(release: Release, entry: Entry, champions: Mapping[Task, Champion | None], data: UsedData, run: RunContext) -> str:
    """What was made of the run's best models, why, and what changed against what served before."""
    lines = []
    for decision in entry.decisions:
        judged = _of(release, decision.task)
        lines += [f"### {headline(decision)}", "", f"{judged.chosen} Policy `{entry.policy}`: {decision.reason}.", ""]
        following = what_next(decision, judged.serving)
        lines += [following, ""] if following else []
        lines += [*gates(decision), ""]
        champion = champions[decision.task]
        if champion is None:
            lines += ["Nothing served before.", ""]
        else:
            lines += [f"Against version {champion.version}, {champion.model} of run `{champion.run_id}`:", ""]
            lines += [*_changes(judged, champion, data, run), ""]
    lines += [f"Entry {release.ledger.partition(' ')[0]} of the ledger (`dermacare history`)."]
    return "\n".join(lines)


def run_name(release: Release, champions: Mapping[Task, Champion | None], run: RunContext) -> str:
    """Name of the pipeline run: the figures that decided, by how much they differ from what served, and what came of it."""
    parts = []
    for task, champion in champions.items():
        judged = _of(release, task)
        if judged.validation is None:
            continue
        before = champion.figures.get(f"val/{judged.metric}") if champion else None
        change = "" if before is None or judged.outcome is Outcome.SERVES else f" ({judged.validation - before:+.3f})"
        parts.append(f"{judged.model} {NAMES[judged.metric]} {judged.validation:.3f}{change}, {_SAID[judged.outcome]}")
    return f"{run.profile or 'run'}: {'; '.join(parts)}"


def _link(text: str, experiment: str, run: str) -> str:
    """A link that MLflow's pages follow, wherever they are served."""
    return f"[{text}](#/experiments/{experiment}/runs/{run})"


def _of(release: Release, task: Task) -> Judged:
    judged = release.classifier if task is Task.CLASSIFICATION else release.segmenter
    assert judged is not None
    return judged


def _changes(judged: Judged, champion: Champion, data: UsedData, run: RunContext) -> list[str]:
    rows = [
        ("model", champion.model, judged.model),
        ("data version", champion.data_version[:12], data.version[:12]),
        ("commit", champion.commit[:12] or "unknown", _code(run)),
        *(
            (f"{NAMES[judged.metric]}, {split}", _number(champion.figures.get(f"{short}/{judged.metric}")), _number(now))
            for split, short, now in (("validation", "val", judged.validation), ("test", "test", judged.test))
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
        lines += ["", "The two were measured on different data: these figures compare roughly."]
    return lines


def _differing(before: Mapping[str, str], now: Mapping[str, str]) -> list[tuple[str, str, str]]:
    keys = sorted(before.keys() | now.keys())
    return [(key, before.get(key, "absent"), now.get(key, "absent")) for key in keys if before.get(key) != now.get(key)]


def _table(models: Sequence[ClassifierScores | SegmenterScores]) -> list[str]:
    """Validation and test figures of models of one task."""
    measures = _CLASSIFIER_TABLE if isinstance(models[0], ClassifierScores) else _SEGMENTER_TABLE
    titles = [f"{NAMES[name]}, {split}" for name in measures for split in ("val", "test")]
    lines = ["| model | parameters | " + " | ".join(titles) + " |", "|---" * (len(titles) + 2) + "|"]
    for model in models:
        known = flat(model)
        cells = [
            _with_interval(known.get(f"{split}/{name}"), judged.intervals.get(name))
            for name in measures
            for split, judged in (("val", model.val), ("test", model.test))
        ]
        lines.append(f"| {model.name} | {model.parameters_total:,} | " + " | ".join(cells) + " |")
    lines += ["", "In brackets: 95 % intervals, by bootstrap over patients, lesions and their near-duplicates."]
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


def _with_interval(value: float | None, interval: Interval | None) -> str:
    return _number(value) if interval is None else f"{_number(value)} ({interval})"


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
