"""What was answered, when, by which models: appended and read here alone, so that an answer can be traced years later.

A row holds digests and results, and what was told of the patient; never pixels, a mask or a heat map. SQLite, one transaction a
row, synced to the disk before it counts: killed at any moment, a row is whole or absent. The database itself refuses changes; a
clinic that must delete old answers deletes the file, or starts a new one, by its own rules.
"""

import os
import sqlite3
import threading
from datetime import datetime
from pathlib import Path

from pydantic import BaseModel, ConfigDict, ValidationError

from components.errors import StoreError

_SCHEMA = """
CREATE TABLE IF NOT EXISTS predictions (id TEXT PRIMARY KEY, created TEXT NOT NULL, record TEXT NOT NULL);
CREATE TRIGGER IF NOT EXISTS predictions_update BEFORE UPDATE ON predictions
    BEGIN SELECT RAISE(ABORT, 'the log is append-only'); END;
CREATE TRIGGER IF NOT EXISTS predictions_delete BEFORE DELETE ON predictions
    BEGIN SELECT RAISE(ABORT, 'the log is append-only'); END;
"""


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
    """The log in a file, for any number of threads and processes.

    Args:
        path: the database; made when the first row is appended, readable by its owner alone.
    """

    def __init__(self, path: Path) -> None:
        self._path = path
        self._lock = threading.Lock()
        self._connection: sqlite3.Connection | None = None

    def append(self, prediction: LoggedPrediction) -> None:
        """Add a row; when this returns, it is on the disk.

        Raises:
            StoreError: the file cannot be written, or has a row of this id.
        """
        row = (prediction.id, prediction.created.isoformat(), prediction.model_dump_json())
        try:
            with self._lock, self._open() as connection:
                connection.execute("INSERT INTO predictions VALUES (?, ?, ?)", row)
        except (sqlite3.Error, OSError) as error:
            remedy = "so it is not given; free space or permissions, then ask again"
            raise StoreError(f"{self._path}: the answer cannot be logged ({error}), {remedy}") from error

    def find(self, prediction_id: str) -> LoggedPrediction | None:
        """The row of an id; None: there is none.

        Raises:
            StoreError: the file cannot be read.
        """
        if not self._path.exists():
            return None
        try:
            with self._lock, self._open() as connection:
                row = connection.execute("SELECT record FROM predictions WHERE id = ?", (prediction_id,)).fetchone()
            return None if row is None else LoggedPrediction.model_validate_json(row[0])
        except (sqlite3.Error, OSError, ValidationError) as error:
            raise StoreError(f"{self._path}: cannot be read ({str(error).splitlines()[0]}); bring a copy of it back") from error

    def close(self) -> None:
        """Let go of the file."""
        with self._lock:
            if self._connection is not None:
                self._connection.close()
                self._connection = None

    def _open(self) -> sqlite3.Connection:
        if self._connection is None:
            self._path.parent.mkdir(parents=True, exist_ok=True)
            os.close(os.open(self._path, os.O_RDWR | os.O_CREAT, 0o600))
            connection = sqlite3.connect(self._path, timeout=30, check_same_thread=False)
            connection.execute("PRAGMA journal_mode = WAL")
            connection.execute("PRAGMA synchronous = FULL")
            connection.executescript(_SCHEMA)
            self._connection = connection
        return self._connection
