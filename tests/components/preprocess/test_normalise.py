import numpy as np

from components.preprocess.normalise import normalise


def test_every_grey_level_is_its_share_of_255_to_the_last_bit_of_float32() -> None:
    levels = np.arange(256, dtype=np.uint8)
    result = normalise(levels)
    assert result.dtype == np.float32
    np.testing.assert_array_equal(result, (levels / 255.0).astype(np.float32))
    assert (result[0], result[51], result[255]) == (0.0, np.float32(0.2), 1.0)


def test_any_shape_keeps_its_shape() -> None:
    assert normalise(np.zeros((2, 3, 4, 3), np.uint8)).shape == (2, 3, 4, 3)
