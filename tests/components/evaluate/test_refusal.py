"""What is measured of refusal, on a tiny network that was trained for it."""

from pathlib import Path

import numpy as np
import pytest

from components.bundle import Bundle
from components.dataset import Dataset
from components.evaluate import evaluate
from components.evaluate.probes import PICTURES, draw_far, draw_near
from components.evaluate.refusal import Probed, probe
from components.lesions import Split, Task
from components.params import load_params
from components.refusal import REFUSED
from components.reporter import Reporter
from components.scores import flat, read_scores
from tests.bundles import classifier_bundle
from tests.trainings import classifier_params, make_data, train_tiny


def test_far_pictures_are_whole_and_the_same_each_time() -> None:
    far, again = draw_far((24, 32)), draw_far((24, 32))
    assert set(far) == {"photographs", "charts", "noise"}
    for kind, pictures in far.items():
        assert (pictures.shape, pictures.dtype) == ((PICTURES, 24, 32, 3), np.uint8)
        np.testing.assert_array_equal(pictures, again[kind])
        assert len(np.unique(pictures.reshape(PICTURES, -1), axis=0)) > PICTURES // 2


def test_near_pictures_are_made_of_the_images_that_are_given() -> None:
    images = np.zeros((2, 36, 48, 3), np.uint8)
    images[:, 12:24, 16:32] = 200  # the lesion, in the middle of three by three tiles
    near = draw_near(images)
    assert (near["skin beside the lesion"] == 0).all()
    assert (near["enlarged"] == 200).all()
    assert (near["half covered"][:, :, :24] == 245).all()
    np.testing.assert_array_equal(near["half covered"][:, :, 24:], images[:, :, 24:])
    assert 0 < near["out of focus"][0, 18, 16, 0] < 200


@pytest.fixture(scope="module")
def trained(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, Path]:
    root = tmp_path_factory.mktemp("trained")
    data = make_data(root / "data", per_class=6, size=(32, 32))
    return data.dataset, train_tiny(data, root / "out", classifier_params(frozen_epochs=0, epochs=4, learning_rate=0.01))


def test_evaluation_tells_how_far_and_near_pictures_are_refused(trained: tuple[Path, Path], tmp_path: Path) -> None:
    dataset, model = trained
    evaluate(dataset, [model], tmp_path, load_params().params.evaluate, Reporter(tmp_path, "evaluate"))
    (scores,) = read_scores(tmp_path).classifiers()
    assert scores.refusal is not None
    assert scores.refusal.images == 16
    assert scores.refusal.promised == REFUSED
    assert scores.refusal.far["all"].pictures == 3 * PICTURES
    assert scores.refusal.far["noise"].auc > 0.9
    assert scores.refusal.near["all"].pictures == 4 * 16
    figures = flat(scores)
    assert figures["refusal/far_auc"] == scores.refusal.far["all"].auc > 0.8
    assert figures["test/refused"] == scores.refusal.refused
    assert (tmp_path / "figures/tiny_cnn/refusal.png").is_file()
    assert (tmp_path / "figures/tiny_cnn/reliability.png").is_file()


def test_a_curve_goes_through_what_is_refused() -> None:
    usual, strange = np.arange(10, dtype=np.float32), np.array([4.5, 20, 30, 40], np.float32)
    probed = Probed(usual, far={"noise": strange}, near={"enlarged": usual}, threshold=8.5, promised=0.01)
    scores = probed.scores()
    assert (scores.refused, scores.far["noise"].refused, scores.near["all"].auc) == (0.1, 0.75, 0.5)
    shares, refused = probed.curve(strange)
    assert refused[shares == 0].max() == scores.far["noise"].refused
    assert np.trapezoid(refused, shares) == pytest.approx(scores.far["all"].auc)


def test_a_bundle_of_before_refuses_nothing(trained: tuple[Path, Path], tmp_path: Path) -> None:
    data = Dataset(trained[0])
    bundle = Bundle.load(classifier_bundle(tmp_path / "plain"))
    assert probe(bundle, data, data.rows(Task.CLASSIFICATION, Split.TEST)) is None
