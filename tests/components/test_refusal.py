"""Strangeness, on features whose distribution is known, and on drawn pictures."""

from pathlib import Path

import numpy as np
import pytest

from components.appearance import NUMBERS, appearance_of
from components.errors import BundleError
from components.lesions import Diagnosis
from components.refusal import REFUSED, Refusal, Seen, fit_refusal
from tests.datasets import draw_lesion


def usual(images: int, seed: int) -> np.ndarray:
    """200 features of five causes, and a little noise."""
    rng = np.random.default_rng(seed)
    causes = np.random.default_rng(99).normal(size=(5, 200))
    return (rng.normal(size=(images, 5)) @ causes + 0.1 * rng.normal(size=(images, 200)) + 1).astype(np.float32)


def pictures(count: int, seed: int) -> np.ndarray:
    """Drawn lesions."""
    rng = np.random.default_rng(seed)
    return np.stack([draw_lesion(list(Diagnosis)[place % 8], (32, 32), rng)[0] for place in range(count)])


def seen(images: int, seed: int) -> Seen:
    """Two images of a lesion each."""
    return Seen(usual(images, seed), appearance_of(pictures(images, seed)), np.array([f"{seed} {n // 2}" for n in range(images)]))


NOBODY = Seen(np.empty((0, 200), np.float32), np.empty((0, NUMBERS), np.float32), np.array([], dtype=str))


@pytest.fixture(scope="module")
def fitted() -> Refusal:
    return fit_refusal(seen(1200, 0), seen(800, 5))


def strangeness(fitted: Refusal, features: np.ndarray, seed: int = 1) -> np.ndarray:
    """Of images that look as usual."""
    return fitted.strangeness(features, pictures(len(features), seed))


def test_of_new_images_of_the_same_kind_as_few_are_refused_as_was_asked(fitted: Refusal) -> None:
    strange = strangeness(fitted, usual(2000, 1))
    assert (strange > fitted.threshold).mean() == pytest.approx(REFUSED, abs=0.012)
    assert fitted.features.distance(usual(2000, 1) / np.sqrt((usual(2000, 1) ** 2).mean(axis=1, keepdims=True))).mean() < 1.3


def test_what_breaks_the_pattern_is_refused_though_each_feature_is_as_usual(fitted: Refusal) -> None:
    images = usual(300, 1)
    shuffled = np.random.default_rng(2).permuted(images, axis=0)
    assert shuffled.std() == pytest.approx(images.std(), rel=1e-4)
    assert (strangeness(fitted, shuffled) > fitted.threshold).all()


def test_what_looks_otherwise_is_refused_though_the_network_sees_nothing_of_it(fitted: Refusal) -> None:
    features, images = usual(40, 1), pictures(40, 1)
    as_usual = fitted.strangeness(features, images) > fitted.threshold
    for strange in (255 - images, images[..., ::-1], np.random.default_rng(0).integers(0, 256, images.shape).astype(np.uint8)):
        assert (fitted.strangeness(features, strange) > fitted.threshold).all()
    assert as_usual.mean() < 0.1


def test_how_far_the_network_is_excited_changes_nothing(fitted: Refusal) -> None:
    images = usual(20, 1)
    np.testing.assert_allclose(strangeness(fitted, images * 4), strangeness(fitted, images), rtol=1e-3)
    assert np.isfinite(strangeness(fitted, images * 0)).all()


def test_it_is_read_as_it_was_written_and_anything_else_is_an_error(fitted: Refusal, tmp_path: Path) -> None:
    path = tmp_path / "refusal.npz"
    path.write_bytes(fitted.to_bytes())
    np.testing.assert_array_equal(strangeness(Refusal.read(path), usual(5, 3)), strangeness(fitted, usual(5, 3)))
    assert fit_refusal(seen(1200, 0), seen(800, 5)).to_bytes() == path.read_bytes()
    assert len(path.read_bytes()) < 1_000_000
    path.write_bytes(b"PK")
    with pytest.raises(BundleError, match=r"refusal\.npz: cannot be read"):
        Refusal.read(path)


def test_one_of_before_there_was_an_appearance_is_read_and_does_not_look(fitted: Refusal, tmp_path: Path) -> None:
    path, known = tmp_path / "refusal.npz", fitted.features
    before = {"mean": known.mean, "directions": known.directions, "variances": known.variances, "noise": known.noise}
    np.savez(path, allow_pickle=False, **before, threshold=known.limit)
    read = Refusal.read(path)
    assert (read.looks, read.threshold) == (False, fitted.threshold)
    one_length = usual(5, 3) / np.sqrt((usual(5, 3) ** 2).mean(axis=1, keepdims=True))
    np.testing.assert_allclose(read.strangeness(usual(5, 3), []), known.distance(one_length), rtol=1e-5)


@pytest.mark.parametrize("images", [1, 3, 16])
def test_few_images_are_enough_not_to_fail(images: int) -> None:
    fitted = fit_refusal(seen(images, 0), NOBODY)
    assert np.isfinite(strangeness(fitted, usual(4, 1))).all()


def test_the_size_of_a_picture_tells_little() -> None:
    small, large = (draw_lesion(Diagnosis.MEL, size, np.random.default_rng(0))[0] for size in ((96, 128), (192, 256)))
    first, second = appearance_of([small, large])
    assert first.shape == (NUMBERS,)
    np.testing.assert_allclose(first[:6], second[:6], atol=6)
    assert appearance_of([]).shape == (0, NUMBERS)
