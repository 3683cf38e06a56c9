"""Versions of the data with the real steps: one image more, and one image less."""

import csv
import re
import shutil
import subprocess
from dataclasses import dataclass
from pathlib import Path

import pandas as pd
import pytest

from components.dataset import Dataset, read_manifest
from components.files import sha256_file
from components.withdrawn import FILE, read_withdrawn
from tests.data_project import holding
from tests.e2e.test_dvc import UP_TO_DATE, Clone, outcomes
from tests.isic_folder import IsicFolder

pytestmark = pytest.mark.slow

STEPS = ("ingest", "validate", "preprocess")
NEW = "ISIC_MEL_new"


@dataclass(frozen=True)
class Story:
    """A clone whose data is committed and pushed, and the folder from which it comes."""

    clone: Clone
    hospital: IsicFolder


def commit(clone: Clone) -> None:
    clone("git", "add", "--all")
    clone("git", "-c", "user.name=Ada", "-c", "user.email=ada@example.org", "commit", "--quiet", "--message", "data")


@pytest.fixture(scope="module")
def story(tmp_path_factory: pytest.TempPathFactory) -> Story:
    hospital = IsicFolder(tmp_path_factory.mktemp("sources") / "hospital").fill(12)
    clone = Clone.make(tmp_path_factory.mktemp("clone"), tmp_path_factory.mktemp("home"))
    clone.set(**{"ingest.sources": f"[{hospital.root}]", "preprocess.shard_rows": "64"})
    clone("dvc", "repro", "preprocess")
    commit(clone)
    clone("dermacare", "data", "push")
    return Story(clone, hospital)


@pytest.fixture
def own(story: Story, tmp_path: Path) -> Story:
    """A test's own clone on another machine: all that it has comes from the remote."""
    source = shutil.copytree(story.hospital.root, tmp_path / "hospital")
    hospital = IsicFolder(source)
    hospital.labels, hospital.facts = [*story.hospital.labels], [*story.hospital.facts]
    remote = shutil.copytree(story.clone.home / "remote", tmp_path / "remote")
    subprocess.run(["git", "clone", "--quiet", str(story.clone.root), str(tmp_path / "clone")], check=True)
    clone = Clone(tmp_path / "clone", tmp_path / "home")
    clone("dvc", "remote", "add", "--local", "--default", "team", str(remote))
    clone("dermacare", "data", "pull")
    clone.set(**{"ingest.sources": f"[{source}]", "preprocess.shard_rows": "64"})
    return Story(clone, hospital)


def shards(clone: Clone) -> dict[str, str]:
    found = [path for step in STEPS for path in (clone.root / "data" / step / "shards").iterdir()]
    return {path.relative_to(clone.root).as_posix(): sha256_file(path) for path in found}


def repro(clone: Clone) -> dict[str, str]:
    """Make the data again from its sources."""
    printed = clone("dvc", "repro", "--force", "--single-item", "ingest") + clone("dvc", "repro", "preprocess")
    return outcomes(printed)


def test_one_new_image_on_a_fresh_clone_rewrites_no_shard_and_moves_nothing(own: Story) -> None:
    before = shards(own.clone)
    own.hospital.image(NEW)
    own.hospital.mask(NEW)
    own.hospital.row(NEW, "MEL", lesion_id="L_new")
    own.hospital.tables()
    assert repro(own.clone) == dict.fromkeys(STEPS, "done")
    after = shards(own.clone)
    assert after.items() >= before.items()
    assert {Path(name).parts[1] for name in after.keys() - before.keys()} == set(STEPS)
    told = own.clone("dermacare", "data", "diff")
    assert "no lesion and no image moved between splits" in told
    assert re.search(r"all images +96 +1 +97", told)
    assert UP_TO_DATE in own.clone("dvc", "repro", "preprocess")


def test_a_second_repro_has_nothing_to_do_and_leaves_the_store_without_what_it_borrowed(own: Story) -> None:
    repro(own.clone)
    assert not [place.name for place in own.clone.home.glob("steps/*/*") if place.name.endswith("-out")]
    assert UP_TO_DATE in own.clone("dvc", "repro", "preprocess")


def test_half_a_checkout_does_not_pass_for_the_whole(own: Story) -> None:
    whole = read_manifest(own.clone.root / "data/ingest")
    for shard in (own.clone.root / "data/ingest/shards").iterdir():
        shard.unlink()
    repro(own.clone)
    dataset = Dataset(own.clone.root / "data/ingest")
    assert len(dataset.manifest) == len(whole)
    assert all(dataset.image_bytes(row) for _, row in dataset.manifest.iterrows())


def test_a_withdrawn_image_comes_back_from_no_source_and_leaves_no_byte(own: Story) -> None:
    clone = own.clone
    dataset = Dataset(clone.root / "data/validate")
    row = dataset.manifest[dataset.manifest["mask"].notna()].iloc[0]
    image = str(row["image_id"])
    pixels = Dataset(clone.root / "data/preprocess")
    same = pixels.manifest[pixels.manifest["image_id"] == image]
    pieces = [dataset.image_bytes(row)[-300:-10], dataset.mask_bytes(row)[30:]]
    pieces += [array.tobytes()[:600] for _, rows in same.groupby("task") for array in pixels.images(rows)]
    remote = clone.root.parent / "remote"
    assert len(holding(pieces, clone.home, clone.root, remote)) >= 8
    before = {p.name for p in (clone.root / "data/ingest/shards").iterdir()}
    clone("dermacare", "data", "withdraw", image, "--reason", "asked for it", "--yes")
    assert holding(pieces, clone.home, clone.root, remote) == []
    assert "changed outs" not in clone("dvc", "status", "ingest")
    clone("dvc", "repro", "preprocess")
    # The source offers it under its own name, and under another.
    renamed = own.hospital.root / "images" / "ISIC_renamed.jpg"
    renamed.write_bytes(next(own.hospital.root.glob(f"images/{image}.*")).read_bytes())
    own.hospital.row("ISIC_renamed", str(row["label"]))
    own.hospital.tables()
    assert repro(clone)["ingest"] == "done"
    for step in STEPS:
        left = read_manifest(clone.root / "data" / step)
        assert len(set(left["image_id"])) == 95
        assert not {image, "ISIC_renamed"} & set(left["image_id"])
    assert holding(pieces, clone.home, clone.root, remote) == []
    after = {p.name for p in (clone.root / "data/ingest/shards").iterdir()}
    assert len(after) == len(before)
    assert set(pd.read_csv(clone.root / FILE)["id"]) == {image}
    assert read_withdrawn(clone.root / FILE).rows[0].images == 1
    with (clone.root / "data/validate/quarantine.csv").open() as handle:
        assert image not in {cells["image"] for cells in csv.DictReader(handle)}


def test_a_run_keeps_a_withdrawn_image_out_too(own: Story) -> None:
    clone = own.clone
    image = "ISIC_NV_3"
    clone("dermacare", "data", "withdraw", image, "--yes")
    sets = ["--set", "train_classifier.models=[]", "--set", "train_unet.models=[unet_tiny]", "--set", "train_unet.epochs=1"]
    plan = clone("dermacare", "run", "--plan", *sets)
    assert re.search(r"ingest\s+│ run", plan)
    clone("dermacare", "run", *sets, "--offline")  # nothing of what is registered is looked at here
    manifests = [read_manifest(path.parent) for path in clone.home.glob("steps/*/*/out/manifest.parquet")]
    assert manifests
    assert not any((manifest["image_id"] == image).any() for manifest in manifests)
