"""A whole intake over dataset folders."""

import json
from pathlib import Path

import numpy as np
import pytest

from components.dataset import Dataset, read_manifest, write_manifest
from components.errors import DatasetError
from components.intake import Before, Intake, intake, read_intake
from components.intake.features import describe, joined
from components.lesions import CODES, Task
from components.params import IntakeParams
from components.provenance.splits import told
from components.reporter import Reporter
from tests.datasets import encoded_dataset


def validated(root: Path, per_class: int) -> Path:
    """What `validate` hands on, with nothing that repeats anything."""
    encoded_dataset(root, per_class=per_class, images_per_lesion=1, tasks=[Task.CLASSIFICATION])
    report: dict[str, list[object]] = {"near_duplicates": [], "exact_duplicates": [], "two_labels": []}
    (root / "report.json").write_text(json.dumps(report))
    return root


@pytest.fixture
def before(tmp_path: Path) -> Before:
    folder = validated(tmp_path / "before", 10)
    return Before(Dataset(folder).version, folder)


def take_in(before: Before, after: Path, out: Path, *checks: str) -> Intake:
    out.mkdir()
    intake(before, after, out, IntakeParams(checks=checks), Reporter(out, "intake"))
    return read_intake(out)


def test_counts_and_findings_are_written_and_the_same_each_time(before: Before, tmp_path: Path) -> None:
    after = validated(tmp_path / "after", 30)
    found = take_in(before, after, tmp_path / "out", "copies", "missing_class")
    assert (found.new, found.kept, found.gone, found.relabelled) == (20 * len(CODES), 10 * len(CODES), 0, 0)
    assert [(one.check, one.refuses) for one in found.findings] == [("copies", False), ("missing_class", False)]
    assert (found.before, found.after) == (before.version, Dataset(after).version)
    take_in(before, after, tmp_path / "again", "copies", "missing_class")
    assert (tmp_path / "out/intake.json").read_bytes() == (tmp_path / "again/intake.json").read_bytes()


def test_a_batch_without_a_class_is_refused(before: Before, tmp_path: Path) -> None:
    after = validated(tmp_path / "after", 30)
    rows = read_manifest(after)
    late = rows["lesion_id"].str.endswith(tuple(f"_0{number}" for number in range(10, 30))) & (rows["label"] == "MEL")
    write_manifest(after, rows[~late])
    found = take_in(before, after, tmp_path / "out", "missing_class")
    (refusal,) = found.refusals
    assert refusal.sentence == "the batch of 140 lesions has none of MEL (about 18 were to be expected)"


def test_where_only_digests_of_the_old_data_are_known_the_same_images_count_as_new(before: Before, tmp_path: Path) -> None:
    after = validated(tmp_path / "after", 30)
    digests = Before(before.version, None, told(read_manifest(before.validated)))
    found = take_in(digests, after, tmp_path / "out", "copies", "missing_class")
    assert (found.new, found.kept) == (20 * len(CODES), 10 * len(CODES))


def test_a_damaged_report_says_what_to_do(tmp_path: Path) -> None:
    (tmp_path / "intake.json").write_text("{}")
    with pytest.raises(DatasetError, match="retrain again"):
        read_intake(tmp_path)


def test_pictures_of_any_size_are_described_one_by_one() -> None:
    def mean_colour(images: np.ndarray) -> np.ndarray:
        return images.mean(axis=(1, 2))

    grey = [np.full((height, 40, 3), 51, np.uint8) for height in (30, 60)]
    found = joined([describe(grey, mean_colour), describe(grey[:1], mean_colour)])
    assert found.features == pytest.approx(np.full((3, 3), 0.2), abs=1e-3)
    assert found.appearance.shape == (3, 26)
    assert joined([]).features.shape == (0, 1280)


@pytest.mark.slow
def test_flipped_labels_are_refused(tmp_path: Path) -> None:
    folder = validated(tmp_path / "before", 30)
    before, after = Before(Dataset(folder).version, folder), validated(tmp_path / "after", 40)
    assert not take_in(before, after, tmp_path / "sound", "modality", "labels").refusals
    rows = read_manifest(after)
    late = rows["lesion_id"].str.endswith(tuple(f"_0{number}" for number in (30, 33, 36, 39)))
    other = rows["label"].map(lambda code: CODES[(CODES.index(code) + 1) % len(CODES)])
    write_manifest(after, rows.assign(label=rows["label"].where(~late, other)))
    found = take_in(before, after, tmp_path / "flipped", "modality", "labels")
    assert [one.check for one in found.refusals] == ["labels"]
    assert len(found.refusals[0].images) > 16
    assert not (tmp_path / "flipped/described").exists()
