from dataclasses import replace

import numpy as np
import pytest

from components.augment_balance.draws import Draw, draw
from components.augment_balance.plan import Ranges
from tests.components.augment_balance.conftest import STILL


def test_a_draw_depends_on_seed_epoch_image_and_repeat_alone(ranges: Ranges) -> None:
    first = draw(ranges, 7, 3, "ISIC_0000001", 0)
    for other in ((8, 3, "ISIC_0000001", 0), (7, 4, "ISIC_0000001", 0), (7, 3, "ISIC_0000002", 0), (7, 3, "ISIC_0000001", 1)):
        assert draw(ranges, *other) != first
    assert draw(ranges, 7, 3, "ISIC_0000001", 0) == first


def test_draws_fill_their_ranges(ranges: Ranges) -> None:
    draws = [draw(ranges, 0, epoch, "image", 0) for epoch in range(2000)]
    for values, low, high in (
        ([one.rotation for one in draws], -45, 45),
        ([one.zoom for one in draws], 0.8, 1.2),
        ([one.brightness for one in draws], -0.2, 0.2),
        ([one.contrast for one in draws], 0.7, 1.3),
        ([one.saturation for one in draws], 0.6, 1.4),
        ([one.hue for one in draws], -0.1, 0.1),
    ):
        assert low <= min(values) < low + 0.02 * (high - low)
        assert high - 0.02 * (high - low) < max(values) <= high
        assert np.mean(values) == pytest.approx((low + high) / 2, abs=0.03 * (high - low))
    for flips in ([one.mirrored for one in draws], [one.flipped for one in draws]):
        assert np.mean(flips) == pytest.approx(0.5, abs=0.04)
    assert np.mean([one.hair is not None for one in draws]) == pytest.approx(0.25, abs=0.04)
    four = {(one.mirrored, one.flipped) for one in draws[:50]}
    assert len(four) == 4


def test_switching_one_change_off_leaves_the_others_as_they_were(ranges: Ranges) -> None:
    for epoch in range(20):
        one = draw(ranges, 0, epoch, "image", 0)
        changed = ranges.model_copy(update={"horizontal_flip": False, "zoom": 0.0, "contrast": 0.0, "hair": 0.0})
        assert draw(changed, 0, epoch, "image", 0) == replace(one, mirrored=False, zoom=1, contrast=1, hair=None)


def test_where_colour_and_hair_are_off_the_draws_are_those_of_before_they_were_there() -> None:
    # By version 0.1.0, which drew five numbers.
    before = Ranges(rotation=45, horizontal_flip=True, vertical_flip=True, zoom=0.2, brightness=0.2)
    turn, zoom, light = -15.315387458455252, 0.8281249456625972, -0.020551843110020052
    assert draw(before, 7, 3, "ISIC_0000001", 0) == replace(STILL, rotation=turn, zoom=zoom, brightness=light)
    expected = Draw(22.23797163712809, True, True, 1.1392755170680913, -0.05814023111942093, 1, 1, 0, None)
    assert draw(before, 2019, 0, "T_MEL_000_0", 2) == expected


def test_hairs_of_each_sample_are_others(ranges: Ranges) -> None:
    hairy = ranges.model_copy(update={"hair": 1.0})
    assert len({draw(hairy, 0, epoch, image, 0).hair for epoch in range(10) for image in ("one", "two")}) == 20
