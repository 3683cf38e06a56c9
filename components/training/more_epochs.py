"""Whether more epochs would have helped: what the curve of a training says of it, and no more than that."""

from collections.abc import Sequence

from components.training.phase import Phase

Epoch = tuple[float, float, float]
"""Of an epoch: loss on train, loss on val, the headline figure of val."""

_LEAST_EPOCHS = 4
# Less than a hundredth is within what a shuffle of the images changes.
_NOTABLE = 0.01


def would_more_help(epochs: Sequence[Epoch], phase: Phase, headline: str, *, stopped: bool) -> str:
    """One sentence or two on whether more epochs of a phase would have helped.

    The newest quarter of the epochs (at least two) is held against all before it, by the least loss on val of each. Under cosine
    the loss falls at the end whatever the length, since the rate runs out; there a fall in the quarter before, when the rate was
    still high, is what speaks for a longer training.

    Args:
        epochs: all of the phase, at least one.
        phase: how it was trained.
        headline: name of the third number of an epoch.
        stopped: whether training stopped for want of gain.
    """
    name, count = f"{phase.name}: " if phase.name else "", len(epochs)
    if count < _LEAST_EPOCHS:
        return f"{name}whether more epochs would help cannot be told from so few as {count}"
    window = max(2, count // 4)
    verdict = _verdict(epochs, window, phase, stopped)
    return f"{name}more epochs would {verdict}{_score(epochs, window, headline)}"


def _verdict(epochs: Sequence[Epoch], window: int, phase: Phase, stopped: bool) -> str:
    losses = [val for _, val, _ in epochs]
    best = losses.index(min(losses))
    since = len(losses) - 1 - best
    trained = epochs[best][0], epochs[-1][0]
    if since >= window and trained[1] < trained[0] * (1 - _NOTABLE):
        return (
            f"not have helped: since epoch {best + 1} of {len(losses)} the loss on train fell from {trained[0]:.3f} to "
            f"{trained[1]:.3f}, that on val not below {losses[best]:.3f}: it learns by heart; more images, augmentation or dropout "
            "may help"
        )
    if stopped or since >= window:
        return f"not have helped: the loss on val is least after epoch {best + 1} of {len(losses)}, {losses[best]:.3f}"
    fall = _fall(losses, window)
    told = f"over the last {window} of {len(losses)} epochs the loss on val fell by {max(fall, 0):.1%}, to {losses[best]:.3f}"
    if fall < _NOTABLE:
        return f"hardly have helped: {told}"
    if phase.schedule == "plateau":
        return f"probably have helped: {told}"
    if _fall(losses[:-window], window) >= _NOTABLE:
        return f"probably have helped: {told}, and it fell before the rate ran out, too"
    return f"perhaps have helped: {told}, as it does when the rate runs out; only a longer training would tell"


def _fall(losses: Sequence[float], window: int) -> float:
    """How much lower the least loss of the last `window` epochs is than the least before them, as a share of the latter; where none
    is before them, than the first one's."""
    before = min(losses[:-window], default=losses[0])
    return (before - min(losses[-window:])) / max(before, 1e-12)


def _score(epochs: Sequence[Epoch], window: int, headline: str) -> str:
    scores = [score for *_, score in epochs]
    before, late = max(scores[:-window]), max(scores[-window:])
    change = "rose" if late > before + _NOTABLE else "did not rise"
    return f"; {headline.replace('_', ' ').replace('f1', 'F1')} {change} there ({before:.2f} before, {late:.2f} in them)"
