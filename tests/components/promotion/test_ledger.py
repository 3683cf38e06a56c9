"""Entries are chained and signed; whatever somebody does to them afterwards is found."""

import json
import sqlite3
import subprocess
import sys
from contextlib import contextmanager
from pathlib import Path

import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from components.errors import LedgerError
from components.promotion.entries import Action, Entry, Outcome, Release
from components.promotion.keys import SigningKey, own_key
from components.promotion.ledger import ReleaseLedger
from components.promotion.signers import Signers
from tests.components.promotion.records import decided, moved, release

EVERYBODY = Signers({})


@pytest.fixture
def filled(ledger: ReleaseLedger) -> ReleaseLedger:
    """Four entries."""
    first = ledger.append(decided(1, Outcome.PROMOTE, release(1)), after=None)
    second = ledger.append(decided(2, Outcome.REFUSE, release(1)), after=first)
    third = ledger.append(decided(3, Outcome.PROMOTE, release(3)), after=second)
    ledger.append(moved(Action.ROLLBACK, release(1)), after=third)
    return ledger


def tamper(database: Path, *statements: str) -> None:
    """What somebody may do who owns the file: the triggers go first."""
    with sqlite3.connect(database) as connection:
        for name in ("ledger_update", "ledger_delete"):
            connection.execute(f"DROP TRIGGER {name}")
        for statement in statements:
            connection.execute(statement)


def rewritten(ledger: ReleaseLedger, place: int, change: dict[str, object], *, forge: bool = False) -> str:
    """SQL that changes an entry; `forge`: with a hash that fits."""
    entry = ledger.entries()[place].model_copy(update=change)
    if forge:
        entry = entry.model_copy(update={"hash": entry.digest()})
    text = entry.model_dump_json().replace("'", "''")
    return f"UPDATE ledger SET entry = '{text}', hash = '{entry.hash}' WHERE number = {entry.number}"


class TestAppending:
    def test_an_entry_comes_back_as_it_was_written(self, filled):
        first, second, third, fourth = filled.entries()
        assert [entry.number for entry in filled.entries()] == [1, 2, 3, 4]
        assert (first.previous, second.previous, fourth.previous) == ("", first.hash, third.hash)
        assert filled.newest() == fourth
        assert fourth.release == release(1)
        assert fourth.key == own_key().public
        assert "@" in fourth.actor

    def test_a_ledger_that_was_never_written_is_empty(self, ledger):
        assert ledger.entries() == []
        assert ledger.newest() is None
        assert ledger.verify({}, EVERYBODY) == []

    def test_of_two_that_decide_at_once_the_second_is_told(self, filled):
        newest = filled.newest()
        filled.append(moved(Action.ROLLBACK, release(3)), after=newest)
        with pytest.raises(LedgerError, match="somebody else decided at the same moment; `dermacare history` tells what; run this"):
            filled.append(moved(Action.ROLLBACK, release(2)), after=newest)
        assert filled.newest().release == release(3)

    def test_many_processes_append_and_every_entry_has_its_place(self, filled, database):
        script = (
            "import sys; from components.errors import LedgerError; from components.promotion.ledger import ReleaseLedger;"
            "from tests.components.promotion.records import moved, release; from components.promotion.entries import Action\n"
            "ledger = ReleaseLedger(sys.argv[1]); done = 0\n"
            "while done < 5:\n"
            "    try:\n        ledger.append(moved(Action.ROLLBACK, release(done)), after=ledger.newest()); done += 1\n"
            "    except LedgerError as error:\n        assert 'same moment' in str(error), error\n"
        )
        command = [sys.executable, "-c", script, f"sqlite:///{database}"]
        writers = [subprocess.Popen(command) for _ in range(3)]
        assert [writer.wait(120) for writer in writers] == [0, 0, 0]
        assert [entry.number for entry in filled.entries()] == list(range(1, 20))
        assert filled.verify({}, EVERYBODY) == []

    def test_a_database_that_cannot_be_written_is_named_without_its_password(self):
        ledger = ReleaseLedger("postgresql+psycopg://user:secret@127.0.0.1:1/ledger")
        with pytest.raises(
            LedgerError, match=r"postgresql\+psycopg://user:\*\*\*@127.0.0.1:1/ledger: reading the ledger failed"
        ) as caught:
            ledger.entries()
        assert "secret" not in str(caught.value)

    def test_an_address_that_is_none_is_explained(self):
        with pytest.raises(LedgerError, match="DERMACARE_LEDGER: is no address of a database"):
            ReleaseLedger("no address").entries()


