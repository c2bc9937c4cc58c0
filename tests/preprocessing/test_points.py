"""Points: rows of float32, more or fewer than wanted, and corrupt files."""

import numpy as np
import pytest

from mbm_keras.preprocessing import Points
from tests.helpers import assert_corrupt
from tests.helpers import decode_one

CLOUD = np.random.default_rng(0).normal(0, 9, (20, 4)).astype("<f4")


def seen(cloud, points):
    return decode_one(points, np.asarray(cloud, "<f4").tobytes())


def test_both_layouts():
    np.testing.assert_array_equal(seen(CLOUD, Points(20)), CLOUD)
    five = np.pad(CLOUD, ((0, 0), (0, 1)), constant_values=7)
    np.testing.assert_array_equal(seen(five, Points(20, stride=5)), CLOUD)
    np.testing.assert_array_equal(seen(five, Points(20, list("xyz"), 5)), CLOUD[:, :3])


def test_fewer_are_padded_and_more_are_thinned():
    padded = seen(CLOUD, Points(25))
    np.testing.assert_array_equal(padded[:20], CLOUD)
    assert not padded[20:].any()
    np.testing.assert_array_equal(seen(CLOUD, Points(5)), CLOUD[::4])


def test_points_that_are_not_finite_are_left_out():
    holes = CLOUD.copy()
    holes[3, 1], holes[7, 0] = np.nan, np.inf
    whole = np.delete(CLOUD, [3, 7], axis=0)
    np.testing.assert_array_equal(seen(holes, Points(18)), whole)
    assert_corrupt(Points(18), (CLOUD * np.nan).tobytes(), "no finite point")


def test_half_a_point_is_corrupt():
    assert_corrupt(Points(5), CLOUD.tobytes()[:-2], "not a whole number of rows")


@pytest.mark.parametrize(
    "arguments", [{"num_points": 0}, {"num_points": 5, "stride": 3}]
)
def test_rejects(arguments):
    with pytest.raises(ValueError, match="len.fields. <= stride"):
        Points(**arguments)
