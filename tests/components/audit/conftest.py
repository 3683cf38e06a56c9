"""What the tests of the audit share."""

from pathlib import Path

import pytest

from tests.components.audit.validated import Validated


@pytest.fixture
def validated(tmp_path: Path) -> Validated:
    """A sound folder of validate's: 6 lesions of each diagnosis, two images of each, to be changed."""
    return Validated(tmp_path / "validated")
