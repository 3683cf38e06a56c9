"""The checks of a batch, one after the other: the cheap ones first, and the network only where one of the others needs it."""

import shutil
from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path

import numpy as np
import numpy.typing as npt
import pandas as pd

from components.dataset import Dataset
from components.groups import fold_of
from components.intake import copies, labels, missing_class, modality
from components.intake.batch import Batch, find_batch, find_batch_by_digests
from components.intake.features import Described, describe_rows
from components.intake.finding import Finding
from components.intake.labels import Labelled
from components.intake.report import Checked, Intake, write_intake
from components.params import IntakeParams
from components.reporter import Reporter
from components.validate.quarantine import read_quarantine

_KEPT = "described"


@dataclass(frozen=True)
class Before:
    """The version of the data behind what serves, as far as it is known.

    Attributes:
        version: its data version.
        validated: the output of `validate` that has it; None: it is not in this home.
        splits: its rows as digests, where no more is known of it.
    """

    version: str
    validated: Path | None
    splits: pd.DataFrame | None = None


def intake(before: Before, validated: Path, out: Path, params: IntakeParams, reporter: Reporter) -> None:
    """Compare what a version of the data brings with what was there, and say whether it may be trained on: intake.json.

    Nothing of the batch is learned from. Killed, it can be called again and goes on.

    Args:
        before: the version behind what serves.
        validated: `validate`'s output of the later version.
        out: the folder to write.
        params: which checks, and their limits.
        reporter: is told progress, and what refuses.

    Raises:
        DatasetError: a folder breaks its contract.
        WeightsError: EfficientNet-Lite0's weights are not installed, and a check needs them.
    """
    dataset = Dataset(validated)
    earlier = None if before.validated is None else Dataset(before.validated).manifest
    batch = _batch(before, earlier, dataset)
    checks = _Checks(before, earlier, batch, dataset, validated, out, params, reporter)
    findings = [checks.carry_out(name) for name in params.checks]
    for finding in findings:
        if finding.refuses:
            reporter.message(f"{finding.check}: {finding.sentence}")
    shutil.rmtree(out / _KEPT, ignore_errors=True)
    told = Intake(
        before=before.version,
        after=dataset.version,
        new=len(batch.new),
        relabelled=len(batch.relabelled),
        gone=len(batch.gone),
        kept=len(batch.kept),
        findings=tuple(Checked(**asdict(one)) for one in findings),
    )
    write_intake(out, told)


def _batch(before: Before, earlier: pd.DataFrame | None, dataset: Dataset) -> Batch:
    if earlier is not None:
        return find_batch(earlier, dataset.manifest)
    assert before.splits is not None, "the caller knows either"
    return find_batch_by_digests(before.splits, dataset.manifest)


class _Checks:
    """Each check, given what it needs."""

    def __init__(
        self,
        before: Before,
        earlier: pd.DataFrame | None,
        batch: Batch,
        dataset: Dataset,
        validated: Path,
        out: Path,
        params: IntakeParams,
        reporter: Reporter,
    ) -> None:
        self._before = before
        self._earlier = earlier
        self._batch = batch
        self._dataset = dataset
        self._validated = validated
        self._out = out
        self._params = params
        self._reporter = reporter
        self._described: dict[str, Described] = {}

    def carry_out(self, name: str) -> Finding:
        """What a check of this name says."""
        asked: dict[str, Callable[[], Finding]] = {
            copies.CHECK: self._copies,
            missing_class.CHECK: self._missing_class,
            modality.CHECK: self._modality,
            labels.CHECK: self._labels,
        }
        return asked[name]()

    def _copies(self) -> Finding:
        known = set(self._batch.kept["image_id"]) | set(self._batch.gone["image_id"])
        if self._before.validated is not None:
            known |= {problem.image for problem in read_quarantine(self._before.validated)}
        repeats = copies.read_repeats(self._validated)
        limits = {"share": self._params.copies, "contradictions": self._params.contradictions}
        return copies.copies(self._batch, self._earlier, repeats, known, **limits)

    def _missing_class(self) -> Finding:
        return missing_class.missing_class(self._batch, alpha=self._params.alpha)

    def _modality(self) -> Finding:
        old, new = self._reference(), _some(self._batch.new, self._params.most)
        if old.empty or new.empty:
            return Finding(modality.CHECK, False, "the batch has no new image")
        limits = {"share": self._params.strange, "alpha": self._params.alpha}
        ids = new["image_id"].to_numpy(object)
        known = modality.fit(self._describe("old", old), old["group_id"].to_numpy(object))
        return modality.modality(known, self._describe("new", new), ids, **limits)

    def _labels(self) -> Finding:
        old, new = self._reference(), _some(self._batch.new, self._params.most)
        again = _some(self._batch.relabelled, self._params.most)
        changed = pd.concat([new, again], ignore_index=True)
        if old["label"].isna().all() or changed["label"].isna().all():
            return Finding(labels.CHECK, False, "the batch has no new diagnosis")
        features = np.concatenate([self._describe(*one).features for one in (("new", new), ("relabelled", again))])
        old_images, new_images = _labelled(old, self._describe("old", old).features), _labelled(changed, features)
        return labels.labels(old_images, new_images, alpha=self._params.alpha, seed=self._params.seed)

    def _reference(self) -> pd.DataFrame:
        """The old images by which new ones are judged."""
        return _some(self._batch.kept, self._params.most)

    def _describe(self, name: str, rows: pd.DataFrame) -> Described:
        if name not in self._described:
            total = len(rows)
            tell = lambda done: self._reporter.progress(done, total, f"{name} images looked at")  # noqa: E731
            self._described[name] = describe_rows(self._dataset, rows, self._out / _KEPT / name, tell)
        return self._described[name]


def _some(rows: pd.DataFrame, most: int) -> pd.DataFrame:
    """All rows, or `most` of them by a hash of their groups: the same ones whatever else there is."""
    if len(rows) <= most:
        return rows
    place = rows["group_id"].map(lambda group: fold_of(f"intake:{group}", 2**32))
    return rows.assign(place=place).sort_values(["place", "image_id"]).head(most).sort_values("image_id")[list(rows.columns)]


def _labelled(rows: pd.DataFrame, features: npt.NDArray[np.float32]) -> Labelled:
    with_label = rows["label"].notna().to_numpy()
    columns: Sequence[npt.NDArray[np.object_]] = [
        rows[name].to_numpy(object)[with_label] for name in ("label", "group_id", "image_id")
    ]
    return Labelled(features[with_label], *columns)
