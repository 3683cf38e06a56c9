"""The gates: each a function of its own file and a line here. What does not hold says why, with the figure and the limit.

A gate is given the evidence and the policy. It answers with (whether it holds, a sentence without its full stop), or with None
where the policy does not ask it.
"""

from collections.abc import Callable, Mapping

from components.promotion.entries import Verdict
from components.promotion.evidence import Evidence
from components.promotion.gates.audit import audit
from components.promotion.gates.calibration import calibration
from components.promotion.gates.code import code
from components.promotion.gates.comparison import comparison
from components.promotion.gates.data import data
from components.promotion.gates.drop import drop
from components.promotion.gates.latency import latency
from components.promotion.gates.least import least
from components.promotion.gates.melanoma import melanoma
from components.promotion.gates.official import official
from components.promotion.gates.phantom import phantom
from components.promotion.gates.size import size
from components.promotion.gates.slices import slices
from components.promotion.policy import Policy

Gate = Callable[[Evidence, Policy], tuple[bool, str] | None]

GATES: Mapping[str, Gate] = {
    "phantom": phantom,
    "data": data,
    "audit": audit,
    "code": code,
    "official": official,
    "least": least,
    "melanoma": melanoma,
    "calibration": calibration,
    "comparison": comparison,
    "drop": drop,
    "slices": slices,
    "size": size,
    "latency": latency,
}
"""Name → gate, in the order in which a reviewer reads them."""


def judge(evidence: Evidence, policy: Policy) -> tuple[Verdict, ...]:
    """What every gate that the policy asks says of a challenger."""
    answers = {name: gate(evidence, policy) for name, gate in GATES.items()}
    return tuple(
        Verdict(gate=name, holds=answer[0], sentence=answer[1], approvable=name in policy.approvable)
        for name, answer in answers.items()
        if answer is not None
    )
