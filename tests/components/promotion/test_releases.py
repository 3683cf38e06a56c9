"""What follows from the ledger's entries."""

from collections.abc import Sequence

import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from components.lesions import Task
from components.promotion.entries import Action, Content, Entry, Outcome, Release
from components.promotion.keys import SigningKey
from components.promotion.ledger import ReleaseLedger
from components.promotion.releases import decisions_of, overtaken, release_before, serving, standing, version_before
from tests.components.promotion.records import decided, moved, release, version


@pytest.fixture
def write(database):
    def write(contents: Sequence[Content], signers: Sequence[SigningKey | None] = ()) -> list[Entry]:
        for place, content in enumerate(contents):
            one = ReleaseLedger(f"sqlite:///{database}", signers[place] if signers else None)
            one.append(content, after=one.newest())
        return ReleaseLedger(f"sqlite:///{database}").entries()

    return write


def test_the_newest_entry_says_what_serves(write):
    assert serving([]) == Release()
    entries = write([decided(1, Outcome.PROMOTE, release(1)), decided(2, Outcome.REFUSE, release(1))])
    assert serving(entries) == release(1)
    assert release_before(entries) is None


def test_rolling_back_twice_comes_back(write):
    entries = write([decided(1, Outcome.PROMOTE, release(1, 4)), decided(2, Outcome.PROMOTE, release(2, 5))])
    assert release_before(entries) == release(1, 4)
    entries = write([moved(Action.ROLLBACK, release(1, 4))])
    assert serving(entries) == release(1, 4)
    assert release_before(entries) == release(2, 5)


def test_the_version_before_is_told_for_each_task(write):
    entries = write([decided(1, Outcome.PROMOTE, release(1, 4)), decided(2, Outcome.PROMOTE, release(2, 4))])
    assert version_before(entries, Task.CLASSIFICATION) == version(1)
    assert version_before(entries, Task.SEGMENTATION) is None


def test_a_run_is_judged_once(write):
    entries = write([decided(1, Outcome.PROMOTE, release(1)), decided(2, Outcome.REFUSE, release(1))])
    assert decisions_of(entries, "run-1").number == 1
    assert decisions_of(entries, "run-3") is None


def test_a_version_that_waits_beside_another_than_serves_now_is_overtaken(write):
    waits = {"champion": 1, "approvals": 1}
    entries = write(
        [decided(1, Outcome.PROMOTE, release(1)), *(decided(n, Outcome.NEEDS_APPROVAL, release(1), **waits) for n in (2, 3))]
    )
    assert [overtaken(entries, f"run-{number}") for number in (1, 2, 3, 4)] == [[], [], [], []]
    entries = write([moved(Action.APPROVE, release(2), version(2))])
    assert [overtaken(entries, f"run-{number}") for number in (1, 2, 3)] == [[], [], [version(3)]]
    entries = write([moved(Action.REJECT, release(2), version(3))])
    assert overtaken(entries, "run-3") == []


class TestStanding:
    def test_a_version_that_was_never_judged_may_not_serve(self):
        where = standing([], version(1))
        assert (where.may_serve, where.is_pending) == (False, False)

    def test_promoted_and_refused(self, write):
        entries = write([decided(1, Outcome.PROMOTE, release(1)), decided(2, Outcome.REFUSE, release(1))])
        assert standing(entries, version(1)).may_serve
        assert not standing(entries, version(2)).may_serve

    def test_two_persons_must_approve_where_the_policy_says_so(self, write):
        keys = [None, SigningKey(Ed25519PrivateKey.generate()), None]
        approve = moved(Action.APPROVE, release(None), version(1))
        entries = write([decided(1, Outcome.NEEDS_APPROVAL, release(None), approvals=2), approve, approve], keys)
        for seen, missing in ((1, 2), (2, 1), (3, 0)):
            where = standing(entries[:seen], version(1))
            assert (where.missing, where.is_pending, where.may_serve) == (missing, missing > 0, missing == 0)

    def test_one_person_does_not_count_twice(self, write):
        approve = moved(Action.APPROVE, release(None), version(1))
        entries = write([decided(1, Outcome.NEEDS_APPROVAL, release(None), approvals=2), approve, approve])
        assert standing(entries, version(1)).missing == 1

    def test_rejected_is_neither_waiting_nor_let_through(self, write):
        content = [decided(1, Outcome.NEEDS_APPROVAL, release(None), approvals=1), moved(Action.REJECT, release(None), version(1))]
        where = standing(write(content), version(1))
        assert (where.is_pending, where.may_serve, where.rejected.number) == (False, False, 2)

    def test_judged_anew_counts_from_there(self, write):
        content = [
            decided(1, Outcome.NEEDS_APPROVAL, release(None), approvals=1),
            moved(Action.REJECT, release(None), version(1)),
            decided(1, Outcome.NEEDS_APPROVAL, release(None), approvals=1),
        ]
        assert standing(write(content), version(1)).is_pending

    def test_that_it_serves_already_takes_nothing_from_its_approval(self, write):
        content = [
            decided(1, Outcome.NEEDS_APPROVAL, release(None), approvals=1),
            moved(Action.APPROVE, release(1), version(1)),
            decided(1, Outcome.SERVES, release(1)),
        ]
        assert standing(write(content), version(1)).may_serve

    def test_what_served_before_there_was_a_ledger_may_serve_again(self, write):
        entries = write([moved(Action.ADOPT, release(1, 2)), decided(3, Outcome.PROMOTE, release(3, 2))])
        assert standing(entries, version(1)).may_serve
