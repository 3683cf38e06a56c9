"""What a retraining came to, typed, and what people are told of it."""

from collections.abc import Sequence
from dataclasses import dataclass, field
from enum import StrEnum
from pathlib import Path
from typing import Any

from components.intake import Intake
from components.notify import Message
from components.promotion.entries import Decision, Entry, Outcome, Version
from components.promotion.releases import serving, standing


class State(StrEnum):
    """How it ended."""

    UNCHANGED = "unchanged"
    PROMOTED = "promoted"
    WAITING = "waiting"
    REFUSED = "refused"
    FAILED = "failed"

    @property
    def exit_code(self) -> int:
        """What the command ends with."""
        return {State.UNCHANGED: 0, State.PROMOTED: 10, State.WAITING: 20, State.REFUSED: 30, State.FAILED: 1}[self]


@dataclass(frozen=True)
class JudgedModel:
    """A model of the run before the policy.

    Attributes:
        version: which one it is.
        state: promoted, waiting or refused, as the ledger has it now.
        reason: why, one sentence without its full stop.
        decision: as it was judged.
    """

    version: Version
    state: State
    reason: str
    decision: Decision

    @property
    def command(self) -> str:
        """What lets it serve; empty where nothing does, or it serves."""
        return f'dermacare approve {self.version.label} --reason "…"' if self.state is State.WAITING else ""


@dataclass(frozen=True)
class Result:
    """What a retraining came to.

    Attributes:
        state: how it ended.
        reason: one sentence without its full stop.
        serving: what serves now.
        before: data version behind what served; empty: nothing did.
        after: data version that was looked at; empty: the data was refused before it had one.
        changes: what changed between them: kind → images; empty where the earlier data is not in this home.
        moved: what is said of moves between the splits; empty as `changes`.
        intake: what the checks say of the batch; None: they were not come to, or nothing served.
        run: id of the run that judged; empty: none did.
        models: what it judged.
        mlflow: the address of the run's page on the tracking server; empty where there is no server.
        folders: outputs of `validate` with both versions, as far as they are in this home.
    """

    state: State
    reason: str
    serving: str = "nothing"
    before: str = ""
    after: str = ""
    changes: dict[str, int] = field(default_factory=dict)
    moved: str = ""
    intake: Intake | None = None
    run: str = ""
    models: tuple[JudgedModel, ...] = ()
    mlflow: str = ""
    folders: tuple[Path | None, Path | None] = (None, None)

    def values(self) -> dict[str, Any]:
        """Plain values, for `--json` and webhooks; no id of an image is among them."""
        return {
            "state": self.state.value,
            "exit_code": self.state.exit_code,
            "reason": self.reason,
            "serving": self.serving,
            "data": {
                "before": self.before or None,
                "after": self.after or None,
                "changes": self.changes,
                "moved": self.moved or None,
            },
            "intake": None if self.intake is None else _intake(self.intake),
            "run": self.run or None,
            "models": [_model(one) for one in self.models],
            "approve": [one.command for one in self.models if one.command],
            "mlflow": self.mlflow or None,
        }

    def lines(self) -> list[str]:
        """A few lines for people, the first of which says it all."""
        lines = [f"{self.state.value}: {self.reason}"]
        if self.state is State.UNCHANGED:
            return lines
        if self.after:
            data = f"data version {self.before[:8] or 'none'} → {self.after[:8]}"
            counted = ", ".join(f"{count:,} {kind}" for kind, count in self.changes.items())
            lines.append(f"{data}{f' ({counted})' if counted else ''}")
        lines += [f"{one.check}: {one.sentence}" for one in (self.intake.refusals if self.intake else [])]
        for model in self.models:
            lines.append(f"{model.version.label} ({model.version.model}): {model.state.value}: {model.reason}")
        lines += [f"to let it serve: {one.command}" for one in self.models if one.command]
        lines.append(f"serving: {self.serving}")
        return lines

    def message(self) -> Message:
        """As whoever must know is told."""
        return Message(self.state.value, "\n".join(["DermaCare retrained", *self.lines()]), self.values())


def outcome(entries: Sequence[Entry], entry: Entry) -> tuple[JudgedModel, ...]:
    """Where the models of a run stand now.

    Args:
        entries: the whole ledger.
        entry: the one in which the run was judged.
    """
    return tuple(_stands(entries, decision) for decision in entry.decisions)


def overall(models: Sequence[JudgedModel]) -> State:
    """What counts of several: one that waits for a person, else one that serves, else that they were refused."""
    states = {model.state for model in models}
    return next((state for state in (State.WAITING, State.PROMOTED) if state in states), State.REFUSED)


def _stands(entries: Sequence[Entry], decision: Decision) -> JudgedModel:
    version, where = decision.subject, standing(entries, decision.subject)
    if serving(entries).of(decision.task) == version:
        return JudgedModel(
            version, State.PROMOTED, decision.reason if decision.outcome is not Outcome.SERVES else "serves", decision
        )
    if where.is_pending:
        return JudgedModel(version, State.WAITING, decision.reason, decision)
    if where.rejected is not None:
        rejected = where.rejected
        reason = f"{rejected.actor} rejected it in entry {rejected.number}: {rejected.reason}"
        return JudgedModel(version, State.REFUSED, reason, decision)
    if where.may_serve:
        return JudgedModel(version, State.REFUSED, "it served, and another was let serve in its place since", decision)
    return JudgedModel(version, State.REFUSED, decision.reason, decision)


def _model(one: JudgedModel) -> dict[str, Any]:
    gates = [{"gate": v.gate, "holds": v.holds, "sentence": v.sentence, "approvable": v.approvable} for v in one.decision.verdicts]
    return {
        "version": one.version.label,
        "model": one.version.model,
        "task": one.decision.task.value,
        "state": one.state.value,
        "reason": one.reason,
        "champion": one.decision.champion.label if one.decision.champion else None,
        "gates": gates,
        "approve": one.command or None,
    }


def _intake(intake: Intake) -> dict[str, Any]:
    counts = {"new": intake.new, "relabelled": intake.relabelled, "gone": intake.gone, "kept": intake.kept}
    checks = [
        {"check": one.check, "refuses": one.refuses, "sentence": one.sentence, "measures": one.measures} for one in intake.findings
    ]
    return {**counts, "checks": checks}
