"""Functions that leave absent inputs out."""

import numpy as np

from mbm_keras.layers import ones_for_absent
from mbm_keras.layers import present_mean
from mbm_keras.layers import present_softmax
from mbm_keras.layers import replace_absent
from mbm_keras.layers import zero_absent
from tests.helpers import numpy

NAN = np.float32(np.nan)
LEFT = np.array([[1.0, 2.0], [NAN, NAN], [5.0, 6.0]], "float32")
RIGHT = np.array([[3.0, 4.0], [7.0, 8.0], [NAN, NAN]], "float32")
PRESENT = np.array([[True, True], [False, True], [True, False]])


def assert_equal(left, right):
    np.testing.assert_allclose(numpy(left), right, atol=1e-6)


def test_zeros_replace_absent_tensors():
    left, right = zero_absent([LEFT, RIGHT], PRESENT)
    assert_equal(left, [[1, 2], [0, 0], [5, 6]])
    assert_equal(right, [[3, 4], [7, 8], [0, 0]])


def test_ones_replace_absent_tensors():
    left, right = ones_for_absent([LEFT, RIGHT], PRESENT)
    assert_equal(left * right, [[3, 8], [7, 8], [5, 6]])


def test_rows_of_any_rank_are_replaced():
    x = np.full((3, 2, 4), NAN)
    x[1] = 1.0
    out = numpy(replace_absent(x, np.array([False, True, False])))
    assert_equal(out.sum(axis=(1, 2)), [0, 8, 0])


def test_mean_is_over_the_present_tensors():
    assert_equal(present_mean([LEFT, RIGHT], PRESENT), [[2, 3], [7, 8], [5, 6]])


def test_mean_of_no_tensors_is_zeros():
    assert_equal(present_mean([LEFT, RIGHT], np.zeros((3, 2), bool)), np.zeros((3, 2)))


def test_softmax_is_over_the_present_inputs():
    scores = np.log(np.array([[1.0, 3.0], [2.0, 9.0]], "float32"))
    weights = present_softmax(scores, np.array([[True, True], [True, False]]))
    assert_equal(weights, [[0.25, 0.75], [1, 0]])


def test_without_presence_everything_is_present():
    x = [np.ones((2, 3), "float32"), 3 * np.ones((2, 3), "float32")]
    np.testing.assert_array_equal(zero_absent(x, None), x)
    np.testing.assert_array_equal(ones_for_absent(x, None), x)
    assert_equal(present_mean(x, None), 2 * x[0])
