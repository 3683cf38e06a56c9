"""The bundle that a training goes on from: fetched by its digest, and refused where it knows the images that judge."""

from pathlib import Path

import pandas as pd
import pytest

from components.bundle import Bundle, Description, Parent, bundle_digest, read_description
from components.dataset import Dataset, read_manifest, write_manifest
from components.errors import DataRefused, TrackingError
from components.lesions import Split, Task
from components.params import bundle_weights, load_params
from components.provenance.splits import told
from components.register.context import RunContext
from components.registered import fetch_splits
from components.store import Store, copy_tree
from components.tracking import Ledger
from pipelines.home import Home
from pipelines.parents import KnownSplits, count_learned, count_learned_before, take_parent, take_segmenter
from pipelines.publish import _data_context
from tests.bundles import classifier_bundle, segmenter_bundle
from tests.components.register.conftest import Made, judged, trained
from tests.datasets import preprocessed_dataset
from tests.trainings import classifier_params


@pytest.fixture(scope="module")
def dataset(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return preprocessed_dataset(tmp_path_factory.mktemp("data"), per_class=3)


@pytest.fixture
def home(dataset: Path, mlflow_uri: str, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Home:
    """A home that has a dataset, as preprocess left it, and MLflow's database."""
    monkeypatch.delenv("MLFLOW_TRACKING_URI", raising=False)
    home = Home(tmp_path / "home")
    Store(home.root).execute("preprocess", "a" * 20, lambda work: copy_tree(dataset, work))
    return home


def moved(dataset: Path, out: Path, before: Split, after: Split) -> Path:
    """The dataset with all images of a split in another one."""
    copy_tree(dataset, out)
    manifest = read_manifest(out)
    manifest.loc[manifest["split"] == before.value, "split"] = after.value
    manifest.loc[manifest["split"] == Split.TEST.value, "fold"] = None
    write_manifest(out, manifest)
    return out


def register(home: Home, dataset: Path, root: Path) -> Path:
    """Register a classifier that was trained on a dataset."""
    bundle = trained(classifier_bundle(root / "tiny_cnn", name="tiny_cnn", data_version=Dataset(dataset).version))
    made = Made(dataset, [bundle], judged(dataset, [bundle], root / "judged"))
    made.register(Ledger(home.tracking_uri, "dermacare"), root / "registered", RunContext(run_id="first"))
    return bundle


def take(home: Home, bundle: Path, dataset: Path, out: Path) -> None:
    out.mkdir(exist_ok=True)
    params = classifier_params(weights=bundle_weights("elsewhere/3", bundle_digest(bundle)))
    take_parent(home, params, Task.CLASSIFICATION, dataset, out)


def test_it_is_fetched_by_its_digest_whatever_the_version_is_called(home: Home, dataset: Path, tmp_path: Path) -> None:
    bundle = register(home, dataset, tmp_path)
    take(home, bundle, dataset, tmp_path / "out")
    assert bundle_digest(tmp_path / "out" / "parent") == bundle_digest(bundle)
    Bundle.load(tmp_path / "out" / "parent")


def test_what_lies_there_already_is_not_fetched_again(home: Home, dataset: Path, tmp_path: Path) -> None:
    bundle = register(home, dataset, tmp_path)
    take(home, bundle, dataset, tmp_path / "out")
    (home.root / "mlflow.db").unlink()
    take(home, bundle, dataset, tmp_path / "out")


def test_a_training_that_starts_from_something_else_asks_nobody(dataset: Path, tmp_path: Path) -> None:
    take_parent(Home(tmp_path / "none"), classifier_params(weights="none"), Task.CLASSIFICATION, dataset, tmp_path)
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("database", [True, False])
def test_a_bundle_that_mlflow_does_not_know_is_refused(home: Home, dataset: Path, tmp_path: Path, database: bool) -> None:
    if not database:
        (home.root / "mlflow.db").unlink()
    with pytest.raises(TrackingError, match=r"no registered model whose bundle is bundle:elsewhere/3#sha256=.*; name the server"):
        take(home, classifier_bundle(tmp_path / "unknown", name="tiny_cnn"), dataset, tmp_path / "out")


def test_a_parent_that_learned_from_what_is_test_now_is_refused(home: Home, dataset: Path, tmp_path: Path) -> None:
    bundle = register(home, dataset, tmp_path)
    now = moved(dataset, tmp_path / "now", Split.TRAIN, Split.TEST)
    learned = len(Dataset(dataset).rows(Task.CLASSIFICATION, Split.TRAIN))
    with pytest.raises(DataRefused, match=rf"learned from {learned} images that would judge what is trained on from it"):
        take(home, bundle, now, tmp_path / "out")


def test_data_that_grew_gives_no_image_another_split(home: Home, dataset: Path, tmp_path: Path) -> None:
    grown = preprocessed_dataset(tmp_path / "grown", per_class=6)
    assert count_learned(KnownSplits(home), Dataset(dataset).version, Dataset(grown), Task.CLASSIFICATION, 1) == 0
    # What was judged may be learned from: nobody has learned from it before.
    fewer = moved(dataset, tmp_path / "fewer", Split.VAL, Split.TRAIN)
    assert count_learned(KnownSplits(home), Dataset(dataset).version, Dataset(fewer), Task.CLASSIFICATION, 1) == 0


def test_what_any_model_before_it_learned_from_counts(home: Home, dataset: Path, tmp_path: Path) -> None:
    splits, version = KnownSplits(home), Dataset(dataset).version
    now = Dataset(moved(dataset, tmp_path / "now", Split.TRAIN, Split.TEST))
    learned = len(Dataset(dataset).rows(Task.CLASSIFICATION, Split.TRAIN))

    def count(newest: str, *earlier: str) -> int | None:
        parent = Parent(digest="d" * 64, name="tiny_cnn", data_version=newest, phantom=False, earlier=earlier)
        return count_learned_before(splits, parent, now, Task.CLASSIFICATION, 1)

    assert count(version) == learned
    assert count("e" * 64, version) == learned, "of the other nothing is known, but this is enough"
    assert count("e" * 64) is None
    same = Parent(digest="d" * 64, name="tiny_cnn", data_version=version, phantom=False, earlier=("e" * 64,))
    assert count_learned_before(splits, same, Dataset(dataset), Task.CLASSIFICATION, 1) is None


def test_a_champion_learned_from_what_any_model_before_it_did(home: Home, dataset: Path, tmp_path: Path) -> None:
    version, store = Dataset(dataset).version, Store(home.root)
    now = moved(dataset, tmp_path / "now", Split.TRAIN, Split.TEST)
    store.execute("preprocess", "b" * 20, lambda work: copy_tree(now, work))
    judges = Dataset(now)
    learned = len(Dataset(dataset).rows(Task.CLASSIFICATION, Split.TRAIN))
    # The newest is trained on what lies in test now, with none of that in train.
    young = read_description(classifier_bundle(tmp_path / "tiny_cnn", data_version=judges.version))
    count = _data_context(home, judges, store, None, None).learned

    def after(*versions: str) -> Description:
        newest, *earlier = versions
        parent = Parent(digest="d" * 64, name="tiny_cnn", data_version=newest, phantom=False, earlier=tuple(earlier))
        return young.model_copy(update={"parent": parent})

    assert count(young) == 0
    assert count(after(version)) == count(after(judges.version, version)) == learned
    assert count(after(version, "e" * 64)) == learned, "of the other nothing is known, but this is enough"
    assert count(after("e" * 64)) is None


def test_what_nobody_registered_is_not_known(home: Home, dataset: Path) -> None:
    assert count_learned(KnownSplits(home), "e" * 64, Dataset(dataset), Task.CLASSIFICATION, 1) is None
    (home.root / "mlflow.db").unlink()
    assert count_learned(KnownSplits(home), "e" * 64, Dataset(dataset), Task.CLASSIFICATION, 1) is None


def test_data_of_another_home_is_known_by_mlflow(home: Home, dataset: Path, tmp_path: Path) -> None:
    bundle = register(home, dataset, tmp_path)
    Store(home.root).delete("preprocess", "a" * 20)
    take(home, bundle, dataset, tmp_path / "out")
    assert read_description(tmp_path / "out" / "parent").name == "tiny_cnn"
    now = moved(dataset, tmp_path / "now", Split.TRAIN, Split.TEST)
    with pytest.raises(DataRefused, match="images that would judge what is trained on from it"):
        take(home, bundle, now, tmp_path / "again")


def test_mlflow_is_told_of_splits_and_not_of_ids(home: Home, dataset: Path, tmp_path: Path) -> None:
    register(home, dataset, tmp_path)
    known = fetch_splits(Ledger(home.tracking_uri, "dermacare"), Dataset(dataset).version)
    assert known is not None
    rows = Dataset(dataset).manifest
    pd.testing.assert_frame_equal(known, told(rows).reset_index(drop=True), check_dtype=False)
    content = known.to_csv()
    assert not any(name in content for name in [*rows["image_id"], *rows["lesion_id"], *rows["group_id"]])


def test_the_segmenter_to_crop_by_is_fetched_too(home: Home, dataset: Path, tmp_path: Path) -> None:
    segmenter = trained(segmenter_bundle(tmp_path / "unet_tiny", name="unet_tiny"))
    classifier = trained(classifier_bundle(tmp_path / "tiny_cnn", name="tiny_cnn"))
    made = Made(dataset, [segmenter, classifier], judged(dataset, [segmenter, classifier], tmp_path / "judged"))
    made.register(Ledger(home.tracking_uri, "dermacare"), tmp_path / "registered", RunContext(run_id="first"))
    whole = load_params().params.preprocess
    take_segmenter(home, whole, tmp_path)
    assert not (tmp_path / "segmenter").exists()
    named = bundle_weights("lesion-segmenter/1", bundle_digest(segmenter))
    take_segmenter(home, whole.model_copy(update={"segmenter": named}), tmp_path)
    assert bundle_digest(tmp_path / "segmenter") == bundle_digest(segmenter)


def test_with_folds_an_image_of_another_fold_is_learned_and_one_of_the_same_is_not(
    home: Home, dataset: Path, tmp_path: Path
) -> None:
    splits, version = KnownSplits(home), Dataset(dataset).version
    assert count_learned(splits, version, Dataset(dataset), Task.CLASSIFICATION, 5) == 0
    copy_tree(dataset, tmp_path / "cut")
    manifest = read_manifest(tmp_path / "cut")
    lesion = manifest.loc[manifest["fold"].notna(), "lesion_id"].iloc[0]
    rows = manifest["lesion_id"] == lesion
    manifest.loc[rows, "fold"] = (manifest.loc[rows, "fold"] + 1) % 5
    write_manifest(tmp_path / "cut", manifest)
    cut = Dataset(tmp_path / "cut")
    moved_images = int((cut.rows(Task.CLASSIFICATION)["lesion_id"] == lesion).sum())
    assert count_learned(splits, version, cut, Task.CLASSIFICATION, 5) == moved_images > 0
