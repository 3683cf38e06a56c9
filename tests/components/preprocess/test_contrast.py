import cv2
import numpy as np

from components.preprocess.contrast import equalise


def test_a_faint_pattern_gains_contrast_and_keeps_its_colour() -> None:
    grey = np.where(np.indices((128, 128)).sum(axis=0) // 8 % 2, 120, 130).astype(np.uint8)
    image = np.stack([grey, grey - 20, grey - 40], axis=2)
    equalised = equalise(image)
    before, after = (cv2.cvtColor(x, cv2.COLOR_RGB2LAB).astype(float) for x in (image, equalised))
    assert after[..., 0].std() > before[..., 0].std()
    # Eight-bit colours cannot keep a and b to the last digit.
    assert np.abs(after[..., 1:] - before[..., 1:]).max() <= 3


def test_a_higher_clip_limit_gives_more_contrast() -> None:
    image = np.random.default_rng(0).normal(128, 4, (128, 128, 1)).clip(0, 255).astype(np.uint8).repeat(3, axis=2)
    assert equalise(image, clip_limit=1).std() < equalise(image, clip_limit=2).std() < equalise(image, clip_limit=8).std()


def test_the_image_that_was_given_is_not_changed() -> None:
    image = np.random.default_rng(0).integers(0, 256, (64, 64, 3), dtype=np.uint8)
    untouched = image.copy()
    equalise(image)
    np.testing.assert_array_equal(image, untouched)
