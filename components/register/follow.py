"""MLflow's aliases follow the ledger: `production` and `previous` of both registered models.

They are for people who look at MLflow's pages; nothing serves by them. One that points elsewhere was moved by hand, or left behind
by a command that was killed; it is set back and named. On a server that lets only some people move them, it waits for their next
command; a version that was deleted has none.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import partial

from components.errors import LedgerError
from components.lesions import Task
from components.promotion.entries import Entry, Release
from components.promotion.releases import serving, version_before
from components.register.decision_notes import LEDGER
from components.register.registry import PREVIOUS, PRODUCTION, REGISTERED, Registry
from components.tracking import is_absent, is_denied


@dataclass(frozen=True)
class Found:
    """What was found on the way, each a sentence without its full stop.

    Attributes:
        astray: aliases `production` that pointed elsewhere. Right after an entry was written they do so by right.
        left: aliases that stay as they are: this user may not move them, or the version is no more.
    """

    astray: list[str]
    left: list[str]

    @property
    def all(self) -> list[str]:
        """Both."""
        return self.astray + self.left


def follow(registry: Registry, entries: Sequence[Entry]) -> Found:
    """Bring the aliases in line with the ledger.

    Args:
        registry: the registered models.
        entries: the whole ledger.
    """
    now, found = serving(entries), Found([], [])
    for task, name in REGISTERED.items():
        version, earlier = now.of(task), version_before(entries, task)
        at, wanted = registry.aliases(name).get(PRODUCTION), version.number if version else None
        if at != wanted and at is not None:
            serves = f"version {wanted} serves" if wanted else "nothing serves"
            found.astray.append(
                f"alias {PRODUCTION} of {name} pointed at version {at} although {serves} "
                "(it was moved by hand, or a command was killed): it is set back"
            )
        for alias, number in {PREVIOUS: None if earlier is None else earlier.number, PRODUCTION: wanted}.items():
            target = f"version {number}" if number else "no version"
            why = obstacle(partial(registry.point, name, alias, number))
            if why is not None:
                found.left.append(f"alias {alias} of {name} should point at {target}, and {why}")
    return found


def obstacle(write: Callable[[], None]) -> str | None:
    """Write to MLflow what only follows from the ledger; why that cannot be, without full stop, or None where it is done."""
    from mlflow.exceptions import MlflowException

    try:
        write()
    except MlflowException as error:
        if is_denied(error):
            return "the tracking server does not let you: the next `dermacare history` of somebody who may does so"
        if is_absent(error):
            return "MLflow has no such version any more: it was deleted there; let another one serve if it is needed"
        raise
    return None


def refuse_another_ledger(registry: Registry, url: str, entries: Sequence[Entry]) -> None:
    """See that this is the ledger of these registered models, before one of its own is begun beside it.

    Raises:
        LedgerError: MLflow notes entries of a ledger, and this one has none of them.
    """
    heads, known = registry.noted(LEDGER), {entry.head for entry in entries}
    if heads and known.isdisjoint(heads.values()):
        where, head = next(iter(heads.items()))
        raise LedgerError(
            f"{url}: is not the ledger of these registered models, of which {where} notes entry {head.partition(' ')[0]}; let "
            f"DERMACARE_LEDGER name theirs, or, if it is lost, delete the tag `{LEDGER}` of the versions in MLflow to begin anew"
        )


def adopted(registry: Registry) -> Release:
    """What the aliases say serves: before there was a ledger, they were the truth."""
    found = {task: registry.named(name, PRODUCTION) for task, name in REGISTERED.items()}
    return Release(classifier=found[Task.CLASSIFICATION], segmenter=found[Task.SEGMENTATION])
