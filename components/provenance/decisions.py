"""What the ledger says of a version."""

from collections.abc import Iterator, Sequence

from components.promotion.entries import Action, Entry, Version
from components.promotion.keys import fingerprint
from components.promotion.releases import serving, standing
from components.provenance.chain import Act, Decisions


def find_decisions(entries: Sequence[Entry], label: str) -> tuple[Decisions, str | None]:
    """What was made of a version.

    Args:
        entries: the whole ledger.
        label: `lesion-classifier/7`.

    Returns:
        The decisions, and the digest of the bundle that they are about; None where no entry names the version.
    """
    version = next((one for entry in reversed(entries) for one in _named(entry) if one.label == label), None)
    if version is None:
        return Decisions(outcome=None, policy=None), None
    where, now = standing(entries, version), serving(entries)
    judged = where.decision
    acts = tuple(_acts(entries, version))
    found = Decisions(
        outcome=judged.outcome.value if judged else None,
        policy=f"{where.entry.policy}, SHA-256 {where.entry.policy_digest}" if where.entry and where.entry.policy else None,
        gates=judged.verdicts if judged else (),
        approvals=judged.approvals if judged else 0,
        approvers=tuple(_signer(entry) for entry in _approvals(entries, version, where.entry)),
        serves=version in (now.classifier, now.segmenter),
        acts=acts,
    )
    return found, version.digest


def _named(entry: Entry) -> Iterator[Version]:
    """Every version that an entry names."""
    release = entry.release
    for one in (entry.subject, *(decision.subject for decision in entry.decisions), release.classifier, release.segmenter):
        if one is not None:
            yield one


def _approvals(entries: Sequence[Entry], version: Version, judged: Entry | None) -> list[Entry]:
    """Who approved it since it was judged last."""
    since = judged.number if judged else 0
    return [one for one in entries if one.action is Action.APPROVE and one.subject == version and one.number > since]


def _acts(entries: Sequence[Entry], version: Version) -> Iterator[Act]:
    served = False
    for entry in entries:
        serves = version in (entry.release.classifier, entry.release.segmenter)
        moved = "" if serves == served else "serves from here on" if serves else "serves no more"
        judged = next((decision for decision in entry.decisions if decision.subject == version), None)
        what = f"judged: {judged.outcome.value}" if judged else entry.action.value if entry.subject == version else ""
        if what or moved:
            reason = judged.reason if judged else entry.reason
            yield _act(entry, "; ".join(filter(None, [what, moved])), reason)
        served = serves


def _act(entry: Entry, what: str, reason: str) -> Act:
    key = fingerprint(entry.key)
    return Act(number=entry.number, hash=entry.hash, time=entry.time, actor=entry.actor, key=key, what=what, reason=reason)


def _signer(entry: Entry) -> str:
    return f"{entry.actor}, key {fingerprint(entry.key)}, entry {entry.number}: {entry.reason}"
