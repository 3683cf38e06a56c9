"""What the ledger holds, typed: an entry a decision, each chained to the one before by its hash and signed.

The hash is SHA-256 over the canonical JSON (sorted keys, no spaces, UTF-8) of all the entry's fields but `hash` and `signature`.
One of them is the hash of the entry before: no entry can be changed, removed or moved without every later hash changing.
"""

import hashlib
import json
from enum import StrEnum
from typing import Literal

from pydantic import BaseModel, ConfigDict

from components.lesions import Task
from components.scores import Difference


class _Values(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True)


class Version(_Values):
    """A version of a registered model, and which bundle it must be.

    Attributes:
        name: of the registered model: `lesion-classifier`.
        number: of the version.
        digest: see `components.bundle.bundle_digest`.
        run_id: our id of the run that it comes from.
        model: the model's name in that run: `resnet101`.
    """

    name: str
    number: int
    digest: str
    run_id: str
    model: str

    @property
    def label(self) -> str:
        """As people write it: `lesion-classifier/7`."""
        return f"{self.name}/{self.number}"


class Release(_Values):
    """What serves: a classifier and a segmenter; None where there is none."""

    classifier: Version | None = None
    segmenter: Version | None = None

    def of(self, task: Task) -> Version | None:
        """The version that serves a task."""
        return self.classifier if task is Task.CLASSIFICATION else self.segmenter

    def having(self, task: Task, version: Version | None) -> "Release":
        """The same, with another version for a task."""
        return self.model_copy(update={"classifier" if task is Task.CLASSIFICATION else "segmenter": version})

    @property
    def label(self) -> str:
        """As people write it: `lesion-classifier/7 + lesion-segmenter/3`."""
        return " + ".join(one.label for one in (self.classifier, self.segmenter) if one is not None) or "nothing"


class Outcome(StrEnum):
    """What the policy makes of a model."""

    PROMOTE = "promote"
    NEEDS_APPROVAL = "needs approval"
    REFUSE = "refuse"
    SERVES = "serves already"


class Verdict(_Values):
    """What one gate says.

    Attributes:
        gate: its name.
        holds: whether the model may pass.
        sentence: why, with the figure and the limit, without its full stop.
        approvable: where it does not hold: whether a person may let the model pass all the same.
    """

    gate: str
    holds: bool
    sentence: str
    approvable: bool = False


class Comparison(_Values):
    """A challenger beside the champion, on the same images of test.

    Attributes:
        champion: what it was compared with.
        images, groups: how many, none of which either learned from.
        differences: challenger - champion by flat name: `balanced_accuracy`.
        gained, lost: images that the challenger alone has right, and that the champion alone has (a segmenter: whose Dice rose, or
            fell, by more than `components.scores.DICE_CHANGE`).
        p_value: McNemar's exact test of the two numbers (1947).
    """

    champion: Version
    images: int
    groups: int
    differences: dict[str, Difference]
    gained: int
    lost: int
    p_value: float


class Decision(_Values):
    """What was made of one challenger.

    Attributes:
        task: its task.
        subject: which version.
        outcome: what came of it.
        reason: one sentence without its full stop.
        figures: of test, those that the policy names, by flat name.
        verdicts: of every gate, in the order of the registry.
        champion: what served when it was judged; None: nothing did.
        comparison: with the champion; None: there was none, or it could not be compared (a verdict says why).
        approvals: how many persons must approve it before it serves.
    """

    task: Task
    subject: Version
    outcome: Outcome
    reason: str
    figures: dict[str, float] = {}
    verdicts: tuple[Verdict, ...] = ()
    champion: Version | None = None
    comparison: Comparison | None = None
    approvals: int = 0


class Action(StrEnum):
    """What an entry is."""

    ADOPT = "adopt"  # what served before there was a ledger
    DECIDE = "decide"  # a run's models were judged
    APPROVE = "approve"
    REJECT = "reject"
    PROMOTE = "promote"  # by hand: a version that was let through before
    ROLLBACK = "rollback"


class Content(_Values):
    """What whoever adds an entry has to say.

    Attributes:
        action: what it is.
        release: what serves from here on.
        reason: why, one sentence without its full stop.
        run_id: our id of the run that was judged; empty for what a person did.
        decisions: what was made of each model of the run.
        subject: the version that a person approved, rejected or promoted.
        policy, policy_digest: name, and SHA-256 of the text of the policy that judged.
        data_version: of the images that judged.
        commit, dirty: code that judged.
    """

    action: Action
    release: Release
    reason: str
    run_id: str = ""
    decisions: tuple[Decision, ...] = ()
    subject: Version | None = None
    policy: str = ""
    policy_digest: str = ""
    data_version: str = ""
    commit: str = ""
    dirty: bool = False


class Entry(Content):
    """A line of the ledger.

    Attributes:
        number: 1, 2, …
        time: when, UTC, ISO 8601.
        actor: who: user and host.
        key: the public key that signed it, base64 (Ed25519).
        previous: hash of the entry before; empty for the first.
        hash: see the top of this file.
        signature: of the hash, base64.
    """

    schema_version: Literal[1] = 1
    number: int
    time: str
    actor: str
    key: str
    previous: str
    hash: str = ""
    signature: str = ""

    def digest(self) -> str:
        """The hash that the entry must have."""
        content = self.model_dump(mode="json", exclude={"hash", "signature"})
        return hashlib.sha256(json.dumps(content, sort_keys=True, separators=(",", ":"), ensure_ascii=False).encode()).hexdigest()

    @property
    def head(self) -> str:
        """What is repeated outside the ledger: number and hash."""
        return f"{self.number} {self.hash}"
