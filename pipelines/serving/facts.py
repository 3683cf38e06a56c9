"""What is known of a serving model, typed: `dermacare/api` answers with it, and the cache on disk keeps it."""

from datetime import datetime
from typing import Annotated

from pydantic import BaseModel, ConfigDict, Field

from components.lesions import Diagnosis

Digest = Annotated[str, Field(pattern="^[0-9a-f]{64}$", description="SHA-256, hexadecimal")]


class _Facts(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True)


class ModelRef(_Facts):
    """Which model answered: the registered version, its bundle's digest, the data that trained it; `phantom`: drawn images were
    among it, so that it says nothing about skin."""

    name: str
    version: int
    digest: Digest
    architecture: str
    data_version: Digest
    phantom: bool


class Figure(_Facts):
    """A figure on test images, its 95 % interval, and how many images gave it; None where it does not exist."""

    name: str
    value: float | None
    low: float | None
    high: float | None
    images: int


class DiagnosisFigure(_Facts):
    """How well a diagnosis is found: of `support` test images that show it, `sensitivity` were named so."""

    code: Diagnosis
    support: int
    sensitivity: float | None


class Confusion(_Facts):
    """Test images by true diagnosis (row) and answer (column), in the order of `codes`."""

    codes: list[Diagnosis]
    counts: list[list[int]]


class DecisionFacts(_Facts):
    """Why it serves: what was decided, by which policy, when, and by whom where a person approved."""

    outcome: str
    reason: str
    policy: str | None
    decided: datetime
    approved_by: list[str]


class TrainingData(_Facts):
    """The data that trained a model: how many images of each source and licence."""

    data_version: Digest
    images: int | None
    sources: list[str]
    licences: list[str]


class ModelFacts(_Facts):
    """A serving model: its card and its honest figures, from the registry. `figures`, `diagnoses` and `confusion` are empty or None
    where its evaluation could not be fetched, which `missing` then tells."""

    reference: ModelRef
    run_id: str
    parameters: int
    input_height: int
    input_width: int
    calibrated: bool
    refuses: bool
    card: Annotated[str, Field(description="Markdown")]
    figures: list[Figure]
    diagnoses: list[DiagnosisFigure]
    confusion: Confusion | None
    data: TrainingData
    decision: DecisionFacts | None
    limits: list[str]
    missing: str | None


class ServedRelease(_Facts):
    """A release as it was fetched.

    Attributes:
        entry, head: number and hash of the ledger's entry that lets it serve.
        since: when this pair began to serve.
        classifier, segmenter: its models; None: it has no such one.
    """

    entry: int
    head: Digest
    since: datetime
    classifier: ModelFacts | None
    segmenter: ModelFacts | None

    @property
    def label(self) -> str:
        """As people write it: `lesion-classifier/7 + lesion-segmenter/3`."""
        models = (self.classifier, self.segmenter)
        return " + ".join(f"{one.reference.name}/{one.reference.version}" for one in models if one is not None)

    @property
    def phantom(self) -> bool:
        """Whether drawn images trained one of its models."""
        return any(one.reference.phantom for one in (self.classifier, self.segmenter) if one is not None)
