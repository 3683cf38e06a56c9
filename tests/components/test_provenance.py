"""What the links of a model's chain are computed from."""

import json
from pathlib import Path

import pytest

from components.bundle import DESCRIPTION, MODEL, WEIGHTS, bundle_digest
from components.dataset import Dataset, read_manifest
from components.errors import BundleError
from components.files import sha256_file
from components.lesions import Task
from components.promotion.entries import Action, Content, Entry, Outcome, Release
from components.promotion.ledger import ReleaseLedger
from components.provenance.decisions import find_decisions
from components.provenance.files import file_digests
from components.provenance.images import image_list_digest
from components.provenance.machine import FILE, note_machine, read_machines, this_machine
from tests.bundles import classifier_bundle
from tests.components.promotion.records import decided, moved, release, version
from tests.datasets import preprocessed_dataset


class TestImages:
    @pytest.fixture
    def dataset(self, tmp_path: Path) -> Dataset:
        return Dataset(preprocessed_dataset(tmp_path / "data", per_class=3))

    def test_the_order_of_rows_and_labels_do_not_count(self, dataset: Dataset) -> None:
        turned = dataset.manifest.iloc[::-1].assign(label="NV")
        assert image_list_digest(dataset.with_manifest(turned), Task.CLASSIFICATION) == image_list_digest(
            dataset, Task.CLASSIFICATION
        )

    @pytest.mark.parametrize(("column", "value"), [("split", "test"), ("sha256", "0" * 64), ("image_id", "another")])
    def test_another_split_file_or_id_is_another_list(self, dataset: Dataset, column: str, value: str) -> None:
        manifest = read_manifest(dataset.root)
        row = manifest.index[(manifest["task"] == "classification") & (manifest["split"] == "train")][0]
        manifest.loc[row, column] = value
        changed = dataset.with_manifest(manifest)
        assert image_list_digest(changed, Task.CLASSIFICATION) != image_list_digest(dataset, Task.CLASSIFICATION)
        assert image_list_digest(changed, Task.SEGMENTATION) == image_list_digest(dataset, Task.SEGMENTATION)


class TestFiles:
    def test_each_file_has_the_digest_of_its_bytes(self, tmp_path: Path) -> None:
        bundle = classifier_bundle(tmp_path / "bundle")
        digests = file_digests(bundle)
        assert digests[DESCRIPTION] == bundle_digest(bundle)
        assert {name: sha256_file(bundle / name) for name in (MODEL, WEIGHTS)} == {name: digests[name] for name in (MODEL, WEIGHTS)}

    def test_a_changed_description_is_refused(self, tmp_path: Path) -> None:
        bundle = classifier_bundle(tmp_path / "bundle")
        text = (bundle / DESCRIPTION).read_text()
        (bundle / DESCRIPTION).write_text(text.replace("tiny_classifier", "other"))
        with pytest.raises(BundleError, match="its bytes changed"):
            file_digests(bundle)


class TestMachine:
    def test_a_training_that_went_on_elsewhere_names_both_machines(self, tmp_path: Path) -> None:
        note_machine(tmp_path)
        note_machine(tmp_path)
        assert read_machines(tmp_path) == [this_machine()]
        (tmp_path / FILE).write_text(json.dumps(["aarch64, another, 64 threads, no GPU"]))
        note_machine(tmp_path)
        assert read_machines(tmp_path) == ["aarch64, another, 64 threads, no GPU", this_machine()]

    def test_where_none_was_noted_none_is_known(self, tmp_path: Path) -> None:
        assert read_machines(tmp_path) == []


class TestDecisions:
    def entries(self, folder: Path, *contents: Content) -> list[Entry]:
        ledger = ReleaseLedger(f"sqlite:///{folder / 'ledger.db'}")
        for content in contents:
            ledger.append(content, after=ledger.newest())
        return ledger.entries()

    def test_the_whole_story_of_a_version(self, tmp_path: Path) -> None:
        entries = self.entries(
            tmp_path,
            decided(1, Outcome.PROMOTE, release(1)),
            decided(2, Outcome.NEEDS_APPROVAL, release(1), champion=1, approvals=1),
            moved(Action.APPROVE, release(2), version(2)),
            moved(Action.ROLLBACK, release(1)),
        )
        found, digest = find_decisions(entries, "lesion-classifier/2")
        assert digest == version(2).digest
        assert found.outcome == "needs approval"
        assert not found.serves
        (approver,) = found.approvers
        assert approver.startswith(f"{entries[2].actor}, key ")
        assert approver.endswith("entry 3: because")
        assert [act.what for act in found.acts] == ["judged: needs approval", "approve; serves from here on", "serves no more"]
        assert find_decisions(entries, "lesion-classifier/1")[0].serves

    def test_an_approval_of_an_earlier_judgement_does_not_count(self, tmp_path: Path) -> None:
        entries = self.entries(
            tmp_path,
            decided(2, Outcome.NEEDS_APPROVAL, Release(), approvals=1),
            moved(Action.APPROVE, release(2), version(2)),
            decided(2, Outcome.NEEDS_APPROVAL, release(2), approvals=1),
        )
        assert find_decisions(entries, "lesion-classifier/2")[0].approvers == ()

    def test_a_version_that_no_entry_names_was_never_judged(self, tmp_path: Path) -> None:
        found, digest = find_decisions(self.entries(tmp_path, decided(1, Outcome.PROMOTE, release(1))), "lesion-classifier/9")
        assert (found.outcome, digest) == (None, None)
