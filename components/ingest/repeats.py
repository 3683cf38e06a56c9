"""The same picture, byte for byte, under several ids: it is taken once a task, and what its tables say of it must agree."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace

from components.ingest.match import Item, Values
from components.ingest.source import LABEL, Problem
from components.ingest.stored import Stored
from components.lesions import Task


@dataclass(frozen=True, slots=True)
class Entry:
    """A row of the manifest to be: an image of one task, and what the tables say of it."""

    task: Task
    item: Item
    stored: Stored
    values: Values


@dataclass(frozen=True)
class Single:
    """Entries of which no two show the same picture, and what of the others is said."""

    entries: list[Entry]
    problems: list[Problem]
    messages: list[str]


def without_repeats(entries: Sequence[Entry], rank: Mapping[str, int]) -> Single:
    """Keep one of several entries of a task whose pictures are the same bytes: of the first source, of the first id.

    What the tables say of the others fills its empty cells. Where they contradict each other all of them are set aside, as one
    image with two labels is: a label costs the place in classification, any other value in both tasks.

    Args:
        entries: of all images.
        rank: name of each source → its place among the sources.
    """
    groups: dict[tuple[Task, str], list[Entry]] = {}
    for entry in entries:
        groups.setdefault((entry.task, entry.stored.sha256), []).append(entry)
    kept: list[Entry] = []
    problems: dict[Problem, None] = {}
    repeated: set[str] = set()
    for group in groups.values():
        group.sort(key=lambda entry: (rank[entry.item.image.origin.name], entry.item.image_id))
        contradictions = _contradictions(group)
        problems |= dict.fromkeys(contradictions)
        if contradictions:
            continue
        merged = {name: value for entry in reversed(group) for name, value in entry.values.items()}
        kept.append(group[0] if len(group) == 1 else replace(group[0], values=merged))
        repeated |= {entry.item.image_id for entry in group[1:]}
    messages = []
    if repeated:
        messages.append(
            f"{len(repeated):,} images repeat another byte for byte under another id, and are taken once: {_some(repeated)}"
        )
    return Single(kept, list(problems), messages)


def _contradictions(group: Sequence[Entry]) -> list[Problem]:
    if len(group) == 1:
        return []
    problems = []
    for name in sorted({name for entry in group for name in entry.values}):
        said = {entry.item.image_id: entry.values[name] for entry in group if name in entry.values}
        if len(set(said.values())) < 2 or (name == LABEL and group[0].task is not Task.CLASSIFICATION):
            continue
        what = "two labels" if name == LABEL else f"two values of {name}"
        values = " and ".join(map(str, dict.fromkeys(said.values())))
        reason = f"{what}: {values}, for one picture under the ids {', '.join(entry.item.image_id for entry in group)}"
        problems += [Problem(entry.item.image_id, reason, entry.item.image.file, name) for entry in group]
    return problems


def _some(names: set[str]) -> str:
    return ", ".join(sorted(names)[:3]) + (" …" if len(names) > 3 else "")
