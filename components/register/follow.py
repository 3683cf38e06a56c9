"""MLflow's aliases follow the ledger: `production` and `previous` of both registered models.

They are for people who look at MLflow's pages; nothing serves by them. One that points elsewhere was moved by hand, or left behind
by a command that was killed; it is set back and named. On a server that lets only some people move them, it waits for their next
command.
"""

from collections.abc import Sequence
from dataclasses import dataclass

from components.lesions import Task
from components.promotion.entries import Entry, Release
from components.promotion.releases import serving, version_before
from components.register.registry import PREVIOUS, PRODUCTION, REGISTERED, Registry
from components.tracking import is_denied


@dataclass(frozen=True)
class Found:
    """What was found on the way, each a sentence without its full stop.

    Attributes:
        astray: aliases `production` that pointed elsewhere. Right after an entry was written they do so by right.
        denied: aliases that this user may not move.
    """

    astray: list[str]
    denied: list[str]

    @property
    def all(self) -> list[str]:
        """Both."""
        return self.astray + self.denied


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
            if not _point(registry, name, alias, number):
                target = f"version {number}" if number else "no version"
                found.denied.append(
                    f"alias {alias} of {name} should point at {target}, and the tracking server does not let you move it: "
                    "the next `dermacare history` of somebody who may does so"
                )
    return found


def _point(registry: Registry, name: str, alias: str, number: int | None) -> bool:
    """Let an alias point at a version (None: at none), if this user may."""
    from mlflow.exceptions import MlflowException

    try:
        registry.point(name, alias, number)
    except MlflowException as error:
        if not is_denied(error):
            raise
        return False
    return True


def adopted(registry: Registry) -> Release:
    """What the aliases say serves: before there was a ledger, they were the truth."""
    found = {task: registry.named(name, PRODUCTION) for task, name in REGISTERED.items()}
    return Release(classifier=found[Task.CLASSIFICATION], segmenter=found[Task.SEGMENTATION])
