"""From verdicts to an outcome."""

from collections.abc import Sequence

from components.promotion.entries import Decision, Outcome, Verdict
from components.promotion.evidence import Evidence
from components.promotion.gates import judge
from components.promotion.policy import Policy, TaskPolicy


def decide(evidence: Evidence, policy: Policy) -> Decision:
    """What the policy makes of a challenger.

    It is refused where a gate does not hold that nobody may answer for. It needs approval where one does not hold that somebody may
    answer for, or where the policy asks for persons anyway. Else it is promoted.
    """
    verdicts = judge(evidence, policy)
    broken = [verdict for verdict in verdicts if not verdict.holds]
    refused = [verdict for verdict in broken if not verdict.approvable]
    if refused:
        outcome, reason = Outcome.REFUSE, _list(refused)
    elif broken:
        outcome, reason = Outcome.NEEDS_APPROVAL, _list(broken)
    elif policy.approvals:
        outcome, reason = Outcome.NEEDS_APPROVAL, "every gate holds, and the policy asks for a person's approval"
    else:
        outcome, reason = Outcome.PROMOTE, "every gate holds"
    return Decision(
        task=evidence.task,
        subject=evidence.subject,
        outcome=outcome,
        reason=reason,
        figures={name: evidence.figures[name] for name in _named(policy.of(evidence.task)) if name in evidence.figures},
        verdicts=verdicts,
        champion=evidence.champion,
        comparison=evidence.comparison,
        approvals=max(1, policy.approvals) if outcome is Outcome.NEEDS_APPROVAL else 0,
    )


def _named(asked: TaskPolicy) -> list[str]:
    """The figures that a policy names, each once."""
    return list(dict.fromkeys([*([asked.figure] if asked.figure else []), *asked.gains, *asked.least]))


def _list(verdicts: Sequence[Verdict]) -> str:
    return "; ".join(f"{verdict.gate}: {verdict.sentence}" for verdict in verdicts)
