"""Frames of points: more, fewer and missing ones, and corrupt files."""

import numpy as np

from mbm_keras.preprocessing import PointFrames
from tests.helpers import assert_corrupt
from tests.helpers import decode_one

# Frames 7, 7, 8 and 10, with a point of three numbers each.
ROWS = np.array([[7, 1, 2, 3], [7, 4, 5, 6], [8, 7, 8, 9], [10, 1, 1, 1]], dtype="<f4")
XYZ = ("x", "y", "z")


def seen(rows, frames):
    return decode_one(frames, np.asarray(rows, "<f4").tobytes())


def test_points_are_in_their_frames_and_the_rest_is_padding():
    y = seen(ROWS, PointFrames(5, 3, XYZ))
    expected = np.zeros((5, 3, 3))
    expected[0, :2], expected[1, 0], expected[3, 0] = ROWS[:2, 1:], ROWS[2, 1:], 1
    np.testing.assert_array_equal(y, expected)


def test_more_frames_and_points_than_wanted_are_left_out():
    y = seen(ROWS, PointFrames(2, 1, XYZ))
    np.testing.assert_array_equal(y[:, 0], ROWS[[0, 2], 1:])


def test_points_that_are_not_finite_are_left_out():
    holes = ROWS.copy()
    holes[0, 2] = np.nan
    y = seen(holes, PointFrames(2, 2, XYZ))
    np.testing.assert_array_equal(y[0], [ROWS[1, 1:], [0, 0, 0]])
    assert_corrupt(PointFrames(2, 2, XYZ), (ROWS * np.nan).tobytes(), "no finite point")


def test_half_a_row_and_frames_that_fall_are_corrupt():
    frames = PointFrames(2, 2, XYZ)
    assert_corrupt(frames, ROWS.tobytes()[:-2], "not a whole number of rows")
    assert_corrupt(frames, ROWS[::-1].tobytes(), "a frame before the last")
