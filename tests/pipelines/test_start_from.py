"""`--from`: which version is meant, which model starts from it, and what is refused."""

from dataclasses import dataclass, replace
from pathlib import Path

import pytest

from components.bundle import CARD, MODEL, WEIGHTS, Parent, bundle_digest, read_description, write_bundle
from components.dataset import Dataset
from components.errors import ParamsError
from components.params import Params, Resolved, bundle_weights, for_model, load_params, version_of
from components.register.context import RunContext
from components.tracking import Ledger
from dermacare.run_command import plan_run
from pipelines.crop_by import Crop, cropped, find_crop, resolved_crop
from pipelines.home import Home
from pipelines.plan import make_plan
from pipelines.releases import Releases
from pipelines.runner import Runner
from pipelines.runs import RunRecord
from pipelines.start import as_begun
from pipelines.start_from import Start, check_reachable, find_starts, started, withdrawn_from
from tests.bundles import segmenter_bundle
from tests.components.register.conftest import Made, classifier, judged, trained
from tests.datasets import preprocessed_dataset
from tests.mlflow_server import address

TINY = (
    "train_classifier.models=[tiny_cnn,resnet50]",
    "train_unet.models=[unet_tiny]",
    "preprocess.remove_hair=false",
    "preprocess.equalise=false",
)


@dataclass(frozen=True)
class Registered:
    """A home in which two classifiers and a segmenter are registered."""

    home: Home
    models: dict[str, Path]


@pytest.fixture(scope="module")
def registered(mlflow_database: Path, tmp_path_factory: pytest.TempPathFactory) -> Registered:
    root = tmp_path_factory.mktemp("registered")
    ledger = Ledger(address(mlflow_database, root / "home"), "dermacare")
    dataset = preprocessed_dataset(root / "data", per_class=3)
    version = Dataset(dataset).version
    models = {
        "lesion-segmenter/1": trained(segmenter_bundle(root / "unet_tiny", name="unet_tiny", data_version=version)),
        "lesion-classifier/1": classifier(dataset, root / "first", name="tiny_cnn"),
        "lesion-classifier/2": classifier(dataset, root / "second", name="tiny_cnn", sharpness=300),
    }
    for number, paths in enumerate([list(models.values())[:2], list(models.values())[2:]]):
        made = Made(dataset, paths, judged(dataset, paths, root / f"evaluation-{number}"))
        made.register(ledger, root / "home" / f"out-{number}", RunContext(run_id=f"run-{number}"))
    home = Home(root / "home")
    with pytest.MonkeyPatch.context() as patch:
        patch.delenv("MLFLOW_TRACKING_URI", raising=False)
        Releases(home).approve("lesion-classifier/2", "as good as the first")
    return Registered(home, models)


