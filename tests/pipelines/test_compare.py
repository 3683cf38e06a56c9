"""`dermacare compare`: runs and versions of a home, and what MLflow has of another."""

import json
import re
import shutil
from collections.abc import Iterator
from dataclasses import replace
from functools import partial
from pathlib import Path

import pytest

from components.compare import Comparison
from components.compare.markdown import write_markdown
from components.compare.page import write_page
from components.dataset import Dataset, read_manifest, write_manifest
from components.errors import RunError
from components.lesions import Task
from components.tracking import Ledger
from dermacare.compare_command import compare as command
from pipelines.compare import Targets, compared
from pipelines.home import Home
from pipelines.runs import RunState, load, save
from tests.bundles import classifier_bundle, segmenter_bundle, trained_on
from tests.datasets import encoded_dataset, preprocessed_dataset
from tests.mlflow_server import address
from tests.pipelines.homes import RunsOfHome

DRAWN = partial(preprocessed_dataset, per_class=9)
SKILLED, BLIND = partial(classifier_bundle, name="tiny_cnn"), partial(classifier_bundle, name="tiny_cnn", sharpness=0)
SHARP, BLUNT = partial(segmenter_bundle, name="unet_tiny"), partial(segmenter_bundle, name="unet_tiny", threshold=1.2)
OTHER = partial(classifier_bundle, name="other", sharpness=5, parameters=64)


class TwoRuns:
    """A home with two runs on the same data, each with a classifier and a segmenter; the second has another classifier besides."""

    def __init__(self, root: Path, database: Path) -> None:
        self.home = Home(root / "home")
        made = RunsOfHome(self.home, Ledger(address(database, self.home.root), "dermacare"))
        self.dataset = made.data("data", DRAWN)
        self.first = made.run("data", {"train_classifier/tiny_cnn": BLIND, "train_unet/unet_tiny": SHARP})
        models = {"train_classifier/tiny_cnn": SKILLED, "train_classifier/other": OTHER, "train_unet/unet_tiny": BLUNT}
        self.second = made.run("data", models, "train_unet.epochs=7")


@pytest.fixture(scope="module")
def two(mlflow_database: Path, tmp_path_factory: pytest.TempPathFactory) -> TwoRuns:
    return TwoRuns(tmp_path_factory.mktemp("two"), mlflow_database)