class TestTampering:
    def test_the_database_itself_refuses_changes(self, filled, database):
        with sqlite3.connect(database) as connection:
            for statement in ("UPDATE ledger SET time = ''", "DELETE FROM ledger"):
                with pytest.raises(sqlite3.IntegrityError, match="append-only"):
                    connection.execute(statement)

    def test_nothing_done_is_nothing_found(self, filled):
        heads = {"somewhere": filled.entries()[1].head}
        assert filled.verify(heads, Signers.model_validate({"me": own_key().public})) == []

    def test_an_edit_is_found(self, filled, database):
        tamper(database, rewritten(filled, 1, {"reason": "it was better"}))
        assert [(one.number, one.sentence) for one in filled.verify({}, EVERYBODY)] == [(2, "was changed since it was signed")]

    def test_an_edit_with_a_hash_that_fits_is_found_by_its_signature_and_its_successor(self, filled, database):
        tamper(database, rewritten(filled, 1, {"release": Release()}, forge=True))
        found = [(one.number, one.sentence) for one in filled.verify({}, EVERYBODY)]
        assert found[0][0] == 2
        assert found[0][1].startswith("its signature is not by its key")
        assert found[1] == (3, "does not follow the entry before it, which was changed or removed")

    def test_a_removal_from_the_middle_is_found(self, filled, database):
        tamper(database, "DELETE FROM ledger WHERE number = 2")
        found = [one.sentence for one in filled.verify({}, EVERYBODY)]
        assert "stands at place 2: entries are missing before it" in found

    def test_a_tail_that_was_cut_off_is_found_by_what_was_noted_elsewhere(self, filled, database):
        head = filled.newest().head
        tamper(database, "DELETE FROM ledger WHERE number = 4")
        assert filled.verify({}, EVERYBODY) == [], "the chain alone cannot tell"
        (problem,) = filled.verify({"lesion-classifier/1 in MLflow": head}, EVERYBODY)
        assert problem.number == 4
        assert problem.sentence.startswith("is gone: lesion-classifier/1 in MLflow notes that its hash was")

    def test_a_tail_that_was_written_anew_is_found(self, filled, database):
        head = filled.newest().head
        tamper(database, "DELETE FROM ledger WHERE number = 4")
        filled.append(moved(Action.ROLLBACK, release(2)), after=filled.newest())
        assert filled.verify({}, EVERYBODY) == []
        (problem,) = filled.verify({"run r1 in MLflow": head}, EVERYBODY)
        assert problem.sentence.startswith("is another one: run r1 in MLflow notes")

    def test_a_signature_that_the_policy_does_not_list_is_found(self, filled, database):
        stranger = ReleaseLedger(f"sqlite:///{database}", SigningKey(Ed25519PrivateKey.generate()))
        stranger.append(moved(Action.ROLLBACK, release(3)), after=filled.newest())
        assert filled.verify({}, EVERYBODY) == []
        (problem,) = filled.verify({}, Signers.model_validate({"me": own_key().public}))
        assert (problem.number, problem.sentence.endswith("which the policy does not list for an entry like this")) == (5, True)

    def test_a_key_that_was_taken_out_of_use_counts_for_what_it_signed_before(self, filled, database):
        mine = own_key().public
        assert filled.verify({}, Signers.model_validate({"carl": {"key": mine, "until": 4}})) == []
        (problem,) = filled.verify({}, Signers.model_validate({"carl": {"key": mine, "until": 3}}))
        assert problem.number == 4

    def test_a_key_that_may_only_judge_cannot_decide(self, filled):
        signers = Signers.model_validate({"pipeline": {"key": own_key().public, "may": "judge"}})
        assert [problem.number for problem in filled.verify({}, signers)] == [1, 3, 4], "all but the one that let serve what served"
        assert not signers.decides(own_key().public)
        signers.require(own_key().public, Action.DECIDE)
        with pytest.raises(LedgerError, match="judge runs, no more; somebody who may decide must do this"):
            signers.require(own_key().public, Action.ROLLBACK)

    def test_an_entry_whose_answer_was_lost_is_not_written_twice(self, filled, monkeypatch):
        """The connection breaks when the database has committed: what a server that dies then does."""
        from sqlalchemy import Engine
        from sqlalchemy.exc import OperationalError

        real = Engine.begin

        @contextmanager
        def dies(engine):
            with real(engine) as connection:
                yield connection
            raise OperationalError("commit", {}, OSError("connection lost"))

        after = filled.newest()
        monkeypatch.setattr(Engine, "begin", dies)
        entry = filled.append(moved(Action.ROLLBACK, release(3)), after=after)
        assert filled.newest() == entry

    def test_an_entry_that_is_no_entry_is_found_and_the_rest_looked_at(self, filled, database):
        tamper(database, "UPDATE ledger SET entry = '{}' WHERE number = 2")
        found = filled.verify({}, EVERYBODY)
        assert (found[0].number, found[0].sentence) == (2, "is not what this program writes")
        with pytest.raises(LedgerError, match="entry 2 is not what this program writes"):
            filled.entries()

    @pytest.mark.parametrize(
        "field", ["number", "time", "actor", "action", "reason", "release", "policy", "previous", "key", "dirty"]
    )
    def test_every_field_is_under_the_hash(self, filled, field):
        entry = filled.entries()[2]
        other = {**json.loads(entry.model_dump_json()), field: filled.entries()[3].model_dump(mode="json")[field]}
        if other[field] == json.loads(entry.model_dump_json())[field]:
            other[field] = {"dirty": True, "action": "adopt"}.get(field, "another")
        assert Entry.model_validate(other).digest() != entry.hash


class TestKeys:
    def test_the_key_is_for_the_users_eyes_alone(self, own_key_file):
        own_key()
        assert own_key_file.stat().st_mode & 0o077 == 0

    def test_it_is_made_once(self):
        assert own_key().public == own_key().public

    def test_a_file_that_is_no_key_is_named(self, own_key_file):
        own_key_file.parent.mkdir()
        own_key_file.write_text("hello")
        with pytest.raises(
            LedgerError, match=r"signing.key: is no key to sign with .*; name another file in DERMACARE_SIGNING_KEY"
        ):
            own_key()