@pytest.fixture(autouse=True)
def _own_mlflow(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("MLFLOW_TRACKING_URI", raising=False)


def params(*assignments: str) -> Params:
    return load_params(assignments=[*TINY, *assignments]).params


def weights(params: Params) -> dict[str, str]:
    sections = (params.train_unet, params.train_classifier)
    return {model: for_model(section, model).weights for section in sections for model in section.models}


@pytest.mark.parametrize(
    ("references", "versions"),
    [
        (["lesion-classifier/1"], {"tiny_cnn": "lesion-classifier/1"}),
        (["2"], {"tiny_cnn": "lesion-classifier/2"}),
        (["previous"], {"tiny_cnn": "lesion-classifier/1"}),
        (["production"], {"tiny_cnn": "lesion-classifier/2", "unet_tiny": "lesion-segmenter/1"}),
        (["lesion-segmenter/production"], {"unet_tiny": "lesion-segmenter/1"}),
        (["lesion-classifier/1", "lesion-segmenter/1"], {"tiny_cnn": "lesion-classifier/1", "unet_tiny": "lesion-segmenter/1"}),
    ],
)
def test_models_of_the_versions_architecture_start_from_it_and_others_do_not(
    registered: Registered, references: list[str], versions: dict[str, str]
) -> None:
    then = weights(params())
    now = weights(started(params(), find_starts(registered.home, params(), references)))
    expected = {model: bundle_weights(version, bundle_digest(registered.models[version])) for model, version in versions.items()}
    assert now == then | expected


def test_a_number_names_the_version_of_the_task_that_is_trained(registered: Registered) -> None:
    (start,) = find_starts(registered.home, params("train_classifier.models=[]"), ["1"])
    assert start.version == "lesion-segmenter/1"


@pytest.mark.parametrize(
    ("references", "assignments", "told"),
    [
        (["1"], [], r"--from: 1 may be lesion-classifier/1 or lesion-segmenter/1; write one of these"),
        (
            ["7"],
            [],
            r"--from: 7 is no version and no alias of a registered model; there are lesion-classifier/1 \(previous\), "
            r"lesion-classifier/2 \(production\), lesion-segmenter/1 \(production\)",
        ),
        (["staging"], [], "staging is no version and no alias"),
        (["lesion-finder/1"], [], "lesion-finder/1 is no version and no alias"),
        (
            ["2"],
            ["train_classifier.models=[resnet50]"],
            r"lesion-classifier/2 is a tiny_cnn, which this run does not train; give --set "
            r"train_classifier.models=\[resnet50,tiny_cnn\], or \[tiny_cnn\] alone",
        ),
        (["lesion-segmenter/1"], ["train_unet.models=[]"], r"lesion-segmenter/1 is given, but train_unet.models is empty"),
        (["lesion-classifier/1", "2"], [], "lesion-classifier/1, lesion-classifier/2 are all a tiny_cnn"),
        (
            ["2"],
            ["preprocess.remove_hair=true"],
            "lesion-classifier/2 saw images that preprocess.remove_hair=false made, and it is true; "
            "give --set preprocess.remove_hair=false",
        ),
        (["2"], ["preprocess.equalise=true"], "saw images that preprocess.equalise=false made"),
    ],
)
def test_what_cannot_be_started_from_is_refused_with_a_way_out(
    registered: Registered, references: list[str], assignments: list[str], told: str
) -> None:
    with pytest.raises(ParamsError, match=told):
        find_starts(registered.home, params(*assignments), references)


def test_a_home_without_registered_models_says_so_and_makes_no_database(tmp_path: Path) -> None:
    with pytest.raises(ParamsError, match=r"nothing is registered in .* yet; run once without --from"):
        find_starts(Home(tmp_path), params(), ["1"])
    assert list(tmp_path.iterdir()) == []


def test_what_stays_off_and_lengths_that_follow_the_size_may_differ(registered: Registered) -> None:
    changed = params("preprocess.clip_limit=3", "preprocess.hair_kernel=5", "preprocess.shard_rows=7", "preprocess.mode=fast")
    assert find_starts(registered.home, changed, ["2"])


def test_a_version_that_learned_from_withdrawn_images_is_named(registered: Registered, monkeypatch, tmp_path: Path) -> None:
    withdraw(read_description(registered.models["lesion-classifier/2"]).data_version, tmp_path, monkeypatch)
    (start,) = find_starts(registered.home, params(), ["2"])
    assert start.withdrawn == ("P_1",)


def withdraw(version: str, folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Work in a folder whose withdrawn.csv names a patient of whom a data version had an image."""
    row = f"P_1,patient,2026-11-01,,1,T_1,{'0' * 64},{version},,\n"
    (folder / "withdrawn.csv").write_text("id,kind,when,reason,images,image_ids,sha256,versions,folders,seen_by\n" + row)
    monkeypatch.chdir(folder)


def test_what_a_model_before_it_learned_from_counts_as_withdrawn_too(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    withdraw("a" * 64, tmp_path, monkeypatch)
    described = read_description(segmenter_bundle(tmp_path / "segmenter"))
    before = Parent(digest="d" * 64, name="unet_tiny", data_version="b" * 64, phantom=False, earlier=("a" * 64,))
    assert withdrawn_from(described) == ()
    assert withdrawn_from(described.model_copy(update={"parent": before})) == ("P_1",)


def test_a_cluster_cannot_fetch_from_a_home_of_this_machine(registered: Registered, monkeypatch: pytest.MonkeyPatch) -> None:
    asked = started(params(), find_starts(registered.home, params(), ["2"]))
    with pytest.raises(ParamsError, match=r"lesion-classifier/2 is to be used, but lies in this home's own MLflow"):
        check_reachable(registered.home, asked)
    monkeypatch.setenv("MLFLOW_TRACKING_URI", "https://mlflow.example")
    check_reachable(registered.home, asked)


class TestAliasThatMoved:
    """The same command again, once `production` is what it made."""

    PARENT = bundle_weights("lesion-classifier/1", "1" * 64)
    START = Start("train_classifier", "tiny_cnn", "lesion-classifier/2", bundle_weights("x/2", "2" * 64), "first", True, ())
    SEGMENTER = bundle_weights("lesion-segmenter/1", "3" * 64)
    CROP = Crop("lesion-segmenter/2", bundle_weights("lesion-segmenter/2", "4" * 64), "first", True, ())

    def record(self, params: Params) -> RunRecord:
        plan = make_plan(params, fingerprint="f", run_id="first")
        return RunRecord("first", "", "", params.model_dump(mode="json", by_alias=True), plan.as_json())

    def again(self, asked: Params, record: RunRecord, start: Start | None = START, crop: Crop | None = None) -> Params | None:
        def is_work_of(params: Params, run: RunRecord) -> bool:
            return make_plan(params, fingerprint="f", run_id="again").same_work(run.steps)

        return as_begun(asked, [] if start is None else [start], crop, [record], is_work_of)

    def test_the_run_that_made_it_is_taken_up(self) -> None:
        begun = started(params(), [replace(self.START, weights=self.PARENT)])
        assert self.again(params(), self.record(begun)) == begun

    def test_after_any_change_it_starts_from_what_is_in_production_now(self) -> None:
        begun = started(params(), [replace(self.START, weights=self.PARENT)])
        assert self.again(params("train_classifier.epochs=31"), self.record(begun)) is None

    def test_a_number_means_what_it_says(self) -> None:
        begun = started(params(), [replace(self.START, weights=self.PARENT)])
        assert self.again(params(), self.record(begun), replace(self.START, by_alias=False)) is None

    def test_a_run_that_started_from_nothing_is_gone_on_from(self) -> None:
        assert self.again(params(), self.record(params())) is None

    def test_a_segmenter_that_the_run_made_crops_nothing_of_the_run_itself(self) -> None:
        begun = cropped(params(), self.SEGMENTER)
        asked = cropped(params(), self.CROP.segmenter)
        assert self.again(asked, self.record(begun), None, self.CROP) == begun
        changed = cropped(params("train_classifier.epochs=31"), self.CROP.segmenter)
        assert self.again(changed, self.record(begun), None, self.CROP) is None
        assert self.again(asked, self.record(begun), None, replace(self.CROP, by_alias=False)) is None
        assert self.again(asked, self.record(params()), None, self.CROP) is None

    def test_a_run_of_another_version_of_this_program_is_not_taken_up(self) -> None:
        record = self.record(started(params(), [replace(self.START, weights=self.PARENT)]))
        assert self.again(params(), replace(record, params={"train_classifier": {"mystery": 1}})) is None

    def test_both_aliases_may_have_moved_by_the_same_run(self) -> None:
        begun = cropped(started(params(), [replace(self.START, weights=self.PARENT)]), self.SEGMENTER)
        assert self.again(cropped(params(), self.CROP.segmenter), self.record(begun), crop=self.CROP) == begun


def test_the_key_of_a_training_knows_the_bytes_that_it_starts_from_and_not_where_they_lie() -> None:
    def key(weights: str) -> str:
        asked = params(f"train_classifier.weights={weights}")
        return make_plan(asked, fingerprint="f", run_id="r")["train_classifier/tiny_cnn"].key

    digest, other = "1" * 64, "2" * 64
    assert key(f"/a/b.weights.h5#sha256={digest}") == key(f"c.weights.h5#sha256={digest}") != key(f"c.weights.h5#sha256={other}")
    assert key(bundle_weights("lesion-classifier/1", digest)) == key(f"bundle#sha256={digest}")
    assert key(f"bundle#sha256={digest}") != key(f"c.weights.h5#sha256={digest}")


def test_images_must_be_cropped_as_the_version_saw_them(registered: Registered) -> None:
    with pytest.raises(ParamsError, match="lesion-classifier/2 saw images that were not cropped, and this run does otherwise"):
        find_starts(registered.home, by_crop(registered, "production").params, ["lesion-classifier/2"])


def by_crop(registered: Registered, reference: str | None) -> Resolved:
    resolved = load_params(assignments=[*TINY])
    return resolved_crop(resolved, find_crop(registered.home, resolved.params, reference, []))


@pytest.mark.parametrize("reference", ["1", "production", "lesion-segmenter/1"])
def test_a_segmenter_to_crop_by_is_named_by_its_version(registered: Registered, reference: str) -> None:
    resolved = by_crop(registered, reference)
    digest = bundle_digest(registered.models["lesion-segmenter/1"])
    assert resolved.params.preprocess.segmenter == bundle_weights("lesion-segmenter/1", digest)
    assert resolved.sources["preprocess.segmenter"] == "--crop-by"
    with pytest.raises(ParamsError, match="out of a cluster's reach"):
        check_reachable(registered.home, resolved.params)


@pytest.mark.parametrize("reference", ["7", "lesion-classifier/1", "challenger"])
def test_what_is_no_segmenter_is_refused(registered: Registered, reference: str) -> None:
    with pytest.raises(ParamsError, match=f"--crop-by: {reference} is no version .* of lesion-segmenter; its versions are: 1"):
        by_crop(registered, reference)


def test_without_a_segmenter_there_is_nothing_to_crop_by(registered: Registered, tmp_path: Path) -> None:
    assert by_crop(registered, None).params.preprocess.segmenter is None
    with pytest.raises(ParamsError, match=r"nothing is registered in .* yet; run once without it"):
        find_crop(Home(tmp_path), params(), "production", [])


@pytest.fixture
def moved_on(mlflow_uri: str, tmp_path: Path) -> Home:
    """A home whose classifier was cropped by the first segmenter, where `production` is the second."""
    ledger, home = Ledger(mlflow_uri, "dermacare"), tmp_path / "home"
    dataset = preprocessed_dataset(tmp_path / "data", per_class=3)
    names = {"name": "unet_tiny", "data_version": Dataset(dataset).version}
    first, second = (trained(segmenter_bundle(tmp_path / f"at {at}", threshold=at, **names)) for at in (0.35, 0.36))
    cut = cropped_bundle(classifier(dataset, tmp_path / "classifier", name="tiny_cnn"), first)
    for number, paths in enumerate([[first, cut], [second]]):
        made = Made(dataset, paths, judged(dataset, paths, tmp_path / f"evaluation-{number}"))
        made.register(ledger, home / f"out-{number}", RunContext(run_id=f"run-{number}"))
    Releases(Home(home)).approve("lesion-segmenter/2", "as good as the first")
    return Home(home)


def cropped_bundle(bundle: Path, segmenter: Path) -> Path:
    """Make a classifier's bundle one whose images a segmenter cropped."""
    described, made = read_description(bundle), bundle / "made.h5"
    named = cropped(params(), bundle_weights("lesion-segmenter/1", bundle_digest(segmenter))).preprocess.segmenter
    preprocess = described.preprocess.model_copy(update={"segmenter": named})
    changes = {"preprocess": preprocess, "segmenter_files": read_description(segmenter).files}
    (bundle / WEIGHTS).rename(made)
    model, card = (bundle / MODEL).read_bytes(), (bundle / CARD).read_text()
    write_bundle(bundle, described.model_copy(update=changes), model=model, weights=[made], card=card, segmenter=segmenter)
    made.unlink()
    return bundle


def test_beside_from_an_alias_is_what_the_parent_was_cropped_by(moved_on: Home) -> None:
    crop = find_crop(moved_on, params(), "production", ["production"])
    assert crop is not None
    assert (crop.version, crop.by_alias) == ("lesion-segmenter/1", False)
    starts = find_starts(moved_on, cropped(params(), crop.segmenter), ["production"])
    assert [start.version for start in starts] == ["lesion-classifier/1", "lesion-segmenter/2"]
    alone = find_crop(moved_on, params(), "production", [])
    assert alone is not None
    assert (alone.version, alone.by_alias, alone.run_id) == ("lesion-segmenter/2", True, "run-1")
    # A number means what it says.
    named = find_crop(moved_on, params(), "2", ["production"])
    assert named is not None
    with pytest.raises(ParamsError, match=r"lesion-classifier/1 saw images cropped by bundle:lesion-segmenter/1#.*does otherwise"):
        find_starts(moved_on, cropped(params(), named.segmenter), ["production"])


def test_a_segmenter_that_learned_from_withdrawn_images_is_told_of(
    registered: Registered, monkeypatch: pytest.MonkeyPatch, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    withdraw(read_description(registered.models["lesion-segmenter/1"]).data_version, tmp_path, monkeypatch)
    asked = load_params(assignments=[*TINY])
    way = {"runner": Runner.SUBPROCESS, "kubeflow": None}
    prepared = plan_run(registered.home, asked, profile=None, start_from=[], crop_by="production", **way)
    assert version_of(prepared.record.params["preprocess"]["segmenter"]) == "lesion-segmenter/1"
    told = " ".join(capsys.readouterr().out.split())
    assert "classifiers see images that lesion-segmenter/1 crops" in told
    assert "lesion-segmenter/1 learned from images that were withdrawn since (P_1)" in told


def test_folds_start_from_a_version_with_the_same_folds_alone(registered: Registered) -> None:
    told = "--from: lesion-classifier/2: tiny_cnn was trained with folds 1, and goes on with folds 5, so that it learned"
    with pytest.raises(ParamsError, match=told):
        find_starts(registered.home, params("train_classifier.folds=5"), ["lesion-classifier/2"])