@pytest.fixture(autouse=True)
def _own_mlflow(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("MLFLOW_TRACKING_URI", raising=False)


def compare(home: Home, a: str, b: str) -> Iterator[Comparison]:
    targets = Targets(home)
    first, second = targets.find(a), targets.find(b)
    assert first is not None
    assert second is not None
    with compared(targets, first, second) as comparison:
        yield comparison


@pytest.fixture(scope="module")
def runs(two: TwoRuns) -> Iterator[Comparison]:
    yield from compare(two.home, two.first, two.second)


def test_models_are_paired_by_name_and_by_choice(runs: Comparison) -> None:
    assert [(pair.first.name, pair.second.name, pair.task) for pair in runs.pairs] == [
        ("tiny_cnn", "tiny_cnn", Task.CLASSIFICATION),
        ("unet_tiny", "unet_tiny", Task.SEGMENTATION),
    ]
    assert runs.alone == ((), ("other",))
    assert [pair.first.version for pair in runs.pairs] == ["lesion-classifier/1", "lesion-segmenter/1"]


def test_what_differs_is_named(runs: Comparison) -> None:
    assert [(one.name, one.second) for one in runs.params] == [("train_unet.epochs", "7")]
    assert runs.facts == ()


def test_image_by_image_the_better_one_is_told_with_its_interval(runs: Comparison) -> None:
    classifiers, segmenters = (pair.paired for pair in runs.pairs)
    assert classifiers is not None
    assert segmenters is not None
    assert classifiers.images == 32
    assert classifiers.differences["accuracy"].second == runs.pairs[0].second.figures["test/accuracy"]
    assert classifiers.differences["accuracy"].told
    assert classifiers.second_better == 17
    assert classifiers.first_better == 1
    assert classifiers.p_value == pytest.approx(2 * 19 / 2**18)
    assert segmenters.differences["dice"].first == pytest.approx(runs.pairs[1].first.figures["test/dice"])
    assert segmenters.differences["dice"].high < 0


def test_the_report_says_what_the_test_set_has_decided(runs: Comparison, two: TwoRuns) -> None:
    assert list(runs.pairs[0].decisions.values()) == [2]
    told = write_markdown(runs)
    assert "This test set has taken 2 decisions." in told
    assert "B has the better balanced accuracy" in told
    assert "A has the better Dice" in told
    assert f"## A: {two.first}, B: {two.second}" in told
    assert "Drawn images" in told


def test_the_page_shows_both_masks_and_probabilities_and_needs_nothing_else(runs: Comparison, tmp_path: Path) -> None:
    page = tmp_path / "page.html"
    assert write_page(page, runs, most=20) == 20
    text = page.read_text()
    # Ten images of the classifiers once, with bars; ten of the segmenters twice, with both outlines.
    assert len(re.findall(r'<img src="data:image/jpeg;base64,[A-Za-z0-9+/=]+"', text)) == 30
    assert text.count('<i class="b"') == 80
    assert not re.search(r'(src|href)="(?!data:|#)', text)
    assert "http" not in text
    assert str(tmp_path) not in text


def test_versions_stand_for_the_runs_that_made_them(two: TwoRuns) -> None:
    (versions,) = compare(two.home, "previous", "lesion-classifier/production")
    assert (versions.first.name, versions.second.name) == ("lesion-classifier/1 (previous)", "lesion-classifier/2 (production)")
    (pair,) = versions.pairs
    assert pair.paired is not None
    assert pair.paired.second_better == 17
    assert [one.name for one in versions.params] == ["train_unet.epochs"]


def test_a_run_is_compared_with_a_version_too(two: TwoRuns) -> None:
    (mixed,) = compare(two.home, "lesion-segmenter/1", two.second)
    assert [(pair.first.name, pair.second.name) for pair in mixed.pairs] == [("unet_tiny", "unet_tiny")]
    assert mixed.alone[1] == ("tiny_cnn", "other")


def elsewhere(two: TwoRuns, root: Path) -> Home:
    """A home that shares MLflow with the other one and has none of its runs."""
    shutil.copytree(two.home.root, root / "home")
    shutil.rmtree(root / "home" / "runs")
    shutil.rmtree(root / "home" / "steps")
    return Home(root / "home")


@pytest.mark.parametrize("told_by_mlflow", [True, False])
def test_a_version_of_another_home_is_fetched_and_judged_on_data_of_this_one(
    two: TwoRuns, tmp_path: Path, told_by_mlflow: bool
) -> None:
    home = elsewhere(two, tmp_path)
    ledger = Ledger(home.tracking_uri, "dermacare")
    if not told_by_mlflow:
        for run in ledger.search("tags.`dermacare.role` = 'pipeline'"):
            ledger.set_tags(run.info.run_id, {"dermacare.data_version": "unknown"})
    RunsOfHome(home, ledger).data("other", partial(preprocessed_dataset, per_class=4, seed=5))
    (versions,) = compare(home, "1", "2")
    (pair,) = versions.pairs
    assert pair.paired is not None
    assert pair.paired.second_better == 10
    assert pair.second.figures["test/accuracy"] == pytest.approx(20 / 32)
    told = write_markdown(versions)
    assert ("Whether A learned from some of these images is not known" in told) != told_by_mlflow
    assert f"Run {two.first} is not in this home: its figures are those that MLflow has." in told
    assert "lesion-classifier/2 was judged now, on data version" in told


def test_what_a_fetched_version_learned_from_judges_nothing(two: TwoRuns, tmp_path: Path) -> None:
    home = elsewhere(two, tmp_path)
    made = RunsOfHome(home, Ledger(home.tracking_uri, "dermacare"))
    made.data("same", DRAWN)
    learned = two.dataset.rows(Task.CLASSIFICATION)
    train = learned.index[learned["split"] == "train"][:5]
    made.data("newer", partial(_moved_to_test, ids=set(learned.loc[train, "image_id"])))
    (versions,) = compare(home, "1", "2")
    answers = versions.pairs[0].first.answers
    assert answers is not None
    assert answers.left_out == 5
    assert len(answers.table) == 32


def test_what_a_model_before_it_learned_from_judges_nothing(two: TwoRuns, tmp_path: Path) -> None:
    home = elsewhere(two, tmp_path)
    made = RunsOfHome(home, Ledger(home.tracking_uri, "dermacare"), made=2)
    made.data("same", DRAWN)
    learned = two.dataset.rows(Task.CLASSIFICATION)
    train = learned.index[learned["split"] == "train"][:5]
    made.data("newer", partial(_moved_to_test, ids=set(learned.loc[train, "image_id"])))
    child = made.run("newer", {"train_classifier/tiny_cnn": partial(_trained_on, [two.dataset.version])})
    unknown = made.run("newer", {"train_classifier/tiny_cnn": partial(_trained_on, ["e" * 64, two.dataset.version])})
    other = made.run("newer", {"train_classifier/tiny_cnn": SKILLED})
    (pair,) = [one for found in compare(home, child, other) for one in found.pairs]
    assert pair.first.answers is not None
    assert pair.second.answers is not None
    assert (pair.first.answers.left_out, pair.second.answers.left_out) == (5, 0)
    assert pair.paired is not None
    assert pair.paired.images == 32
    (pair,) = [one for found in compare(home, unknown, other) for one in found.pairs]
    assert pair.first.answers is not None
    assert (pair.first.answers.left_out, len(pair.first.answers.table)) == (None, 32), "what is known is left out all the same"


def _trained_on(before: list[str], folder: Path, data_version: str) -> Path:
    """A classifier that was trained on from those that learned from versions of the data in turn, the oldest first."""
    newest = classifier_bundle(folder, name="tiny_cnn", data_version=data_version)
    *older, last = before
    parent = folder.parent / f"{folder.name}-parent"
    if older:
        return trained_on(newest, _trained_on(older, parent, last))
    return trained_on(newest, classifier_bundle(parent, name="tiny_cnn", data_version=last))


def _moved_to_test(folder: Path, ids: set[str]) -> Path:
    DRAWN(folder)
    manifest = read_manifest(folder)
    manifest.loc[manifest["image_id"].isin(ids), "split"] = "test"
    (folder / "manifest.parquet").unlink()
    write_manifest(folder, manifest)
    return folder


def test_without_data_of_its_kind_the_figures_of_mlflow_stand_alone(two: TwoRuns, tmp_path: Path) -> None:
    home = elsewhere(two, tmp_path)
    (versions,) = compare(home, "1", "2")
    assert versions.pairs[0].paired is None
    told = write_markdown(versions)
    assert "no image could be shown to it" in told
    assert "| balanced accuracy |" in told
    (found,) = compare(home, two.first, two.second)
    assert [pair.paired for pair in found.pairs] == [None, None]
    assert found.pairs[1].first.figures["test/dice"] > 0.8


def test_the_newest_of_its_kind_is_the_other_one(two: TwoRuns, tmp_path: Path) -> None:
    targets = Targets(two.home)
    for name, newest in (("lesion-segmenter/1", "lesion-segmenter/2"), (two.first, two.second)):
        found = targets.find(name)
        assert found is not None
        assert targets.newest(found).name == newest
    alone = Targets(elsewhere(two, tmp_path))
    found = alone.find(two.first)
    assert found is not None
    with pytest.raises(RunError, match="there is no other to compare it with yet"):
        alone.newest(found)


def test_a_run_that_has_judged_nothing_is_refused(two: TwoRuns, tmp_path: Path) -> None:
    home = elsewhere(two, tmp_path)
    save(home, replace(load(two.home, two.first), state=RunState.KILLED))
    with pytest.raises(RunError, match=r"is killed and has judged no model yet; run it to its end"):
        Targets(home).find(two.first)


def test_a_done_run_whose_outputs_are_gone_is_looked_up_in_mlflow(two: TwoRuns, tmp_path: Path) -> None:
    home = elsewhere(two, tmp_path)
    save(home, load(two.home, two.first))
    found = Targets(home).find(two.first)
    assert found is not None
    assert found.record is None


def test_versions_of_two_models_are_no_pair(two: TwoRuns) -> None:
    with pytest.raises(RunError, match="answer different questions"):
        next(compare(two.home, "1", "lesion-segmenter/1"))


def test_a_version_is_not_compared_with_itself_whatever_it_is_called(two: TwoRuns) -> None:
    with pytest.raises(RunError, match="lesion-classifier/1 is named twice; compare it with another version"):
        next(compare(two.home, "1", "lesion-classifier/1"))


class TestCommand:
    @pytest.fixture(autouse=True)
    def _home(self, two: TwoRuns, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
        monkeypatch.setenv("DERMACARE_HOME", str(two.home.root))
        monkeypatch.chdir(tmp_path)

    def test_the_newest_run_is_the_other_one(self, two: TwoRuns, capsys: pytest.CaptureFixture[str]) -> None:
        command(two.first, None, markdown=False, html=None, as_json=False)
        told = capsys.readouterr().out
        assert f"B: {two.second}" in told
        assert "On the same 32 images of test" in told
        assert "MEL Melanoma" in told

    def test_scripts_get_json_though_a_page_is_written(self, two: TwoRuns, capsys: pytest.CaptureFixture[str]) -> None:
        command("1", "2", markdown=False, html=Path("page.html"), as_json=True)
        told = json.loads(capsys.readouterr().out)
        assert told["pairs"][0]["paired"]["second_better"] == 17
        assert told["b"]["models"][0]["figures"]["test/accuracy"] == 20 / 32
        assert Path("page.html").is_file()

    def test_what_is_nothing_is_told_with_what_there_is(self, two: TwoRuns) -> None:
        with pytest.raises(
            RunError, match=rf"nosuch: is no run .*\(runs: {two.second}, {two.first}; versions: lesion-classifier/1 "
        ):
            command("nosuch", "other", markdown=False, html=None, as_json=False)
        with pytest.raises(RunError, match="nosuch: is no run and no registered version, as the other is"):
            command(two.first, "nosuch", markdown=False, html=None, as_json=False)

    def test_data_versions_are_named_by_their_first_digits(
        self, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], tmp_path: Path
    ) -> None:
        monkeypatch.setenv("DERMACARE_HOME", str(tmp_path))
        folders = [encoded_dataset(tmp_path / "steps/validate" / key / "out", per_class=3) for key in ("old", "new")]
        manifest = read_manifest(folders[1])
        manifest.loc[manifest["image_id"] == "T_MEL_000_0", "label"] = "NV"
        (folders[1] / "manifest.parquet").unlink()
        versions = [Dataset(folders[0]).version, write_manifest(folders[1], manifest)]
        command(versions[0][:8], versions[1][:12], markdown=True, html=None, as_json=False)
        told = capsys.readouterr().out
        assert "**no lesion and no image moved between splits" in told
        assert "| all images | 48 |" in told
        assert "relabelled: MEL → NV 1" in told
