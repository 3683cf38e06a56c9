"""What follows from the ledger's entries: what serves, what served before, and where a version stands."""

from collections.abc import Sequence
from dataclasses import dataclass, field

from components.lesions import Task
from components.promotion.entries import Action, Decision, Entry, Outcome, Release, Version


@dataclass(frozen=True)
class Standing:
    """Where a version stands.

    Attributes:
        entry: in which it was judged last; None: never.
        decision: what was made of it there.
        approved_by: public keys of those who approved it since.
        rejected: the entry in which somebody rejected it since; None: nobody did.
    """

    entry: Entry | None = None
    decision: Decision | None = None
    approved_by: frozenset[str] = field(default_factory=frozenset)
    rejected: Entry | None = None

    @property
    def is_pending(self) -> bool:
        """Whether it waits for approval."""
        return (
            self.decision is not None
            and self.decision.outcome is Outcome.NEEDS_APPROVAL
            and self.missing > 0
            and self.rejected is None
        )

    @property
    def missing(self) -> int:
        """How many persons must still approve it."""
        return 0 if self.decision is None else max(0, self.decision.approvals - len(self.approved_by))

    @property
    def may_serve(self) -> bool:
        """Whether it was let through: by its gates, or by as many persons as the policy asks for."""
        if self.decision is None or self.rejected is not None:
            return False
        if self.decision.outcome is Outcome.NEEDS_APPROVAL:
            return self.missing == 0
        return self.decision.outcome in (Outcome.PROMOTE, Outcome.SERVES)


def serving(entries: Sequence[Entry]) -> Release:
    """What serves after these entries."""
    return entries[-1].release if entries else Release()


def last_move(entries: Sequence[Entry]) -> Entry | None:
    """The entry from which on serves what serves now; None where nothing ever did."""
    for place in range(len(entries) - 1, -1, -1):
        if entries[place].release != serving(entries[:place]):
            return entries[place]
    return None


def release_before(entries: Sequence[Entry]) -> Release | None:
    """The release that served before the one that serves now; None where there was none."""
    now = serving(entries)
    earlier = next((entry.release for entry in reversed(entries) if entry.release != now), None)
    return None if earlier is None or earlier == Release() else earlier


def version_before(entries: Sequence[Entry], task: Task) -> Version | None:
    """The version that served a task before the one that serves it now; None where there was none."""
    now = serving(entries).of(task)
    earlier = (entry.release.of(task) for entry in reversed(entries))
    return next((version for version in earlier if version is not None and version != now), None)


def decisions_of(entries: Sequence[Entry], run_id: str) -> Entry | None:
    """The entry in which a run's models were judged; None where they were not yet."""
    return next((entry for entry in reversed(entries) if entry.action is Action.DECIDE and entry.run_id == run_id), None)


def overtaken(entries: Sequence[Entry], run_id: str) -> list[Version]:
    """Versions of a run that nobody can approve: each waits, judged beside another version than serves now."""
    entry = decisions_of(entries, run_id)
    return [] if entry is None else [one.subject for one in entry.decisions if _is_overtaken(entries, one)]


def _is_overtaken(entries: Sequence[Entry], judged: Decision) -> bool:
    where = standing(entries, judged.subject)
    return where.is_pending and where.decision is not None and where.decision.champion != serving(entries).of(judged.task)


def standing(entries: Sequence[Entry], version: Version) -> Standing:
    """Where a version stands after these entries."""
    found = Standing()
    for entry in entries:
        for decision in entry.decisions:
            # That it serves already says nothing new of why it may.
            if decision.subject == version and not (decision.outcome is Outcome.SERVES and found.may_serve):
                found = Standing(entry, decision)
        if entry.subject == version and entry.action is Action.APPROVE:
            found = Standing(found.entry, found.decision, found.approved_by | {entry.key}, found.rejected)
        if entry.subject == version and entry.action is Action.REJECT:
            found = Standing(found.entry, found.decision, found.approved_by, entry)
    if found.decision is None and any(entry.action is Action.ADOPT and version in _pair(entry.release) for entry in entries):
        adopted = Decision(task=_task(entries, version), subject=version, outcome=Outcome.SERVES, reason="it served before")
        return Standing(entries[0], adopted)
    return found


def _pair(release: Release) -> tuple[Version | None, Version | None]:
    return release.classifier, release.segmenter


def _task(entries: Sequence[Entry], version: Version) -> Task:
    return Task.CLASSIFICATION if any(entry.release.classifier == version for entry in entries) else Task.SEGMENTATION
