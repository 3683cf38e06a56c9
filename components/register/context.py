"""What the register step is told of the run that it works for, and of the data that judges."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from pydantic import BaseModel, ConfigDict

from components.bundle import Description
from components.promotion.evidence import AuditCounts
from components.tracking import RunDetails

if TYPE_CHECKING:  # its package imports what the study is made with
    from components.leak_study.scores import LeakScores


class RunContext(BaseModel):
    """A pipeline run, as `register` writes it down; plain values, so that it can travel as JSON.

    Attributes:
        run_id: our id: `20261124-153012-a1b2`.
        profile: name of the profile, or empty.
        params: all parameters, flat: `train_unet.epochs` → `30`.
        commit: git commit of the code; None outside a clone.
        dirty: whether the code differed from that commit.
        step_keys: step (and model: `train_classifier/resnet50`) → key of its work.
        reused: model → our id of the earlier run that trained it.
        learned: model that was trained on from another → images that judge it and that the other learned from; None: not known.
        codes: step (and model) → digest of the code and the lock that it ran with.
        lock: SHA-256 of requirements.lock; empty where it is not known.
        dvc_revision: where DVC has the data (`components.provenance.tags`); empty where it does not.
    """

    model_config = ConfigDict(extra="forbid", frozen=True)

    run_id: str
    profile: str = ""
    params: Mapping[str, str] = {}
    commit: str | None = None
    dirty: bool = False
    step_keys: Mapping[str, str] = {}
    reused: Mapping[str, str] = {}
    learned: Mapping[str, int | None] = {}
    codes: Mapping[str, str] = {}
    lock: str = ""
    dvc_revision: str = ""

    def step_key(self, model: str) -> str:
        """Key of the step that trained a model; empty where it is not known."""
        return _of_model(self.step_keys, model)

    def code(self, model: str) -> str:
        """Digest of the code that trained a model; empty where it is not known."""
        return _of_model(self.codes, model)

    def details(self) -> RunDetails:
        """What MLflow is told of the run where its owner has not told already."""
        return RunDetails(self.run_id, self.run_id, "", self.params, {"dermacare.profile": self.profile})


def _of_model(by_step: Mapping[str, str], model: str) -> str:
    return next((value for step, value in by_step.items() if step.partition("/")[2] == model), "")


@dataclass(frozen=True)
class DataContext:
    """What is known of the data that judges, besides the dataset itself.

    Attributes:
        learned: how many images of test have a group that a model learned from; None: not known.
        validated: the same images as they came; None: they are not at hand.
        audit: what their audit found; None: not known.
        leak: the newest study of what a leak of these images would be worth; None: there is none.
    """

    learned: Callable[[Description], int | None]
    validated: Path | None = None
    audit: AuditCounts | None = None
    leak: "LeakScores | None" = None
