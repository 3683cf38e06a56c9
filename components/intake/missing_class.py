"""A class that is gone: from the data as a whole, or from the batch by more than chance."""

import pandas as pd

from components.intake.batch import Batch
from components.intake.chance import none_of
from components.intake.finding import Finding
from components.lesions import CODES

CHECK = "missing_class"


def missing_class(batch: Batch, *, alpha: float) -> Finding:
    """Look for a class that was there and is not any more.

    Lesions are counted, not images: pictures of one lesion come together. A batch that drew its lesions as the earlier ones were
    drawn misses a class of share p among n lesions with probability (1 - p)^n; less than alpha, shared among the classes, is no
    chance.

    Args:
        batch: what came; a few lesions prove nothing, and are let pass.
        alpha: how often a sound batch may be refused.
    """
    old, new = _lesions(batch.kept, batch.gone), _lesions(batch.new)
    now = _lesions(batch.kept[~batch.kept["image_id"].isin(set(batch.relabelled["image_id"]))], batch.changed)
    there = [code for code in CODES if old.get(code, 0)]
    lost = [code for code in there if not now.get(code, 0)]
    if lost:
        return Finding(CHECK, True, f"no image of {', '.join(lost)} is left, of which there were {_counted(old, lost)}")
    lesions, before = int(sum(new.values())), int(sum(old.values()))
    chances = {code: none_of(old[code] / before, lesions) for code in there if not new.get(code, 0)}
    gone = [code for code, chance in chances.items() if chance < alpha / len(there)]
    measures = {"lesions": float(lesions)} | {f"chance_of_none/{code}": chance for code, chance in chances.items()}
    if gone:
        expected = ", ".join(f"{code} (about {old[code] / before * lesions:.0f} were to be expected)" for code in gone)
        return Finding(CHECK, True, f"the batch of {lesions:,} lesions has none of {expected}", measures)
    if not lesions:
        return Finding(CHECK, False, "the batch has no new diagnoses", measures)
    absent = f"; it has none of {', '.join(chances)}, which chance explains" if chances else ""
    return Finding(CHECK, False, f"no class is gone from the batch of {lesions:,} lesions by more than chance{absent}", measures)


def _lesions(*parts: pd.DataFrame) -> dict[str, int]:
    """Lesions of each class."""
    rows = pd.concat([part[["group_id", "label"]] for part in parts], ignore_index=True).dropna()
    return {str(code): int(count) for code, count in rows.drop_duplicates()["label"].value_counts().items()}


def _counted(lesions: dict[str, int], codes: list[str]) -> str:
    return ", ".join(f"{lesions[code]:,} lesions of {code}" for code in codes)
