"""The ingest step: images, masks and tables of all sources become one dataset folder of encoded files."""

import csv
import io
import json
import shutil
from collections import Counter
from collections.abc import Iterable, Sequence
from pathlib import Path

import pandas as pd

from components.dataset import COLUMNS, write_manifest
from components.files import write_text
from components.ingest.digests import Digests
from components.ingest.match import Item, Matched, match, together
from components.ingest.pack import PACKED, Packed, mask_name, only_named, pack
from components.ingest.registry import find_source
from components.ingest.repeats import Entry, without_repeats
from components.ingest.source import LABEL, Listing, Origin, Problem, Workplace
from components.ingest.stored import Stored, write_index
from components.lesions import CODES, Task
from components.params import IngestParams
from components.reporter import Reporter
from components.withdrawn import Withdrawn

_SCRATCH = ".sources"
_FACTS = ("lesion_id", "age_approx", "sex", "anatom_site_general", "patient_id")


def ingest(
    out: Path,
    params: IngestParams,
    reporter: Reporter,
    *,
    earlier: Sequence[Path],
    withdrawn: Withdrawn | None,
    digests: Path | None,
) -> None:
    """See `components.ingest.ingest`."""
    kept_out = withdrawn or Withdrawn()
    listing = _list_sources(out, params, Digests(digests), reporter)
    matched, origins = match(listing, reporter.progress), listing.origins
    del listing  # of many images it would be half of what the step holds
    items = [item for item in matched.items if not _is_withdrawn(item, matched, kept_out)]
    packed = pack(out, items, earlier, lambda name, digest: kept_out.refuses(name, sha256=digest) is not None, reporter.progress)
    single = without_repeats(_entries(packed, matched), {origin.name: place for place, origin in enumerate(origins)})
    places = only_named(out, [stored for _, stored in packed.stored], {entry.stored for entry in single.entries})
    problems = matched.problems + packed.problems + single.problems
    write_manifest(out, pd.DataFrame([_row(entry, places[entry.stored]) for entry in single.entries], columns=list(COLUMNS)))
    _write_table(
        out / "quarantine.csv", ("image", "reason", "file", "field"), ((p.image, p.reason, p.file, p.field) for p in problems)
    )
    personal = {(stored.image_id, kind) for stored in places.values() for kind in stored.personal}
    _write_table(out / "personal.csv", ("image", "field"), personal)
    _write_sources(out, origins, single.entries)
    write_index(out, places.values())
    _tidy(out, {stored.shard for stored in places.values()})
    withdrawn_ids = {item.image_id for item in matched.items} - {item.image_id for item in items} | set(packed.refused)
    for message in (
        *matched.messages,
        *single.messages,
        *_withdrawn_message(withdrawn_ids),
        *_personal_message(personal),
        *_summary(single.entries, problems),
    ):
        reporter.message(message)


def _list_sources(out: Path, params: IngestParams, digests: Digests, reporter: Reporter) -> Listing:
    scratch = out / _SCRATCH
    listings = []
    for spelling in dict.fromkeys(params.sources):
        reporter.progress(0, 0, f"listing {spelling}")
        listings.append(find_source(spelling, params).listing(digests, Workplace(scratch, reporter.progress)))
    return together(listings)


def _is_withdrawn(item: Item, matched: Matched, withdrawn: Withdrawn) -> bool:
    values = matched.values.get(item.image_id, {})
    lesion, patient = (None if name not in values else str(values[name]) for name in ("lesion_id", "patient_id"))
    return withdrawn.refuses(item.image_id, lesion_id=lesion, patient_id=patient) is not None


def _entries(packed: Packed, matched: Matched) -> list[Entry]:
    return [
        Entry(task, item, stored, matched.values.get(item.image_id, {}))
        for item, stored in packed.stored
        for task in item.tasks
        if task is Task.CLASSIFICATION or stored.mask_sha256 is not None
    ]


def _row(entry: Entry, stored: Stored) -> dict[str, object]:
    image, mask = entry.item.image, entry.item.mask if entry.task is Task.SEGMENTATION else None
    official = image.split or (mask.split if mask else None)
    return {
        "image_id": entry.item.image_id,
        "task": entry.task.value,
        "label": entry.values.get(LABEL),
        "mask": f"{stored.shard}/{mask_name(entry.item.image_id)}" if mask else None,
        **{name: entry.values.get(name) for name in _FACTS},
        "source": image.origin.name,
        "licence": image.origin.licence,
        "sha256": stored.sha256,
        "mask_sha256": stored.mask_sha256 if mask else None,
        "width": stored.width,
        "height": stored.height,
        "split": official.value if official and mask else None,
        "shard": stored.shard,
        "row": stored.row,
    }


def _write_table(path: Path, columns: Sequence[str], rows: Iterable[tuple[str, ...]]) -> None:
    text = io.StringIO(newline="")
    writer = csv.writer(text, lineterminator="\n")
    writer.writerow(columns)
    writer.writerows(sorted(rows))
    write_text(path, text.getvalue())


def _write_sources(out: Path, origins: Sequence[Origin], entries: Sequence[Entry]) -> None:
    taken = Counter(name for name, _ in {(entry.item.image.origin.name, entry.stored.sha256) for entry in entries})
    known = [
        {"name": origin.name, "licence": origin.licence, "revision": origin.revision, "images": taken[origin.name]}
        for origin in origins
    ]
    write_text(out / "sources.json", json.dumps(known, indent=1) + "\n")


def _tidy(out: Path, shards: set[str]) -> None:
    """Delete what only this step needs, and what an attempt that was killed left of files that are none of this dataset's."""
    for folder in (_SCRATCH, PACKED):
        shutil.rmtree(out / folder, ignore_errors=True)
    for path in [*out.glob(".*.part"), *(out / "shards").glob("*")]:
        if f"shards/{path.name}" not in shards:
            path.unlink()


def _withdrawn_message(images: set[str]) -> list[str]:
    if not images:
        return []
    return [f"{len(images):,} images that a source still offers were withdrawn, and are kept out: see withdrawn.csv"]


def _personal_message(personal: set[tuple[str, str]]) -> list[str]:
    if not personal:
        return []
    counts = Counter(kind for _, kind in personal)
    kinds = ", ".join(f"{kind} {count:,}" for kind, count in sorted(counts.items(), key=lambda one: (-one[1], one[0])))
    images = len({image for image, _ in personal})
    return [f"{images:,} files told more than pixels, which is left out ({kinds}): personal.csv names them"]


def _summary(entries: Sequence[Entry], problems: Sequence[Problem]) -> list[str]:
    lines = []
    labels = Counter(str(entry.values[LABEL]) for entry in entries if entry.task is Task.CLASSIFICATION)
    masks = sum(entry.task is Task.SEGMENTATION for entry in entries)
    if labels:
        lines.append(f"{labels.total():,} images to classify: " + ", ".join(f"{c} {labels[c]:,}" for c in CODES if labels[c]))
    if masks:
        lines.append(f"{masks:,} images to segment")
    if labels and not masks:
        lines.append("no image has a mask: there is nothing to segment, so only classifiers can be trained")
    if masks and not labels:
        lines.append("no image has a diagnosis: there is nothing to classify, so only segmenters can be trained")
    if problems:
        lines.append(f"{len(problems):,} set aside in quarantine.csv; the first: {problems[0].file}: {problems[0].reason}")
    return lines
