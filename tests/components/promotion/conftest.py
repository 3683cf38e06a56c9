"""A ledger of a test's own, in SQLite; the same tests run on PostgreSQL where it is."""

from pathlib import Path

import pytest

from components.promotion.keys import VARIABLE
from components.promotion.ledger import ReleaseLedger


@pytest.fixture(autouse=True)
def own_key_file(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A key of the test's own."""
    monkeypatch.setenv(VARIABLE, str(tmp_path / "keys" / "signing.key"))
    return tmp_path / "keys" / "signing.key"


@pytest.fixture
def database(tmp_path: Path) -> Path:
    return tmp_path / "home" / "ledger.db"


@pytest.fixture
def ledger(database: Path) -> ReleaseLedger:
    return ReleaseLedger(f"sqlite:///{database}")
