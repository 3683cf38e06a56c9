"""Records of the ledger for tests."""

from typing import Any

from components.lesions import Task
from components.promotion.entries import Action, Content, Decision, Outcome, Release, Version


def version(number: int, name: str = "lesion-classifier", model: str = "resnet101") -> Version:
    return Version(name=name, number=number, digest=f"{number:064x}", run_id=f"run-{number}", model=model)


def release(number: int | None, segmenter: int | None = None) -> Release:
    return Release(
        classifier=None if number is None else version(number),
        segmenter=None if segmenter is None else version(segmenter, "lesion-segmenter", "unet_plain"),
    )


def decision(number: int, outcome: Outcome, *, champion: int | None = None, approvals: int = 0) -> Decision:
    beside = None if champion is None else version(champion)
    subject = version(number)
    return Decision(task=Task.CLASSIFICATION, subject=subject, outcome=outcome, reason="so", champion=beside, approvals=approvals)


def decided(number: int, outcome: Outcome, now: Release, **more: Any) -> Content:
    one = decision(number, outcome, **more)
    return Content(action=Action.DECIDE, release=now, reason="judged", run_id=f"run-{number}", decisions=(one,))


def moved(action: Action, now: Release, subject: Version | None = None) -> Content:
    return Content(action=action, release=now, reason="because", subject=subject)
