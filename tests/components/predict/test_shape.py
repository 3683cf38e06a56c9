import cv2
import numpy as np
import pytest

from components.predict.shape import measure_shape, simplified

SIZE = (400, 500)


def disc(radius: int, centre: tuple[int, int] = (250, 200)) -> np.ndarray:
    return cv2.circle(np.zeros(SIZE, np.uint8), centre, radius, 1, -1) > 0


def test_a_disc_is_symmetric_its_border_regular_and_its_diameter_its_own() -> None:
    shape = measure_shape(disc(100))
    assert shape.area == np.count_nonzero(disc(100))
    assert shape.diameter == pytest.approx(201, abs=1)
    assert shape.asymmetry < 0.01
    assert shape.border_irregularity == pytest.approx(0, abs=0.02)


def test_a_square_has_the_border_of_its_formula() -> None:
    mask = np.zeros(SIZE, bool)
    mask[100:301, 150:351] = True
    shape = measure_shape(mask)
    # 4 a / (2 √(π a²)) = 1.128; straight lines are not longer in pixels, which Kulpa's factor takes off all the same
    assert shape.border_irregularity == pytest.approx(1.128 * 0.948 - 1, abs=0.005)
    assert shape.diameter == pytest.approx(201 * 2**0.5, abs=1)
    assert shape.asymmetry < 0.01


def test_a_quarter_that_is_missing_lies_on_no_other_when_folded() -> None:
    # A half disc: symmetric to one axis. Folded along the other, at 4r/3π from its straight side, part of it covers nothing.
    mask = disc(100)
    mask[:200] = False
    shape = measure_shape(mask)
    rows, columns = np.nonzero(mask)
    middle = rows.mean()
    mirrored = np.zeros_like(mask)
    turned = np.rint(2 * middle - rows).astype(int)
    mirrored[turned, columns] = True
    expected = np.count_nonzero(mask ^ mirrored) / (2 * np.count_nonzero(mask)) / 2
    assert shape.asymmetry == pytest.approx(expected, abs=0.02)


def test_asymmetry_does_not_depend_on_how_the_lesion_is_turned() -> None:
    corners = np.array([[0, 0], [120, 10], [60, 60], [90, 150]])
    found = []
    for degrees in (0, 30, 75, 140):
        turn = np.deg2rad(degrees)
        turned = (corners - corners.mean(axis=0)) @ np.array([[np.cos(turn), -np.sin(turn)], [np.sin(turn), np.cos(turn)]])
        mask = cv2.fillPoly(np.zeros(SIZE, np.uint8), [np.rint(turned + np.array([250, 200])).astype(np.int32)], 1) > 0
        found.append(measure_shape(mask).asymmetry)
    assert max(found) - min(found) < 0.03
    assert min(found) > 0.1


def test_parts_are_outlined_the_largest_first_and_specks_are_not() -> None:
    mask = disc(60, (100, 100)) | disc(90, (350, 250))
    mask[0:3, 0:3] = True
    shape = measure_shape(mask)
    assert len(shape.outlines) == 2
    assert tuple(shape.outlines[0].mean(axis=0).round()) == pytest.approx((350, 250), abs=2)
    assert not shape.largest[100, 100]
    assert shape.area == np.count_nonzero(disc(90, (350, 250)))


@pytest.mark.parametrize("mask", [np.zeros(SIZE, bool), np.eye(400, 500, dtype=bool) & (np.arange(500) < 100)])
def test_no_part_is_large_enough(mask: np.ndarray) -> None:
    assert measure_shape(mask) is None


def test_a_line_and_a_whole_image_are_measured_too() -> None:
    line = np.zeros((32, 32), bool)
    line[10] = True
    assert measure_shape(line).diameter == pytest.approx(32)
    whole = measure_shape(np.ones((32, 48), bool))
    assert whole.area == 32 * 48
    assert len(simplified(whole.outlines[0], 1.0)) == 4
