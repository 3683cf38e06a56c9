"""What a run put into production, typed; `release.json` is written and read here alone."""

from pathlib import Path
from typing import Literal

from pydantic import BaseModel, ConfigDict, ValidationError

from components.errors import TrackingError
from components.files import write_text

RELEASE_FILE = "release.json"


class _Values(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True)


class Promoted(_Values):
    """A model version behind alias `production`.

    Attributes:
        name: the registered model: `lesion-classifier` or `lesion-segmenter`.
        version: its version.
        model: the run's model that it is: `resnet101`.
        reason: why it is in production, one sentence.
        moved: whether the alias moved to it in this run; else it was there already.
        previous: the version behind alias `previous`, if there is one.
        metric: the figure that chose.
        validation, test: that figure on both splits; None where it does not exist.
        phantom: whether it was trained on drawn images.
    """

    name: str
    version: int
    model: str
    reason: str
    moved: bool
    previous: int | None
    metric: str
    validation: float | None
    test: float | None
    phantom: bool


class Release(_Values):
    """What `register` did; a task without models has None."""

    schema_version: Literal[1] = 1
    run_id: str
    classifier: Promoted | None
    segmenter: Promoted | None


def write_release(folder: Path, release: Release) -> None:
    """Write `release.json` into the register step's output."""
    write_text(folder / RELEASE_FILE, release.model_dump_json(indent=2) + "\n")


def read_release(folder: Path) -> Release:
    """Read `release.json` of the register step's output.

    Raises:
        TrackingError: it is absent, or not what `write_release` writes.
    """
    path = folder / RELEASE_FILE
    try:
        return Release.model_validate_json(path.read_bytes())
    except (OSError, ValidationError) as error:
        raise TrackingError(f"{path}: cannot be read ({str(error).splitlines()[0]}); run the register step again") from error
