"""What the model card says of the recipe."""

from pathlib import Path
from typing import Any

import pytest

from components.bundle import Description, read_description
from components.conformal import Conformal
from components.dataset import Dataset
from components.lesions import CODES
from components.params import Stage, TrainClassifierParams, TrainUnetParams
from components.training.card import write_card
from tests.bundles import classifier_bundle, segmenter_bundle
from tests.datasets import preprocessed_dataset
from tests.trainings import classifier_params, unet_params


@pytest.fixture(scope="module")
def dataset(tmp_path_factory: pytest.TempPathFactory) -> Dataset:
    return Dataset(preprocessed_dataset(tmp_path_factory.mktemp("data"), per_class=3))


def described(made: Path, params: TrainUnetParams | TrainClassifierParams, **changes: Any) -> Description:
    more = {"training": params.model_dump(mode="json"), "test_flips": params.test_flips}
    return read_description(made).model_copy(update=more | changes)


@pytest.fixture(scope="module")
def classifier(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return classifier_bundle(tmp_path_factory.mktemp("classifier"))


@pytest.fixture(scope="module")
def segmenter(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return segmenter_bundle(tmp_path_factory.mktemp("segmenter"))


def test_the_reports_recipe_is_told_as_it_is(classifier: Path, dataset: Dataset) -> None:
    card = write_card(described(classifier, classifier_params()), dataset)
    assert "- Loss: categorical cross-entropy.\n" in card
    assert "lowest loss on the images that it was judged by." in card
    assert "from the image alone" in card
    assert "The mean of" not in card


def test_whatever_changes_the_answers_is_told(classifier: Path, dataset: Dataset) -> None:
    params = classifier_params(
        loss="focal", logit_adjustment=1, label_smoothing=0.1, mix="cutmix", mix_alpha=1, test_flips=True, keep="last", ema=0.999
    )
    card = write_card(described(classifier, params), dataset)
    assert "focal, gamma 2, label smoothing 0.1, samples mixed in pairs (cutmix, alpha 1), logit adjustment 1, " in card
    assert "all diagnoses are equally frequent" in card
    assert "the last epoch, as a running mean with decay 0.999 a step." in card
    assert "mean over the image and its left-right, up-down and both-ways mirror images" in card
    assert "Its probabilities are not calibrated" in card


def test_of_several_sizes_the_kept_epoch_is_one_of_its_own(classifier: Path, dataset: Dataset) -> None:
    sizes = classifier_params(progressive=[Stage(epochs=1, size=(16, 16))], epochs=3)
    assert "that it was judged by, of those at its own size." in write_card(described(classifier, sizes), dataset)


def test_groups_that_the_source_tore_apart_are_told(classifier: Path, dataset: Dataset) -> None:
    assert "lies in one split alone" in write_card(described(classifier, classifier_params()), dataset)
    manifest = dataset.manifest.copy()
    manifest["group_id"] = "one"
    torn = write_card(described(classifier, classifier_params()), dataset.with_manifest(manifest))
    assert "1 groups (patient, lesion, near-duplicates) lie in several splits, as their source has it: figures are too good" in torn


def test_what_probabilities_and_sets_mean_is_told(classifier: Path, dataset: Dataset) -> None:
    sets = Conformal(level=0.9, least=dict.fromkeys(CODES, 0.125), own=tuple(code for code in CODES if code not in ("DF", "SCC")))
    changes = {"temperature": 1.25, "conformal": sets}
    card = write_card(described(classifier, classifier_params(), **changes), dataset)
    assert "Temperature 1.25, fitted on val" in card
    assert "nor for one diagnosis by itself" in card
    assert "in 90% of the images of each diagnosis" in card
    assert "at least MEL 0.125, NV 0.125" in card
    assert "Of DF, SCC there were too few lesions" in card
    assert "single members" not in card
    folds = {"out_of_fold": "0" * 64, "members": ("fold 0", "fold 1")}
    assert "single members" in write_card(described(classifier, classifier_params(folds=2), **changes, **folds), dataset)


def test_members_are_named(classifier: Path, dataset: Dataset) -> None:
    seeds = described(classifier, classifier_params(), members=("seed 1", "seed 2"))
    assert "The mean of 2 models: seed 1, seed 2." in write_card(seeds, dataset)


@pytest.mark.parametrize(
    ("changes", "told"),
    [
        ({"mask_threshold": 0.4}, "0.4 or more counts as lesion (set before training)"),
        ({"mask_threshold": None}, "0.4 or more counts as lesion (chosen on val, for the best mean Jaccard index there)"),
    ],
)
def test_where_the_mask_threshold_comes_from_is_told(segmenter: Path, dataset: Dataset, changes: dict[str, Any], told: str) -> None:
    card = write_card(described(segmenter, unet_params(**changes), mask_threshold=0.4), dataset)
    assert told in card
    assert "- Loss: binary cross-entropy and Dice.\n" in card
