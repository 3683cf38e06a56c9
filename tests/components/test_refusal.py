"""Strangeness, on features whose distribution is known."""

from pathlib import Path

import numpy as np
import pytest

from components.errors import BundleError
from components.refusal import REFUSED, Refusal, fit_refusal


def usual(images: int, seed: int) -> np.ndarray:
    """200 features of five causes, and a little noise."""
    rng = np.random.default_rng(seed)
    causes = np.random.default_rng(99).normal(size=(5, 200))
    return (rng.normal(size=(images, 5)) @ causes + 0.1 * rng.normal(size=(images, 200)) + 1).astype(np.float32)


@pytest.fixture(scope="module")
def fitted() -> Refusal:
    return fit_refusal(usual(2000, 0), np.arange(2000) // 2)


def test_of_new_images_of_the_same_kind_as_few_are_refused_as_was_asked(fitted: Refusal) -> None:
    strange = fitted.strangeness(usual(4000, 1))
    assert strange.mean() == pytest.approx(1, abs=0.2)
    assert (strange > fitted.threshold).mean() == pytest.approx(REFUSED, abs=0.007)


def test_what_breaks_the_pattern_is_refused_though_each_feature_is_as_usual(fitted: Refusal) -> None:
    images = usual(300, 1)
    shuffled = np.random.default_rng(2).permuted(images, axis=0)
    assert shuffled.std() == pytest.approx(images.std(), rel=1e-4)
    assert (fitted.strangeness(shuffled) > fitted.threshold).all()


def test_how_far_the_network_is_excited_changes_nothing(fitted: Refusal) -> None:
    images = usual(20, 1)
    np.testing.assert_allclose(fitted.strangeness(images * 4), fitted.strangeness(images), rtol=1e-3)
    assert np.isfinite(fitted.strangeness(images * 0)).all()


def test_it_is_read_as_it_was_written_and_anything_else_is_an_error(fitted: Refusal, tmp_path: Path) -> None:
    path = tmp_path / "refusal.npz"
    path.write_bytes(fitted.to_bytes())
    np.testing.assert_array_equal(Refusal.read(path).strangeness(usual(5, 3)), fitted.strangeness(usual(5, 3)))
    assert fit_refusal(usual(2000, 0), np.arange(2000) // 2).to_bytes() == path.read_bytes()
    assert len(path.read_bytes()) < 1_000_000
    path.write_bytes(b"PK")
    with pytest.raises(BundleError, match=r"refusal\.npz: cannot be read"):
        Refusal.read(path)


@pytest.mark.parametrize("images", [1, 3, 16])
def test_few_images_are_enough_not_to_fail(images: int) -> None:
    fitted = fit_refusal(usual(images, 0), np.arange(images))
    assert np.isfinite(fitted.strangeness(usual(4, 1))).all()
