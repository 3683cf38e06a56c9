"""A decision as reviewers see it in MLflow: tags and description of the version, tags and a table of the run."""

from collections.abc import Sequence

from components.promotion.entries import Comparison, Decision, Entry, Outcome, Verdict
from components.promotion.figures import NAMES, number, signed
from components.release import Release

DECISION = "decision"
LEDGER = "ledger"
POLICY = "policy"

_HEADINGS = {
    Outcome.PROMOTE: "version {number} is now in production",
    Outcome.SERVES: "version {number} stays in production",
    Outcome.NEEDS_APPROVAL: "version {number} needs approval",
    Outcome.REFUSE: "version {number} is refused",
}


def version_tags(decision: Decision, entry: Entry) -> dict[str, str]:
    """Tags of the version that was judged; it serving already says nothing new of its gates."""
    tags = {LEDGER: entry.head}
    if decision.outcome is Outcome.SERVES:
        return tags
    gates = {f"gate.{verdict.gate}": "holds" if verdict.holds else "does not hold" for verdict in decision.verdicts}
    return tags | {DECISION: decision.outcome.value, POLICY: f"{entry.policy} {entry.policy_digest[:12]}", **gates}


def run_tags(release: Release) -> dict[str, str]:
    """Tags of the run that was judged: `dermacare.decision.lesion-classifier` → `needs approval`."""
    return {f"dermacare.decision.{one.name}": one.outcome.value for one in release.judged} | {"dermacare.ledger": release.ledger}


def version_note(decision: Decision, policy: str) -> str:
    """Description of the version that was judged, Markdown; its first line is plain, since lists of versions show it as it is."""
    return "\n".join([f"{decision.outcome.value.capitalize()} (policy {policy}): {decision.reason}.", *gates(decision)])


def headline(decision: Decision) -> str:
    """What came of a model, without full stop."""
    return f"{decision.subject.name}: {_HEADINGS[decision.outcome].format(number=decision.subject.number)}"


def what_next(decision: Decision, serving: int | None) -> str:
    """What serves, and what a person may do about it; empty where nothing is open."""
    serves = "Nothing serves" if serving is None else f"Version {serving} serves"
    if decision.outcome is Outcome.NEEDS_APPROVAL:
        persons = "a person" if decision.approvals == 1 else f"{decision.approvals} persons"
        label = decision.subject.label
        return (
            f"{serves} until {persons} approves: `dermacare approve {label} --reason …`, or `dermacare reject {label} --reason …`."
        )
    return f"{serves}." if decision.outcome is Outcome.REFUSE else ""


def gates(decision: Decision) -> list[str]:
    """The gates as a table, those that do not hold first, and what the comparison found."""
    if not decision.verdicts:
        return []
    ranked = sorted(decision.verdicts, key=lambda verdict: verdict.holds)
    lines = ["", "| gate | | why |", "|---|---|---|", *(f"| {one.gate} | {_mark(one)} | {one.sentence} |" for one in ranked)]
    return [*lines, "", *_compared(decision.comparison)] if decision.comparison else lines


def _mark(verdict: Verdict) -> str:
    if verdict.holds:
        return "holds"
    return "does not hold; a person may approve" if verdict.approvable else "**does not hold**"


def _compared(comparison: Comparison) -> Sequence[str]:
    shown = [name for name in NAMES if name in comparison.differences]
    rows = [(NAMES[name], comparison.differences[name]) for name in shown]
    return [
        f"Against {comparison.champion.label} on the same {comparison.images:,} images of {comparison.groups:,} lesions:",
        "",
        "| | difference | 95 % interval |",
        "|---|---|---|",
        *(f"| {name} | {signed(one.value)} | {signed(one.low)} to {signed(one.high)} |" for name, one in rows),
        "",
        f"It alone is right on {comparison.gained:,} of them, the other alone on {comparison.lost:,} "
        f"(McNemar's exact test: p = {number(comparison.p_value)}).",
    ]
