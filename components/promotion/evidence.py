"""What the gates look at: everything that is known of a challenger."""

from collections.abc import Mapping
from dataclasses import dataclass

from components.lesions import Task
from components.promotion.entries import Comparison, Version
from components.scores import Gap


@dataclass(frozen=True)
class AuditCounts:
    """What the audit of the data found: its first line, and severity → number of findings."""

    headline: str
    counts: Mapping[str, int]


FROM_FILE = "but its weights started from a file, and what that learned from nobody knows"
"""What a gate that holds says besides."""


@dataclass(frozen=True)
class Evidence:
    """A challenger.

    Attributes:
        task: its task.
        subject: which version it is.
        figures: of test, by flat name: `balanced_accuracy`, `MEL/recall`, `dice`.
        intervals: lower and upper end of the 95 % interval of those that have one.
        phantom: whether it, or a model that it was trained on from, learned from drawn images.
        data_version: of what it was trained on.
        judged_on: data version of what it was judged on.
        parent_learned: images that judge it and that the model learned from which it was trained on from, 0 where there is no such
            model; None: not known.
        from_file: whether its weights started from a file, of which nobody knows what it learned from.
        commit, dirty: the code; an empty commit: outside git.
        megabytes: of all its files.
        milliseconds: of a prediction of one image, median.
        champion: what serves; None: nothing does.
        comparison: with the champion; None: there is none, or `incomparable` says why not.
        incomparable: why it cannot be compared with the champion, without full stop.
        largest_gap: slice that lags behind the rest of test most surely; None: no slice was judged.
        audit: what the audit of the data found; None: it is not known.
        official_difference: largest difference from the official scorer; None: it was not asked.
        calibration_error: expected calibration error on test; None: it was not measured.
    """

    task: Task
    subject: Version
    figures: Mapping[str, float]
    intervals: Mapping[str, tuple[float, float]]
    phantom: bool
    data_version: str
    judged_on: str
    commit: str
    dirty: bool
    megabytes: float
    milliseconds: float
    parent_learned: int | None = 0
    from_file: bool = False
    champion: Version | None = None
    comparison: Comparison | None = None
    incomparable: str = ""
    largest_gap: Gap | None = None
    audit: AuditCounts | None = None
    official_difference: float | None = None
    calibration_error: float | None = None
