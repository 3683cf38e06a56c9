"""The ledger: every decision about what serves, in the order in which they were taken; written and read here alone.

It has a store of its own, since MLflow keeps no history of its aliases and anybody who may write there may move them: the home's
`ledger.db`, or the database that $DERMACARE_LEDGER names (PostgreSQL for a team, in a schema `dermacare` of its own). Its newest
entry is the truth about what serves. Nothing is ever changed: the database itself refuses it, and the chain of signed hashes tells
where somebody who has the rights to go round that did so (docs/security.md says whom that stops).
"""

import getpass
import socket
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime
from functools import cached_property

from pydantic import ValidationError
from sqlalchemy import Column, Engine, Integer, MetaData, String, Table, Text, insert, make_url, select
from sqlalchemy.exc import ArgumentError, IntegrityError, SQLAlchemyError

from components.append_only import SCHEMA, first_line, make_table, open_database, refuse_changes
from components.errors import LedgerError
from components.promotion.entries import Content, Entry, Release
from components.promotion.keys import SigningKey, fingerprint, own_key, verifies
from components.promotion.signers import Signers

_tables = MetaData()
_ledger = Table(
    "ledger",
    _tables,
    Column("number", Integer, primary_key=True, autoincrement=False),
    Column("time", String(32), nullable=False),
    Column("action", String(16), nullable=False),
    Column("hash", String(64), nullable=False, unique=True),
    Column("entry", Text, nullable=False),
    schema=SCHEMA,
)

refuse_changes(_ledger, "the ledger")


@dataclass(frozen=True)
class Problem:
    """What `verify` found wrong: which entry (None: none in particular), and a sentence without its full stop."""

    number: int | None
    sentence: str


