import numpy as np

from components.augment_balance.hair import grow_hair
from components.preprocess.hair import find_hair


def skin(height: int = 144, width: int = 192) -> np.ndarray:
    return np.full((height, width, 3), (200, 160, 140), np.uint8)


def test_hairs_are_dark_and_thin_and_leave_most_of_the_skin() -> None:
    shares = []
    for seed in range(30):
        change = grow_hair(skin(), seed).astype(int) - skin()
        assert change.max() <= 1
        assert change.min() < -40
        shares.append(float((change.min(axis=2) < -20).mean()))
    assert 0 < min(shares) < max(shares) < 0.2


def test_removal_of_hair_finds_them() -> None:
    # The cross of the black hat, 9 pixels, is wider than any of them.
    haired = grow_hair(skin(), 3)
    dark = (skin().astype(int) - haired).max(axis=2) > 60
    assert dark.sum() > 50
    assert (find_hair(haired, kernel=9) == 255)[dark].mean() > 0.95


def test_the_same_seed_grows_the_same_hairs_and_the_image_stays_as_it_is() -> None:
    image = skin()
    np.testing.assert_array_equal(grow_hair(image, 1), grow_hair(image, 1))
    assert not np.array_equal(grow_hair(image, 1), grow_hair(image, 2))
    np.testing.assert_array_equal(image, skin())
