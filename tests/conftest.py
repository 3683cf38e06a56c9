"""Fixtures that every test may use."""

import os
from pathlib import Path

import pytest


@pytest.fixture(scope="session")
def real_data() -> Path:
    """Folder with the real data sets (`isic/`, `ham10000/`), from $DERMACARE_REAL_DATA."""
    place = os.environ.get("DERMACARE_REAL_DATA")
    if not place:
        pytest.skip("DERMACARE_REAL_DATA is not set: no real images to test with")
    return Path(place).resolve()
