"""The step: what is bad is set aside, what repeats is brought together, and every row gets its group, split and fold."""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import pandas as pd

from components.audit import audit
from components.dataset import Dataset, write_manifest
from components.files import copy_file, link_file
from components.groups import KnownFile, open_ledger
from components.lesions import Split
from components.measures import write_measures
from components.params import ValidateParams
from components.reporter import Reporter
from components.validate.exact_duplicates import take_once
from components.validate.images import Checked, measure_files, read_checks, write_repaired_masks
from components.validate.placing import find_duplicates, place, refuse_empty
from components.validate.quarantine import Finding, Problem, read_quarantine, refuse_too_many, write_quarantine
from components.validate.report import OfficialSplit, RepeatedPair, Report, few_images, torn_groups, write_report
from components.validate.tables import check_tables

_PERSONAL = "personal.csv"


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

    Images and masks are taken over as they are, in the same shards; masks that had to be repaired lie in some of their own. What
    was measured on their pixels stands in measures.parquet, the skin tone in the manifest too. An image that repeats groups of
    different splits, or another image to the last pixel, is set aside, but is not bad and does not count as such.

    Args:
        raw: ingest's output. What its quarantine.csv holds is taken over and counted as bad.
        out: the folder to write; it exists, and may hold what a killed attempt left.
        params: how much may be bad, what a near-duplicate is, shares of the splits.
        reporter: is told progress, what was found, and the main counts.
        known_groups: ledger of the groups that were given out, so that no image moves when data is added; read, and extended once
            all else is written. None: the order of the manifest alone decides.
        earlier: outputs that this code made before; what they measured on the same shards is taken over.

    Raises:
        DataRefused: too much is bad, or a class or a split would be empty: `out`/quarantine.csv tells what was set aside. Or the
            audit found what `params.audit_fail_on` does not let through: `out`/audit.html tells what.
        DatasetError: `raw` or the ledger breaks its contract.
        StoreError: `out` or the ledger cannot be written.
    """
    # What takes long comes first: while the ledger is locked, other runs wait.
    measure_files(Dataset(raw), out, reporter, earlier=earlier)
    with open_ledger(known_groups) as ledger:
        told = _write_dataset(raw, out, params, ledger.known, earlier)
        audit(out, out, reporter).refuse(params.audit_fail_on, out / "audit.html")
        ledger.extend(told.lines)
    for message in told.messages:
        reporter.message(message)
    reporter.metrics(told.metrics)


@dataclass(frozen=True)
class _Told:
    """What is left to do with what was written: lines for the ledger, messages for the user, main counts."""

    lines: list[KnownFile]
    messages: list[str]
    metrics: dict[str, float]


def _write_dataset(raw: Path, out: Path, params: ValidateParams, known: Sequence[KnownFile], earlier: Sequence[Path]) -> _Told:
    dataset = Dataset(raw)
    checked = read_checks(dataset.manifest, out)
    findings = check_tables(dataset.manifest, out / "data_docs") + checked.findings
    sound = _set_bad_aside(dataset, findings, read_quarantine(raw), params, out)
    pixels = checked.measures["pixels_sha256"]
    placed = place(sound.manifest, pixels, find_duplicates(sound.manifest, checked, params), known, params)
    taken = take_once(placed.manifest, pixels, known)
    problems = sound.problems + placed.problems + taken.problems
    write_quarantine(out, problems)
    refuse_empty(dataset.manifest, taken.manifest)
    repaired = {row: digest for row, digest in checked.repaired.items() if row in taken.manifest.index}
    manifest = taken.manifest.assign(skin_tone=checked.measures["skin_tone"].loc[taken.manifest.index])
    manifest = _with_repaired_masks(dataset, manifest, repaired, out, earlier)
    _link_shards(raw, out, manifest)
    write_manifest(out, manifest)
    write_measures(out, _measures_of(manifest, checked))
    report = Report(
        manifest,
        _pairs_that_stay(placed.pairs, sound.manifest, taken.manifest, pixels),
        problems,
        sound.bad_rows,
        sound.all_rows,
        len(placed.problems),
        taken.repeats,
        sorted({problem.image for problem in taken.problems if problem.field == "label"}),
        [str(dataset.manifest["image_id"][row]) for row in repaired],
        _official_split(dataset.manifest, params),
    )
    write_report(out, report)
    _copy_personal(raw, out)
    return _Told(placed.lines, _messages(report), report.metrics())


def _set_bad_aside(
    dataset: Dataset, findings: Sequence[Finding], refused: Sequence[Problem], params: ValidateParams, out: Path
) -> _Sound:
    problems = [*refused, *(finding.problem for finding in findings)]
    write_quarantine(out, problems)
    bad = {position for finding in findings for position in finding.rows}
    lost, rows = len(bad) + len(refused), len(dataset.manifest) + len(refused)
    refuse_too_many(lost, rows, params.max_quarantined, problems, out / "quarantine.csv")
    return _Sound(dataset.manifest.drop(index=sorted(bad)), problems, lost, rows)


def _with_repaired_masks(
    dataset: Dataset, manifest: pd.DataFrame, repaired: dict[int, str], out: Path, earlier: Sequence[Path]
) -> pd.DataFrame:
    if not repaired:
        return manifest
    masks = pd.Series(write_repaired_masks(dataset, out, repaired, earlier=earlier), dtype=object)
    digests = pd.Series(repaired, dtype=object)
    rows = manifest.index.isin(repaired)
    return manifest.assign(
        mask=manifest["mask"].mask(rows, masks.reindex(manifest.index)),
        mask_sha256=manifest["mask_sha256"].mask(rows, digests.reindex(manifest.index)),
    )


def _measures_of(manifest: pd.DataFrame, checked: Checked) -> pd.DataFrame:
    rows = manifest.sort_values(["task", "image_id"], kind="stable")
    measures = checked.measures.loc[rows.index].assign(image_id=rows["image_id"], task=rows["task"])
    hashes = pd.Series(list(checked.hashes[checked.numbers[rows.index]]), index=rows.index, dtype=object)
    return measures.assign(hash=hashes, mask_components=measures["mask_components"].astype("Int32"))


def _pairs_that_stay(
    pairs: Sequence[RepeatedPair], before: pd.DataFrame, there: pd.DataFrame, pixels: "pd.Series[str]"
) -> list[RepeatedPair]:
    """Pairs of images that are both there; one that was left out or set aside goes by the name of one with its pixels."""
    names = {image: image for image in there["image_id"]}
    shown = dict(zip(pixels.loc[there.index[::-1]], there["image_id"][::-1], strict=True))
    for image, picture in zip(before["image_id"], pixels.loc[before.index], strict=True):
        if picture in shown:
            names.setdefault(image, shown[picture])
    people = dict(zip(there["image_id"], zip(there["patient_id"], there["lesion_id"], strict=True), strict=True))
    named: dict[tuple[str, str], RepeatedPair] = {}
    for pair in pairs:
        first, second = names.get(pair.first), names.get(pair.second)
        if first and second and first != second:
            told = pair.told or any(one and one == other for one, other in zip(people[first], people[second], strict=True))
            named.setdefault((first, second), replace(pair, first=first, second=second, told=told))
    return list(named.values())


def _official_split(raw: pd.DataFrame, params: ValidateParams) -> OfficialSplit:
    return OfficialSplit(params.split == "official", sorted(set(raw.loc[raw["split"] == Split.TEST.value, "image_id"])))


def _copy_personal(raw: Path, out: Path) -> None:
    """Take along which images had fields that name a person, where ingest has looked for them."""
    if (raw / _PERSONAL).exists():
        copy_file(raw / _PERSONAL, out / _PERSONAL)


def _link_shards(raw: Path, out: Path, manifest: pd.DataFrame) -> None:
    """Give the shards that rows need a second name in `out`, or copy them where the file system allows no links."""
    shards = {*manifest["shard"], *(str(Path(mask).parent) for mask in manifest["mask"].dropna())}
    (out / "shards").mkdir(exist_ok=True)
    for shard in sorted(shards):
        if not (out / shard).exists():
            link_file(raw / shard, out / shard)


def _messages(report: Report) -> list[str]:
    bad, rows = report.bad_rows, report.all_rows
    untold = sum(not pair.told for pair in report.pairs)
    torn = list(torn_groups(report.manifest))
    repeats = len({repeat.image for repeat in report.repeats})
    differ = len({repeat.image for repeat in report.repeats if repeat.differ})
    two_labels = len(report.two_labels)
    lines = {
        f"{bad:,} of {rows:,} rows are bad: quarantine.csv names each with its reason": bad,
        f"{len(report.repaired_masks):,} masks held other values than 0 and 255 and were repaired": len(report.repaired_masks),
        f"{untold:,} pairs of images show the same lesion, which the tables do not say; each pair stays in one split": untold,
        f"{report.set_aside:,} images repeat groups of two splits and were set aside: see quarantine.csv": report.set_aside,
        f"{repeats:,} images have the pixels of another and were left out, {differ:,} of them with other metadata": repeats,
        f"{two_labels:,} images of the same pixels have two labels and were set aside for classification": two_labels,
        f"the official split tears {len(torn):,} groups apart, so figures on it are too good: {', '.join(torn[:3])} …": len(torn),
    }
    return [line for line, count in lines.items() if count] + few_images(report.manifest)
