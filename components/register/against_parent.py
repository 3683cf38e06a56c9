"""A model against the registered version that it was trained on from, in words."""

from components.scores import DICE_CHANGE, ClassifierParent, ClassifierScores, SegmenterParent, SegmenterScores


def figures(model: ClassifierScores | SegmenterScores, split: str) -> dict[str, tuple[float, float]]:
    """Figure, as people call it, → the parent's and the model's, on one split; empty where the two are not compared on it."""
    if model.parent is None or getattr(model.parent, split) is None:
        return {}
    before, now = getattr(model.parent, split), getattr(model, split)
    if isinstance(model, SegmenterScores):
        return {"Dice": (before.per_image.dice, now.per_image.dice)}
    return {
        "balanced accuracy": (before.balanced_accuracy, now.balanced_accuracy),
        "macro F1": (before.macro.f1, now.macro.f1),
    }


def changes(parent: ClassifierParent | SegmenterParent) -> str:
    """What was forgotten and learned on test, one sentence without its full stop."""
    images = f"of {parent.test.images:,} test images"
    if isinstance(parent, SegmenterParent):
        fell = f"{parent.forgotten:,} forgotten (Dice fell by more than {DICE_CHANGE:g})"
        return f"{images}, {fell}, {parent.learned:,} learned (it rose by more)"
    codes = [code for code in parent.forgotten if parent.forgotten[code] or parent.learned[code]]
    listed = "; ".join(f"{code}: {parent.forgotten[code]:,} forgotten, {parent.learned[code]:,} learned" for code in codes)
    forgotten, learned = sum(parent.forgotten.values()), sum(parent.learned.values())
    totals = f"{images}, {forgotten:,} forgotten (right before, wrong now), {learned:,} learned (the reverse)"
    return f"{totals}. {listed}" if listed else totals


def doubt(version: str, parent: ClassifierParent | SegmenterParent, learned: int | None) -> str:
    """What to say where the parent is not judged as the model is: it learned from images that judge, or from those of another size.

    Empty where it is known that neither is so.

    Args:
        version: what the parent is called.
        parent: its scores.
        learned: images that judge the model and that the parent learned from; None: not known.
    """
    size = f"{version} was trained on images of another size than those that judge, so that it may look worse than it is"
    return ". ".join(filter(None, (_learned(version, parent, learned), size if parent.other_size else "")))


def _learned(version: str, parent: ClassifierParent | SegmenterParent, learned: int | None) -> str:
    if learned == 0:
        return ""
    optimistic = "figures of both models may be optimistic"
    if learned is None:
        return (
            f"Whether {version} learned from some of these images is not known, since its data (version "
            f"{parent.data_version[:12]}), or that of a model before it, is neither in this home nor in MLflow: {optimistic}"
        )
    return f"{version} learned from {learned:,} of the images that judge: {optimistic}"
