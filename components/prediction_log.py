"""What was answered, when, by which models: appended and read here alone, so that an answer can be traced years later.

A row holds digests and results, and what was told of the patient; never pixels, a mask or a heat map. It lies in the home's
`predictions.db`, or in the database that $DERMACARE_PREDICTIONS names (PostgreSQL where several servers answer). One transaction a
row, synced to the disk before it counts: killed at any moment, a row is whole or absent. The database itself refuses changes; a
clinic that must delete old answers deletes the file or the table, or starts a new one, by its own rules.
"""

import os
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import datetime
from functools import cached_property
from pathlib import Path
from typing import Any

from pydantic import BaseModel, ConfigDict, ValidationError
from sqlalchemy import Column, Engine, MetaData, Table, Text, event, insert, literal, make_url, select
from sqlalchemy.exc import ArgumentError, SQLAlchemyError

from components.append_only import SCHEMA, first_line, is_sqlite, make_table, open_database, refuse_changes
from components.errors import StoreError

VARIABLE = "DERMACARE_PREDICTIONS"

_rows = Table(
    "predictions",
    MetaData(),
    Column("id", Text, primary_key=True),
    Column("created", Text, nullable=False),
    Column("record", Text, nullable=False),
    schema=SCHEMA,
)
refuse_changes(_rows, "the log")


class _Values(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True)


class LoggedModel(_Values):
    """A model that answered: the registered version, its bundle's digest, the data that trained it, our id of its run."""

    name: str
    version: int
    digest: str
    data_version: str
    run_id: str


class LoggedPrediction(_Values):
    """A row.

    Attributes:
        id: 32 hexadecimal digits.
        created: when, UTC.
        asked_by: who, as an identity proxy or the name of the key says; None: nobody was asked.
        image_sha256: of the bytes that were sent.
        width, height: of the image, upright.
        kept: whether the image was kept, by consent.
        age, sex, site: what was told of the patient.
        refused: whether the image was refused; the classifier's answer is then noted all the same, and was shown to nobody.
        strangeness: see `components.refusal`; None: nothing is refused.
        probabilities: by code; empty without a classifier.
        prediction_set: codes that could not be ruled out; None: the classifier gives no sets.
        malignancy: sum over malignant diagnoses; None without a classifier.
        area_share, asymmetry, border_irregularity: of the lesion; None: none was found.
        warnings: what made the answer worth less.
        entry, head: number and hash of the ledger's entry that let the models serve.
        classifier, segmenter: the models.
        phantom: whether drawn images trained one of them.
    """

    id: str
    created: datetime
    asked_by: str | None
    image_sha256: str
    width: int
    height: int
    kept: bool
    age: int | None
    sex: str | None
    site: str | None
    refused: bool
    strangeness: float | None
    probabilities: dict[str, float]
    prediction_set: list[str] | None
    malignancy: float | None
    area_share: float | None
    asymmetry: float | None
    border_irregularity: float | None
    warnings: list[str]
    entry: int
    head: str
    classifier: LoggedModel | None
    segmenter: LoggedModel | None
    phantom: bool


class PredictionLog:
    """The log in a database, for any number of threads, processes and machines.

    Args:
        url: its address, as SQLAlchemy writes it; its password is never shown. A file is made when it is first needed,
            readable by its owner alone.
    """

    def __init__(self, url: str) -> None:
        self._given = url

    @property
    def place(self) -> str:
        """The file, or the address without its password.

        Raises:
            StoreError: it is no address.
        """
        try:
            url = make_url(self._given)
        except ArgumentError as error:
            raise StoreError(f"{VARIABLE}: is no address of a database; write postgresql+psycopg://user@host/database") from error
        return str(self._file) if self._file else url.render_as_string(hide_password=True)

    def append(self, prediction: LoggedPrediction) -> None:
        """Add a row; when this returns, it is on the disk.

        Raises:
            StoreError: the database does not answer or does not let us, or has a row of this id.
        """
        row = {"id": prediction.id, "created": prediction.created.isoformat(), "record": prediction.model_dump_json()}
        with self._writing(), self._engine.begin() as connection:
            connection.execute(insert(_rows).values(row))

    def require_room(self) -> None:
        """See that rows can be appended, as far as can be told without appending one.

        Raises:
            StoreError: as `append`.
        """
        with self._writing(), self._engine.connect() as connection:
            connection.execute(select(literal(1)).select_from(_rows).limit(1))

    def find(self, prediction_id: str) -> LoggedPrediction | None:
        """The row of an id; None: there is none.

        Raises:
            StoreError: the database cannot be read.
        """
        place = self.place
        if self._file is not None and not self._file.exists():
            return None
        try:
            with self._engine.connect() as connection:
                record = connection.execute(select(_rows.c.record).where(_rows.c.id == prediction_id)).scalar()
            return None if record is None else LoggedPrediction.model_validate_json(record)
        except (SQLAlchemyError, OSError, ValidationError) as error:
            remedy = "bring a copy of it back" if self._file else "see that the database answers, and that its role may read"
            raise StoreError(f"{place}: cannot be read ({first_line(error)}); {remedy}") from error

    def close(self) -> None:
        """Let go of the database."""
        if "_engine" in self.__dict__:
            self._engine.dispose()

    @cached_property
    def _file(self) -> Path | None:
        """The file of SQLite; None: the log lies in a server."""
        return Path(make_url(self._given).database or "") if is_sqlite(self._given) else None

    @cached_property
    def _engine(self) -> Engine:
        """The database, with its table."""
        engine = open_database(self._given)
        if self._file is not None:
            os.close(os.open(self._file, os.O_RDWR | os.O_CREAT, 0o600))
            event.listen(engine, "connect", _sync)
        make_table(engine, _rows)
        return engine

    @contextmanager
    def _writing(self) -> Iterator[None]:
        place = self.place
        try:
            yield
        except (SQLAlchemyError, OSError) as error:
            remedy = "free space or permissions" if self._file else "see that the database answers, and that its role may insert"
            said = first_line(error)
            raise StoreError(
                f"{place}: the answer cannot be logged ({said}), so it is not given; {remedy}, then ask again"
            ) from error


def _sync(connection: Any, record: object) -> None:
    """Have SQLite write a row to the disk before it counts, and let others read meanwhile."""
    connection.execute("PRAGMA journal_mode = WAL")
    connection.execute("PRAGMA synchronous = FULL")
