"""Moving production by hand: every move is an entry of the ledger, and MLflow's aliases follow it.

A command that is killed leaves the old release or the new one: the entry is written whole or not at all, and it alone says what
serves. What it left undone at MLflow the next command does.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from functools import partial

from components.errors import LedgerError, TrackingError
from components.lesions import Task
from components.promotion.entries import Action, Content, Entry, Outcome, Version
from components.promotion.keys import fingerprint
from components.promotion.ledger import Problem, ReleaseLedger
from components.promotion.reading import read_promotion
from components.promotion.releases import Standing, last_move, release_before, serving, standing
from components.register.decision_notes import DECISION, LEDGER
from components.register.follow import Found, follow, obstacle, refuse_another_ledger
from components.register.registry import REGISTERED, Registry
from components.tracking import Ledger
from pipelines.home import Home, open_ledger

_RUN_LEDGER = "dermacare.ledger"
_DONE = {
    Action.APPROVE: "approved",
    Action.REJECT: "rejected",
    Action.PROMOTE: "promoted",
    Action.ROLLBACK: "brought back",
}


@dataclass(frozen=True)
class Moved:
    """What a command did: its entry, and what it found astray on the way, each a sentence without its full stop."""

    entry: Entry
    found: list[str]


class Releases:
    """What serves in a home, and the ways to change it.

    Args:
        home: where state lies.

    Raises:
        LedgerError: nothing was ever registered in it.
    """

    def __init__(self, home: Home) -> None:
        ledger = open_ledger(home)
        if ledger is None:
            raise LedgerError(f"{home.root}: nothing was registered there yet; run the pipeline first, or set DERMACARE_HOME")
        self._mlflow: Ledger = ledger
        self._registry = Registry(ledger)
        self._ledger: ReleaseLedger = home.releases()

    def entries(self) -> list[Entry]:
        """The whole ledger, the oldest entry first."""
        return self._ledger.entries()

    def align(self) -> list[str]:
        """Let MLflow's aliases follow the ledger; what was found astray, each a sentence without its full stop."""
        entries = self.entries()
        with self._mlflow.answering("looking up the ledger of the versions"):
            refuse_another_ledger(self._registry, self._ledger.url, entries)
        return self._follow(entries).all if entries else []

    def approve(self, reference: str | None, reason: str) -> Moved:
        """Approve a version that waits for it; with as many approvals as the policy asks for it serves.

        Raises:
            LedgerError: it does not wait, something else serves than what it was compared with, or this person approved already.
        """
        entries, found = self._open()
        version, where = self._waiting(entries, reference)
        assert where.decision is not None
        key = self._ledger.public_key
        if key in where.approved_by:
            raise LedgerError(f"{version.label}: was approved by you already (key {fingerprint(key)}); another person must")
        task, now = where.decision.task, serving(entries)
        if now.of(task) != where.decision.champion:
            beside, serves = _label(where.decision.champion), _label(now.of(task))
            raise LedgerError(f"{version.label}: was judged beside {beside}, but {serves} serves now; run the pipeline again")
        release = now.having(task, version) if where.missing == 1 else now
        return self._append(entries, found, Content(action=Action.APPROVE, release=release, reason=reason, subject=version))

    def reject(self, reference: str | None, reason: str) -> Moved:
        """Reject a version that waits for approval.

        Raises:
            LedgerError: it does not wait.
        """
        entries, found = self._open()
        version, _ = self._waiting(entries, reference)
        content = Content(action=Action.REJECT, release=serving(entries), reason=reason, subject=version)
        return self._append(entries, found, content)

    def promote(self, reference: str, reason: str) -> Moved:
        """Let a version serve that was let through before.

        Raises:
            LedgerError: it serves already, or never was let through.
        """
        entries, found = self._open()
        version = self._named(reference)
        task = next(task for task, name in REGISTERED.items() if name == version.name)
        if serving(entries).of(task) == version:
            raise LedgerError(f"{version.label}: serves already")
        where = standing(entries, version)
        if not where.may_serve:
            raise LedgerError(f"{version.label}: {_why_not(where)}")
        release = serving(entries).having(task, version)
        return self._append(entries, found, Content(action=Action.PROMOTE, release=release, reason=reason, subject=version))

    def rollback(self, reason: str) -> Moved:
        """Let the release before serve again, classifier and segmenter.

        Done twice, by two persons or since an answer was lost, it would bring back what it was to take away.

        Raises:
            LedgerError: there is none, it is no more, or what serves was brought back already.
        """
        entries, found = self._open()
        if (moved := last_move(entries)) is not None and moved.action is Action.ROLLBACK:
            raise LedgerError(
                f"{moved.actor} rolled back already in entry {moved.number} of the ledger ({moved.reason}): {moved.release.label} "
                "serves; to have another version serve: `dermacare promote VERSION`"
            )
        before = release_before(entries)
        if before is None:
            raise LedgerError("nothing served before what serves now; `dermacare history` tells what did when")
        for version in filter(None, (before.of(task) for task in Task)):
            with self._mlflow.answering(f"looking up {version.label}"):
                if self._registry.named(version.name, str(version.number)) is None:
                    raise LedgerError(
                        f"{version.label}: served before, but was deleted in MLflow; let another one serve: "
                        "`dermacare promote VERSION`"
                    )
        return self._append(entries, found, Content(action=Action.ROLLBACK, release=before, reason=reason))

    def verify(self) -> list[Problem]:
        """Check the chain, its signatures, and every head that MLflow has a note of."""
        with self._mlflow.answering("looking up the heads of the ledger"):
            heads = self._heads()
        return self._ledger.verify(heads, read_promotion().signers)

    def _heads(self) -> dict[str, str]:
        heads = {f"{version} in MLflow": head for version, head in self._registry.noted(LEDGER).items()}
        for run in self._mlflow.search_everywhere(f"tags.`{_RUN_LEDGER}` LIKE '%'"):
            heads[f"run {run.data.tags['dermacare.run_id']} in MLflow"] = run.data.tags[_RUN_LEDGER]
        return heads

    def _open(self) -> tuple[list[Entry], list[str]]:
        found = self.align()
        return self.entries(), found

    def _append(self, entries: list[Entry], found: list[str], content: Content) -> Moved:
        read_promotion().signers.require(self._ledger.public_key, content.action)
        entry = self._ledger.append(content, after=entries[-1] if entries else None)
        try:
            left = self._follow([*entries, entry]).left
        except TrackingError as error:
            raise TrackingError(
                f"entry {entry.number} of the ledger is written ({_DONE[entry.action]}; serving: {entry.release.label}), but "
                f"MLflow does not show it yet: {error.args[0]}. Do not decide again: `dermacare history` brings MLflow in line"
            ) from error
        return Moved(entry, found + left)

    def _follow(self, entries: Sequence[Entry]) -> Found:
        """Let MLflow show what the ledger says: aliases, and the newest entry on the versions that it is about."""
        with self._mlflow.answering("letting MLflow follow the ledger"):
            found = follow(self._registry, entries)
            if entries[-1].action in _DONE:
                found.left.extend(self._tell(entries[-1]))
        return found

    def _tell(self, entry: Entry) -> list[str]:
        """Note an entry on the versions that it is about, where it is not noted yet; what could not be, each a sentence."""
        noted = self._registry.noted(LEDGER)
        about = [entry.subject] if entry.subject else [entry.release.of(task) for task in Task]
        left = []
        for version in filter(None, about):
            if noted.get(version.label) != entry.head and (why := obstacle(partial(self._note, version, entry))) is not None:
                left.append(f"{version.label} should tell of entry {entry.number} of the ledger, and {why}")
        return left

    def _note(self, version: Version, entry: Entry) -> None:
        told = f"{_DONE[entry.action]} by {entry.actor}: {entry.reason}"
        self._registry.describe_further(version.name, version.number, f"Entry {entry.number} of the ledger: **{told}**")
        self._registry.tag(version.name, version.number, {DECISION: told, LEDGER: entry.head})  # its head last: it is noted whole

    def _waiting(self, entries: list[Entry], reference: str | None) -> tuple[Version, Standing]:
        """The version that is meant, which waits for approval."""
        if reference is not None:
            version = self._named(reference)
            where = standing(entries, version)
            if not where.is_pending:
                raise LedgerError(f"{version.label}: does not wait for approval; {_why_not(where)}")
            return version, where
        judged = {decision.subject: None for entry in entries for decision in entry.decisions}
        waiting = [(version, where) for version in judged if (where := standing(entries, version)).is_pending]
        if len(waiting) != 1:
            names = ", ".join(version.label for version, _ in waiting) or "none"
            raise LedgerError(f"say which version is meant; waiting for approval: {names}")
        return waiting[0]

    def _named(self, reference: str) -> Version:
        name, slash, which = reference.rpartition("/")
        names = [name] if slash else list(REGISTERED.values())
        with self._mlflow.answering(f"looking up {reference}"):
            found = [version for one in names if (version := self._registry.named(one, which)) is not None]
        if len(found) == 1:
            return found[0]
        if found:
            raise LedgerError(f"{reference}: is a version of {' and of '.join(one.name for one in found)}; write {found[0].label}")
        with self._mlflow.answering("looking up the versions"):
            there = [version.label for one in REGISTERED.values() for version in self._registry.versions(one)]
        raise LedgerError(f"{reference}: there is no such version; there are {', '.join(there) or 'none'}")


def _label(version: Version | None) -> str:
    return "nothing" if version is None else version.label


def _why_not(where: Standing) -> str:
    """Why a version may not serve, or does not wait, and the way out."""
    if where.decision is None or where.entry is None:
        return "it was never judged; run the pipeline, which judges the best model of each task"
    judged = f"entry {where.entry.number} of the ledger judged it: {where.decision.outcome.value} ({where.decision.reason})"
    if where.rejected is not None:
        rejected = where.rejected
        return f"{rejected.actor} rejected it in entry {rejected.number} ({rejected.reason}); train another"
    if where.decision.outcome is Outcome.NEEDS_APPROVAL and where.missing:
        return f"{judged}; `dermacare approve` it first"
    return judged
