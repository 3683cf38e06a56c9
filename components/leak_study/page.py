"""The study's page, Markdown: what the leak is worth, how it was measured, what it does not tell."""

from components.leak_study.scores import LeakScores

NAMES = {"balanced_accuracy": "balanced accuracy", "accuracy": "accuracy", "macro_f1": "macro F1"}
_DRAWN = "> **Drawn images (phantom): this says how the study works, and nothing about skin.**\n\n"


def headline(scores: LeakScores) -> str:
    """What was found, as one sentence."""
    one = scores.figures["balanced_accuracy"]
    interval = f"{one.difference:+.3f}, 95 % interval {one.low:+.3f} to {one.high:+.3f}"
    if one.low <= 0 <= one.high:
        return f"{scores.model}: no leak of balanced accuracy can be told from chance on these images ({interval})."
    better = "better" if one.difference > 0 else "worse"
    return (
        f"{scores.model} looks {better} than it is on the same images once others of their lesions are in training: balanced "
        f"accuracy {one.clean:.3f} becomes {one.leaked:.3f} ({interval})."
    )


def write_note(scores: LeakScores) -> str:
    """What was found, with the table, for the description of an MLflow run."""
    rows = [
        f"| {NAMES[name]} | {one.clean:.3f} | {one.leaked:.3f} | {one.difference:+.3f} | {one.low:+.3f} to {one.high:+.3f} |"
        for name, one in scores.figures.items()
    ]
    table = ["| on the same images | clean | leaked | difference | 95 % interval |", "|---|---|---|---|---|", *rows]
    return (_DRAWN if scores.phantom else "") + headline(scores) + "\n\n" + "\n".join(table)


def write_page(scores: LeakScores) -> str:
    """Write the page; the same for the same scores."""
    parts = [
        f"# What a leak is worth: {scores.model}",
        write_note(scores),
        "![Differences](figures/leak.png)",
        "## How it was measured",
        _how(scores),
        "## What it does not tell",
        _limits(scores),
    ]
    return "\n\n".join(parts) + "\n"


def _how(scores: LeakScores) -> str:
    return (
        f"- One test set: {scores.test_images:,} images of {scores.test_groups:,} groups (patient, lesion, near-duplicates), those "
        "that a random split of images puts into test while it puts others of their group into train. Of such a split's test, "
        f"{scores.leaking_share:.1%} are like that.\n"
        f"- Two models that learn from {scores.train_images:,} images each. They differ in {scores.leaked_images:,}: the clean one "
        "has images of other groups, the leaked one those that the image split would have leaked, as many of each diagnosis and of "
        "as many groups.\n"
        "- The same parameters, seeds and number of images; the same val judges both trainings, and is of other groups than either "
        f"learns from or is tested on. Each is the mean of {scores.seeds} {'models' if scores.seeds > 1 else 'model'}.\n"
        "- The interval is that of the paired difference: 2,000 bootstrap draws of whole groups, both models judged on each.\n"
        f"- Data version `{scores.data_version}`. The dataset's own test takes part in the study; no model of the study is kept."
    )


def _limits(scores: LeakScores) -> str:
    more = "" if scores.seeds > 1 else " More `seeds` make it smaller."
    return (
        "- The interval holds the chance of which groups were tested, not that of two trainings, which never come out alike."
        f"{more}\n"
        "- It is the worth for images that have another of their group in training: "
        f"{scores.leaking_share:.1%} of a whole test by images.\n"
        "- It holds for this recipe: a model that learns its images by heart gains more."
    )
