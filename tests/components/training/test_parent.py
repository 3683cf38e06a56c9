"""Which member of a bundle each member goes on from."""

import shutil
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from components.bundle import Description, bundle_digest, read_description
from components.errors import WeightsError
from components.params import bundle_weights
from components.train_classifier.registry import build
from components.training.folds import plan_members
from components.training.parent import place_in_parent
from tests.bundles import classifier_bundle
from tests.trainings import classifier_params, make_data, train_tiny


@pytest.fixture(scope="module")
def plain(tmp_path_factory: pytest.TempPathFactory) -> Description:
    return read_description(classifier_bundle(tmp_path_factory.mktemp("plain"), name="tiny_cnn"))


def places(plain: Description, then: dict[str, Any], now: dict[str, Any]) -> list[int]:
    params = classifier_params(**now)
    parent = plain.model_copy(update={"training": plain.training | then})
    return [place_in_parent(parent, params, member) for member in plan_members(params)]


@pytest.mark.parametrize(
    ("then", "now", "expected"),
    [
        ({}, {}, [0]),
        ({}, {"seeds": 3}, [0, 0, 0]),
        ({"seeds": 2}, {}, [0]),
        ({"seeds": 2}, {"seeds": 3}, [0, 1, 0]),
        ({"folds": 3}, {"folds": 3}, [0, 1, 2]),
        ({"folds": 3, "seeds": 2}, {"folds": 3, "seeds": 2}, [0, 1, 2, 3, 4, 5]),
        ({"folds": 3, "seeds": 2}, {"folds": 3}, [0, 2, 4]),
        ({"folds": 3, "seeds": 2}, {"folds": 3, "fold": 2, "seeds": 3}, [4, 5, 4]),
        ({"folds": 3, "fold": 2}, {"folds": 3, "fold": 2}, [0]),
    ],
)
def test_a_member_goes_on_from_one_of_its_own_fold(plain: Description, then: Any, now: Any, expected: list[int]) -> None:
    assert places(plain, then, now) == expected


@pytest.mark.parametrize(
    ("then", "now", "told"),
    [
        ({}, {"folds": 5}, "was trained with folds 1, and goes on with folds 5, so that it learned from what judges fold 0"),
        ({"folds": 5}, {}, r"was trained with folds 5, and goes on with folds 1, .* judges seed 2019; set folds \(and fold\) as"),
        ({"folds": 5}, {"folds": 4}, "was trained with folds 5, and goes on with folds 4"),
        ({"folds": 5, "fold": 1}, {"folds": 5}, "was trained with folds 5, fold 1, .* judges fold 0"),
    ],
)
def test_one_that_learned_from_what_judges_is_refused(plain: Description, then: Any, now: Any, told: str) -> None:
    with pytest.raises(WeightsError, match=told):
        places(plain, then, now)


def test_each_fold_goes_on_from_its_own_weights(tmp_path: Path) -> None:
    data = make_data(tmp_path / "data", per_class=3, folds=2)
    short = {"folds": 2, "frozen_epochs": 0, "epochs": 1}
    parent = train_tiny(data, tmp_path / "parent", classifier_params(**short))
    shutil.copytree(parent, tmp_path / "child" / "parent")
    weights = bundle_weights("lesion-classifier/1", bundle_digest(parent))
    child = train_tiny(data, tmp_path / "child", classifier_params(**short, learning_rate=1e-12, weights=weights))
    assert read_description(child).parent.digest == bundle_digest(parent)
    then, now = ([kernel(bundle / f"weights-{place:02d}.weights.h5") for place in range(2)] for bundle in (parent, child))
    np.testing.assert_array_equal(then, now)
    assert not np.array_equal(now[0], now[1])


def kernel(weights: Path) -> np.ndarray:
    """The first kernel of a tiny_cnn."""
    model = build("tiny_cnn", (16, 16), 0.3).model
    model.load_weights(weights)
    return np.array(model.get_layer("tiny_0_conv").get_weights()[0])
