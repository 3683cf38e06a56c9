"""What is asked of a model before it serves, typed: mlflow/promotion.yaml; read by `components.promotion.reading`."""

import difflib
from typing import Annotated, Literal

from pydantic import BaseModel, ConfigDict, Field

from components.errors import ParamsError
from components.lesions import Task
from components.promotion.signers import Signers

FILE = "mlflow/promotion.yaml"

Share = Annotated[float, Field(ge=0, le=1)]
Severity = Literal["critical", "high", "medium", "low"]


class _Section(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True)


class TaskPolicy(_Section):
    """What is asked of the models of one task. A limit that is null is not asked."""

    figure: str | None = Field(description="figure of test by which challenger and champion are compared; null: they are not")
    margin: Share = Field(description="how much worse than the champion still counts as not worse")
    gains: tuple[str, ...] = Field(description="figures of which one must be better where the model is only not worse")
    least: dict[str, Share] = Field(description="figure of test -> what the lower end of its 95 % interval must reach")
    largest_drop: Share | None = Field(description="most that the sensitivity of a diagnosis may fall below the champion's")
    melanoma_sensitivity: Share | None = Field(description="what the lower end of the sensitivity for melanoma must reach")
    slice_gap: Share | None = Field(description="most that the lower end of the largest gap between a slice and its rest may be")
    calibration_error: Share | None = Field(description="largest expected calibration error on test")
    official_difference: Share | None = Field(description="largest difference from the official ISIC scorer")


class Policy(_Section):
    """Everything that is asked before a model serves."""

    approvals: int = Field(ge=0, le=9, description="persons who must approve a model that holds every gate; 0: it serves at once")
    approvable: tuple[str, ...] = Field(description="gates that persons may let a model pass although it does not hold them")
    phantom: bool = Field(description="whether models that learned from drawn images may serve")
    clean_code: bool = Field(description="whether the code must be a commit, without changes")
    audit: Severity | None = Field(description="findings of the data's audit as bad as this, or worse, refuse; null: none does")
    megabytes: float | None = Field(gt=0, description="largest size of a model's files")
    milliseconds: float | None = Field(gt=0, description="longest prediction of one image, median, on the machine that registers")
    classifier: TaskPolicy
    segmenter: TaskPolicy

    def of(self, task: Task) -> TaskPolicy:
        """What is asked of the models of a task."""
        return self.classifier if task is Task.CLASSIFICATION else self.segmenter


class Promotion(_Section):
    """The whole file.

    Attributes:
        digest: SHA-256 of its text.
    """

    version: Literal[1]
    signers: Signers = Field(description="name -> key of everybody whose signature counts; empty: everybody's")
    policies: dict[str, Policy]
    digest: str = ""

    def policy(self, name: str) -> Policy:
        """The policy of this name.

        Raises:
            ParamsError: there is none.
        """
        if name not in self.policies:
            near = difflib.get_close_matches(name, self.policies, n=1)
            hint = f"; did you mean {near[0]}?" if near else ""
            raise ParamsError(f"register.policy: {FILE} has no policy {name}; it has {', '.join(self.policies)}{hint}")
        return self.policies[name]
