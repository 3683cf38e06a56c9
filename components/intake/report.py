"""intake.json: what the checks say of a batch; written and read here alone."""

from pathlib import Path
from typing import Literal

from pydantic import BaseModel, ConfigDict, ValidationError

from components.errors import DatasetError
from components.files import write_text

FILE = "intake.json"


class _Values(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True)


class Checked(_Values):
    """What one check says; see `components.intake.finding.Finding`."""

    check: str
    refuses: bool
    sentence: str
    measures: dict[str, float]
    images: tuple[str, ...]


class Intake(_Values):
    """What came, and what the checks say of it.

    Attributes:
        before, after: data versions.
        new, relabelled, gone, kept: images; see `components.intake.batch.Batch`.
        findings: of every check that was asked.
    """

    schema_version: Literal[1] = 1
    before: str
    after: str
    new: int
    relabelled: int
    gone: int
    kept: int
    findings: tuple[Checked, ...]

    @property
    def refusals(self) -> list[Checked]:
        """The checks that refuse the batch."""
        return [one for one in self.findings if one.refuses]


def write_intake(folder: Path, intake: Intake) -> None:
    """Write intake.json; equal findings give equal bytes."""
    write_text(folder / FILE, intake.model_dump_json(indent=1) + "\n")


def read_intake(folder: Path) -> Intake:
    """Read intake.json.

    Raises:
        DatasetError: it is absent, or not what `write_intake` writes.
    """
    path = folder / FILE
    try:
        return Intake.model_validate_json(path.read_bytes())
    except (OSError, ValidationError) as error:
        raise DatasetError(f"{path}: cannot be read ({str(error).splitlines()[0]}); retrain again") from error
