"""The step: what is bad is set aside, what repeats is brought together, and every row gets its group, split and fold."""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import pandas as pd

from components.dataset import Dataset, write_manifest
from components.files import link_file
from components.groups import open_ledger
from components.params import ValidateParams
from components.reporter import Reporter
from components.validate.images import check_files, drop_checks, write_repaired_masks
from components.validate.placing import find_duplicates, place, refuse_empty
from components.validate.quarantine import Finding, Problem, read_quarantine, refuse_too_many, write_quarantine
from components.validate.report import Report, few_images, torn_groups, write_report
from components.validate.tables import check_tables


@dataclass(frozen=True)
class _Sound:
    """The rows that passed, all that was set aside so far, and how many rows were bad of how many."""

    manifest: pd.DataFrame
    problems: list[Problem]
    bad_rows: int
    all_rows: int


def validate(
    raw: Path,
    out: Path,
    params: ValidateParams,
    reporter: Reporter,
    known_groups: Path | None = None,
    *,
    earlier: Sequence[Path] = (),
) -> None:
    """Check a dataset folder and write its good rows with group, split and fold; report.json, quarantine.csv, data_docs/.

    Images and masks are taken over as they are, in the same shards; masks that had to be repaired lie in one of their own. An
    image that repeats groups of different splits is set aside too, but is not bad and does not count as such.

    Args:
        raw: ingest's output. What its quarantine.csv holds is taken over and counted as bad.
        out: the folder to write; it exists, and may hold what a killed attempt left.
        params: how much may be bad, what a near-duplicate is, shares of the splits.
        reporter: is told progress, what was found, and the main counts.
        known_groups: ledger of the groups that were given out, so that no image moves when data is added; read, and extended once
            all else is written. None: the order of the manifest alone decides.

    Raises:
        DataRefused: too much is bad, or a class or a split would be empty. `out`/quarantine.csv then tells what was set aside.
        DatasetError: `raw` or the ledger breaks its contract.
        StoreError: `out` or the ledger cannot be written.
    """
    dataset = Dataset(raw)
    findings = check_tables(dataset.manifest, out / "data_docs")
    files = check_files(dataset, out, reporter)
    sound = _set_bad_aside(dataset, findings + files.findings, read_quarantine(raw), params, out)
    duplicates = find_duplicates(sound.manifest, files, params)
    with open_ledger(known_groups) as ledger:
        placed = place(sound.manifest, duplicates, ledger.known, params)
        problems = sound.problems + placed.problems
        write_quarantine(out, problems)
        refuse_empty(dataset.manifest, placed.manifest)
        repaired = {row: digest for row, digest in files.repaired.items() if row in placed.manifest.index}
        manifest = _with_repaired_masks(dataset, placed.manifest, repaired, out)
        _link_shards(raw, out, manifest)
        write_manifest(out, manifest)
        repaired_ids = [str(dataset.manifest["image_id"][row]) for row in repaired]
        report = Report(manifest, placed.pairs, problems, sound.bad_rows, sound.all_rows, len(placed.problems), repaired_ids)
        write_report(out, report)
        drop_checks(out)
        ledger.extend(placed.lines)
    _tell(report, reporter)


def _set_bad_aside(
    dataset: Dataset, findings: Sequence[Finding], refused: Sequence[Problem], params: ValidateParams, out: Path
) -> _Sound:
    problems = [*refused, *(finding.problem for finding in findings)]
    write_quarantine(out, problems)
    bad = {position for finding in findings for position in finding.rows}
    lost, rows = len(bad) + len(refused), len(dataset.manifest) + len(refused)
    refuse_too_many(lost, rows, params.max_quarantined, problems, out / "quarantine.csv")
    return _Sound(dataset.manifest.drop(index=sorted(bad)), problems, lost, rows)


def _with_repaired_masks(dataset: Dataset, manifest: pd.DataFrame, repaired: dict[int, str], out: Path) -> pd.DataFrame:
    if not repaired:
        return manifest
    shard = write_repaired_masks(dataset, out, repaired)
    rows = manifest.index.isin(repaired)
    masks = [f"{shard}/{Path(str(mask)).name}" for mask in manifest.loc[rows, "mask"]]
    digests = [repaired[int(position)] for position in manifest.index[rows]]
    return manifest.assign(
        mask=manifest["mask"].mask(rows, pd.Series(masks, index=manifest.index[rows])),
        mask_sha256=manifest["mask_sha256"].mask(rows, pd.Series(digests, index=manifest.index[rows])),
    )


def _link_shards(raw: Path, out: Path, manifest: pd.DataFrame) -> None:
    """Give the shards that rows need a second name in `out`, or copy them where the file system allows no links."""
    shards = {*manifest["shard"], *(str(Path(mask).parent) for mask in manifest["mask"].dropna())}
    (out / "shards").mkdir(exist_ok=True)
    for shard in sorted(shards):
        if not (out / shard).exists():
            link_file(raw / shard, out / shard)


def _tell(report: Report, reporter: Reporter) -> None:
    bad, rows = report.bad_rows, report.all_rows
    untold = sum(not pair.told for pair in report.pairs)
    torn = list(torn_groups(report.manifest))
    lines = {
        f"{bad:,} of {rows:,} rows are bad: quarantine.csv names each with its reason": bad,
        f"{len(report.repaired_masks):,} masks held other values than 0 and 255 and were repaired": len(report.repaired_masks),
        f"{untold:,} pairs of images show the same lesion, which the tables do not say; each pair stays in one split": untold,
        f"{report.set_aside:,} images repeat groups of two splits and were set aside: see quarantine.csv": report.set_aside,
        f"the official split tears {len(torn):,} groups apart, so figures on it are too good: {', '.join(torn[:3])} …": len(torn),
    }
    for line in [line for line, count in lines.items() if count] + few_images(report.manifest):
        reporter.message(line)
    reporter.metrics(report.metrics())
