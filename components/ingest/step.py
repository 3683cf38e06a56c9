"""The ingest step: images, masks and tables of all sources become one dataset folder of encoded files."""

import csv
import io
import shutil
from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path

import pandas as pd

from components.dataset import COLUMNS, shard_name, write_files_shard, write_manifest
from components.errors import SourceError
from components.files import sha256_bytes, write_text
from components.ingest.folder import PHANTOM, find_folder, list_folder, origin_of
from components.ingest.match import Copy, Record, match
from components.ingest.source import LABEL, Listing, Origin, Problem
from components.lesions import CODES, Task
from components.params import IngestParams
from components.reporter import Reporter
from components.withdrawn import Withdrawn

SHARD_IMAGES = 512

_DRAWING = ".drawing"
_DRAWN = "drawn"
_JPEG = b"\xff\xd8"
_FACTS = ("lesion_id", "age_approx", "sex", "anatom_site_general", "patient_id")


def ingest(
    out: Path,
    params: IngestParams,
    reporter: Reporter,
    *,
    earlier: Sequence[Path] = (),
    withdrawn: Withdrawn | None = None,
) -> None:
    """Read all sources into a dataset folder: manifest.parquet, shards/*.zip with the files as they came, quarantine.csv.

    Of one image in several sizes, or in several sources, the largest is taken. What of a source cannot be used lands in
    quarantine.csv (image, reason, file, field) and is left to `validate` to judge. Group, split by hash and fold are left to it
    too; `split` is filled for segmentation where folder names tell an official one. An attempt that was killed is gone on from.

    Args:
        out: the folder to write; it exists.
        params: which sources, and how phantoms are drawn.
        reporter: is told what was read, and what was left out.
        earlier: outputs that this code made before, newest first; whole shards are taken over from them.
        withdrawn: images that are kept out, whichever source still offers them; None: none.

    Raises:
        SourceError: a source is absent, empty or unreadable, or no image has a diagnosis or a mask.
        TableError: a table of ISIC's kind breaks its format.
        StoreError: the disk is full.
    """
    listings = [_list_source(source, out, params, reporter) for source in dict.fromkeys(params.sources)]
    matched = match(listings, reporter.progress)
    matched.records = _without_withdrawn(matched.records, withdrawn or Withdrawn(), reporter)
    rows, shards = _write_shards(out, matched.records, reporter)
    write_manifest(out, pd.DataFrame(rows, columns=list(COLUMNS)))
    _write_quarantine(out, matched.problems)
    _tidy(out, shards)
    for message in matched.messages + _summary(matched.records, matched.problems):
        reporter.message(message)


def _without_withdrawn(records: list[Record], withdrawn: Withdrawn, reporter: Reporter) -> list[Record]:
    """The records of images that nobody withdrew; how many are kept out is said, their bytes go nowhere."""
    kept = [record for record in records if not _refused(record, withdrawn)]
    images = {record.image_id for record in records} - {record.image_id for record in kept}
    if images:
        reporter.message(f"{len(images):,} images that a source still offers were withdrawn, and are kept out: see withdrawn.csv")
    return kept


def _refused(record: Record, withdrawn: Withdrawn) -> bool:
    lesion, patient = (record.values.get(name) for name in ("lesion_id", "patient_id"))
    lesion_id, patient_id = (None if value is None else str(value) for value in (lesion, patient))
    return withdrawn.refuses(record.image_id, lesion_id=lesion_id, patient_id=patient_id, sha256=record.image.sha256) is not None


def _list_source(source: str, out: Path, params: IngestParams, reporter: Reporter) -> Listing:
    if source != PHANTOM:
        folder = find_folder(source)
        return list_folder(folder, origin_of(folder))
    drawn = out / _DRAWN
    if not drawn.exists():
        from components.ingest.phantom import draw_phantoms

        draw_phantoms(out / _DRAWING, params.phantom, lambda done, total: reporter.progress(done, total, "phantoms drawn"))
        shutil.rmtree(out / _DRAWING / "hair", ignore_errors=True)  # not ISIC's: it is there for tests of hair removal
        (out / _DRAWING).rename(drawn)
    return list_folder(drawn.resolve(), Origin(PHANTOM, "CC0-1.0"))


