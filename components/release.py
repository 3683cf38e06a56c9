"""What was made of a run's best models, typed; `release.json` is written and read here alone."""

from pathlib import Path
from typing import Literal

from pydantic import BaseModel, ConfigDict, ValidationError

from components.errors import TrackingError
from components.files import write_text
from components.promotion.entries import Outcome, Verdict

RELEASE_FILE = "release.json"


class _Values(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True)


class Judged(_Values):
    """The best model of a task, and what the policy made of it.

    Attributes:
        name: the registered model: `lesion-classifier` or `lesion-segmenter`.
        version: its version.
        model: the run's model that it is: `resnet101`.
        chosen: why it is the best of the run, one sentence.
        outcome: what was made of it.
        reason: why, without full stop.
        verdicts: of every gate.
        serving: the version that serves after the run; None: none does.
        previous: the version that served before that one; None: none did.
        metric: the figure that chose.
        validation, test: that figure on both splits; None where it does not exist.
        phantom: whether it was trained on drawn images.
    """

    name: str
    version: int
    model: str
    chosen: str
    outcome: Outcome
    reason: str
    verdicts: tuple[Verdict, ...]
    serving: int | None
    previous: int | None
    metric: str
    validation: float | None
    test: float | None
    phantom: bool

    @property
    def serves(self) -> bool:
        """Whether it serves."""
        return self.serving == self.version


class Release(_Values):
    """What `register` did; a task without models has None.

    Attributes:
        run_id: our id of the run.
        policy: the policy that judged.
        ledger: number and hash of the ledger's entry.
    """

    schema_version: Literal[2] = 2
    run_id: str
    policy: str
    ledger: str
    classifier: Judged | None
    segmenter: Judged | None

    @property
    def judged(self) -> list[Judged]:
        """The models, of one task or of both."""
        return [one for one in (self.classifier, self.segmenter) if one is not None]


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
