"""The ledger of a team, in a real PostgreSQL: the same promises as in SQLite."""

import psycopg
import pytest

from components.errors import LedgerError
from components.promotion.entries import Action, Outcome
from components.promotion.ledger import ReleaseLedger
from components.promotion.signers import Signers
from tests.components.promotion.records import decided, moved, release


def test_entries_are_chained_and_verified(url):
    ledger = ReleaseLedger(url)
    assert ledger.entries() == []
    first = ledger.append(decided(1, Outcome.PROMOTE, release(1)), after=None)
    second = ledger.append(moved(Action.ROLLBACK, release(2)), after=first)
    assert ReleaseLedger(url).entries() == [first, second]
    assert ReleaseLedger(url).newest() == second
    assert ledger.verify({"somewhere": second.head}, Signers({})) == []


def test_of_two_that_decide_at_once_the_second_is_told(url):
    ReleaseLedger(url).append(decided(1, Outcome.PROMOTE, release(1)), after=None)
    with pytest.raises(LedgerError, match="somebody else decided at the same moment"):
        ReleaseLedger(url).append(decided(2, Outcome.PROMOTE, release(2)), after=None)


def test_the_database_itself_refuses_changes(url, server):
    ReleaseLedger(url).append(decided(1, Outcome.PROMOTE, release(1)), after=None)
    name = url.rpartition("/")[2]
    for statement in ("update dermacare.ledger set time = ''", "delete from dermacare.ledger", "truncate dermacare.ledger"):
        with pytest.raises(psycopg.errors.RaiseException, match="the ledger is append-only"):
            server.query(name, statement)
    assert server.query(name, "select count(*) from dermacare.ledger") == [(1,)]


def test_who_may_only_read_and_add_can_do_both_and_nothing_else(url, server):
    ledger = ReleaseLedger(url)
    first = ledger.append(decided(1, Outcome.PROMOTE, release(1)), after=None)
    name = url.rpartition("/")[2]
    server.query(name, f"create role {name} login password 'only-adds'")
    server.query(name, f"grant usage on schema dermacare to {name}")
    server.query(name, f"grant select, insert on dermacare.ledger to {name}")
    engineer = ReleaseLedger(url.replace("mlflow:tester-password", f"{name}:only-adds"))
    engineer.append(moved(Action.ROLLBACK, release(2)), after=first)
    assert [entry.number for entry in engineer.entries()] == [1, 2]


def test_a_server_that_dies_is_an_error_that_hides_the_password(url, server):
    ledger = ReleaseLedger(url)
    first = ledger.append(decided(1, Outcome.PROMOTE, release(1)), after=None)
    server.kill()
    try:
        with pytest.raises(LedgerError, match="reading the ledger failed") as caught:
            ledger.entries()
        assert "tester-password" not in str(caught.value)
    finally:
        server.start()
    assert ReleaseLedger(url).entries() == [first]