def _write_shards(out: Path, records: list[Record], reporter: Reporter) -> tuple[list[dict[str, object]], set[str]]:
    """Write every picture once, and say where it lies: the manifest's rows and the shards' paths."""
    segmentation = [record for record in records if record.task is Task.SEGMENTATION]
    stored = {(record.image_id, record.image.sha256) for record in segmentation}
    # An image that serves both tasks with the same bytes lies beside its mask.
    alone = [r for r in records if r.task is Task.CLASSIFICATION and (r.image_id, r.image.sha256) not in stored]
    places: dict[tuple[str, str], tuple[str, int]] = {}
    rows: list[dict[str, object]] = []
    shards: set[str] = set()
    for chunk in (*_chunks(segmentation), *_chunks(alone)):
        parts = [part for r in chunk for part in (r.image_id, r.image.sha256, r.mask.sha256 if r.mask else "")]
        shard = write_files_shard(out, shard_name(chunk[0].task, parts), _members(chunk))
        shards.add(shard)
        for number, record in enumerate(chunk):
            places[record.image_id, record.image.sha256] = shard, number * (2 if record.mask else 1)
        reporter.progress(len(places), len(segmentation) + len(alone), "images packed")
    for record in records:
        rows.append(_row(record, *places[record.image_id, record.image.sha256]))
    return rows, shards


def _chunks(records: list[Record]) -> Iterator[list[Record]]:
    """Cut records into shards where an id's digest says so, so that added images leave most shards as they were."""
    chunk: list[Record] = []
    for record in records:
        chunk.append(record)
        if len(chunk) == SHARD_IMAGES or sha256_bytes(record.image_id.encode()).startswith("00"):
            yield chunk
            chunk = []
    if chunk:
        yield chunk


def _members(records: Iterable[Record]) -> Iterator[tuple[str, bytes]]:
    for record in records:
        image = _read_again(record.image)
        yield record.image_id + (".jpg" if image.startswith(_JPEG) else ".png"), image
        if record.mask:
            yield _mask_name(record), _read_again(record.mask)


def _mask_name(record: Record) -> str:
    return f"{record.image_id}_segmentation.png"


def _read_again(copy: Copy) -> bytes:
    data = copy.picture.read()
    if sha256_bytes(data) != copy.sha256:
        raise SourceError(f"{copy.picture.file}: changed while it was read; wait until its folder is whole, then run again")
    return data


def _row(record: Record, shard: str, number: int) -> dict[str, object]:
    picture, mask = record.image.picture, record.mask
    official = picture.split or (mask.picture.split if mask else None)
    return {
        "image_id": record.image_id,
        "task": record.task.value,
        "label": record.values.get(LABEL),
        "mask": f"{shard}/{_mask_name(record)}" if mask else None,
        **{name: record.values.get(name) for name in _FACTS},
        "source": picture.origin.name,
        "licence": picture.origin.licence,
        "sha256": record.image.sha256,
        "mask_sha256": mask.sha256 if mask else None,
        "width": record.image.width,
        "height": record.image.height,
        "split": official.value if official and mask else None,
        "shard": shard,
        "row": number,
    }


def _write_quarantine(out: Path, problems: Iterable[Problem]) -> None:
    text = io.StringIO(newline="")
    writer = csv.writer(text, lineterminator="\n")
    writer.writerow(("image", "reason", "file", "field"))
    writer.writerows(sorted((problem.image, problem.reason, problem.file, problem.field) for problem in problems))
    write_text(out / "quarantine.csv", text.getvalue())


def _tidy(out: Path, shards: set[str]) -> None:
    """Delete the drawing, and what an attempt that was killed left of files that are none of this dataset's."""
    shutil.rmtree(out / _DRAWN, ignore_errors=True)
    for path in [*out.glob(".*.part"), *(out / "shards").glob("*")]:
        if f"shards/{path.name}" not in shards:
            path.unlink()


def _summary(records: list[Record], problems: list[Problem]) -> list[str]:
    lines = []
    labels = Counter(str(r.values[LABEL]) for r in records if r.task is Task.CLASSIFICATION)
    masks = sum(record.task is Task.SEGMENTATION for record in records)
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