class ReleaseLedger:
    """The ledger in a database.

    Args:
        url: its address, as SQLAlchemy writes it; its password is never shown.
        signer: what new entries are signed with; None: the user's own key, made when it is first needed.
    """

    def __init__(self, url: str, signer: SigningKey | None = None) -> None:
        self._given = url
        self._signer = signer

    @property
    def public_key(self) -> str:
        """Public half of the key that new entries are signed with, base64.

        Raises:
            LedgerError: as `own_key`.
        """
        return (self._signer or own_key()).public

    @property
    def url(self) -> str:
        """The address, without its password."""
        try:
            return make_url(self._given).render_as_string(hide_password=True)
        except ArgumentError as error:
            raise LedgerError(
                "DERMACARE_LEDGER: is no address of a database; write sqlite:////folder/ledger.db or "
                "postgresql+psycopg://user@host/database"
            ) from error

    def entries(self) -> list[Entry]:
        """All entries, the oldest first; empty where there is no ledger yet.

        Raises:
            LedgerError: the database does not answer, or an entry is not what was written.
        """
        with self._answering("reading"), self._engine.connect() as connection:
            rows = connection.execute(select(_ledger.c.number, _ledger.c.entry).order_by(_ledger.c.number)).all()
        return [self._parse(number, text) for number, text in rows]

    def newest(self) -> Entry | None:
        """The newest entry; None where there is none. Nothing else is read, however long the ledger is.

        Raises:
            LedgerError: as `entries`.
        """
        with self._answering("reading"), self._engine.connect() as connection:
            row = connection.execute(
                select(_ledger.c.number, _ledger.c.entry).order_by(_ledger.c.number.desc()).limit(1)
            ).one_or_none()
        return None if row is None else self._parse(*row)

    def append(self, content: Content, *, after: Entry | None) -> Entry:
        """Add an entry behind the newest, whole or not at all.

        Args:
            content: what it says.
            after: the entry that was the newest when `content` was thought of.

        Raises:
            LedgerError: another entry came in between, or the database does not answer.
        """
        key = self._signer or own_key()
        draft = Entry(
            **{name: getattr(content, name) for name in Content.model_fields},
            number=after.number + 1 if after else 1,
            time=datetime.now(UTC).isoformat(timespec="milliseconds"),
            actor=f"{getpass.getuser()}@{socket.gethostname()}",
            key=key.public,
            previous=after.hash if after else "",
        )
        digest = draft.digest()
        entry = draft.model_copy(update={"hash": digest, "signature": key.sign(digest)})
        with self._answering("writing"):
            self._write(entry)
        return entry

    def verify(self, heads: Mapping[str, str], signers: Signers) -> list[Problem]:
        """Look for edits, removals, and a tail that was cut off or written anew.

        Args:
            heads: where a head of the ledger was noted outside it → that head, as `Entry.head` is written.
            signers: who may sign.

        Returns:
            What is wrong, empty if nothing is.
        """
        with self._answering("reading"), self._engine.connect() as connection:
            rows = connection.execute(select(_ledger).order_by(_ledger.c.number)).all()
        problems: list[Problem] = []
        known: dict[int, str] = {}
        before, served = "", Release()
        for place, row in enumerate(rows, 1):
            try:
                entry = self._parse(row.number, row.entry)
            except LedgerError:
                problems.append(Problem(row.number, "is not what this program writes"))
                continue
            problems += _look_at(entry, place, before, row.hash)
            if not signers.trusts(entry, served):
                told = f"is signed by key {fingerprint(entry.key)}, which the policy does not list for an entry like this"
                problems.append(Problem(entry.number, told))
            known[entry.number] = before = entry.hash
            served = entry.release
        return problems + [_missing(where, head, known) for where, head in heads.items() if not _holds(head, known)]

    def _write(self, entry: Entry) -> None:
        row = {"number": entry.number, "time": entry.time, "action": entry.action.value, "hash": entry.hash}
        try:
            with self._engine.begin() as connection:
                connection.execute(insert(_ledger).values(**row, entry=entry.model_dump_json()))
        except IntegrityError as error:
            raise LedgerError(
                f"{self.url}: somebody else decided at the same moment; `dermacare history` tells what; run this command again "
                "if it still holds"
            ) from error
        except (SQLAlchemyError, OSError):
            with self._engine.connect() as connection:
                hashes = connection.execute(select(_ledger.c.hash).where(_ledger.c.number == entry.number)).scalars().all()
            if hashes != [entry.hash]:  # else the answer alone was lost
                raise

    def _parse(self, number: int, text: str) -> Entry:
        try:
            return Entry.model_validate_json(text)
        except ValidationError as error:
            raise LedgerError(
                f"{self.url}: entry {number} is not what this program writes ({error.errors()[0]['msg']}); "
                "`dermacare history --verify` tells what else was changed"
            ) from error

    @cached_property
    def _engine(self) -> Engine:
        """The database, with its table."""
        engine = open_database(self._given)
        make_table(engine, _ledger)
        return engine

    @contextmanager
    def _answering(self, purpose: str) -> Iterator[None]:
        address = self.url
        try:
            yield
        except (SQLAlchemyError, OSError) as error:
            raise LedgerError(
                f"{address}: {purpose} the ledger failed ({first_line(error)}); see that the database answers and can be written "
                "to, then run the same command again"
            ) from error


def _holds(head: str, known: Mapping[int, str]) -> bool:
    number, _, digest = head.partition(" ")
    return number.isdigit() and known.get(int(number)) == digest


def _missing(where: str, head: str, known: Mapping[int, str]) -> Problem:
    number, _, digest = head.partition(" ")
    if not number.isdigit():
        return Problem(None, f"{where} notes {head!r}, which is no head of a ledger")
    what = "is another one" if int(number) in known else "is gone"
    return Problem(int(number), f"{what}: {where} notes that its hash was {digest[:12]}…")


def _look_at(entry: Entry, place: int, before: str, column: str) -> Iterator[Problem]:
    if entry.number != place:
        yield Problem(entry.number, f"stands at place {place}: entries are missing before it")
    if entry.previous != before:
        yield Problem(entry.number, "does not follow the entry before it, which was changed or removed")
    if entry.digest() != entry.hash or column != entry.hash:
        yield Problem(entry.number, "was changed since it was signed")
    if not verifies(entry.key, entry.hash, entry.signature):
        yield Problem(entry.number, f"its signature is not by its key {fingerprint(entry.key)}")
