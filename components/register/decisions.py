"""How often a test set has been judged on: each look at it, followed by a choice, wears it out a little."""

from components.tracking import RUN_ID, TEST_SET, Ledger

WORN_AFTER = 20
"""Decisions after which a test set is called worn. A convention: what best-of-k gains by chance grows with k slowly, and without an
end (Dwork 2015, The reusable holdout; Blum and Hardt 2015, The ladder)."""


def count_decisions(ledger: Ledger, test_set: str) -> int:
    """Pipeline runs that published models which were judged on this test set; of all experiments of this MLflow.

    Each of them chose what goes to production, and who began the next one had seen its figures. Runs from before the tag
    `dermacare.test_set` are not known.

    Raises:
        MLflow's own errors: see `Ledger.answering`.
    """
    return len({run.data.tags[RUN_ID] for run in ledger.search_everywhere(f"tags.`{TEST_SET}` = '{test_set}'")})


def wear(decisions: int) -> str:
    """What to know of a test set that took so many decisions, one sentence or two without the last full stop."""
    taken = f"this test set has taken {decisions:,} decision{'' if decisions == 1 else 's'}"
    if decisions <= WORN_AFTER:
        return taken
    return (
        f"{taken}, more than {WORN_AFTER}: part of what is better on it was chosen by it (Dwork 2015; Blum and Hardt 2015). Take a "
        "difference that is near the edge of its interval for none, and judge the next release on images that no run has seen"
    )
