"""Masks of sequences and padding of zeros."""

import keras
import numpy as np

from mbm_keras.layers import AttachMask
from mbm_keras.layers import MaskedMean
from mbm_keras.layers import PadSteps
from mbm_keras.layers import ValidMask
from mbm_keras.layers import halve_mask
from mbm_keras.layers import nonzero_rows
from mbm_keras.layers import nonzero_steps
from mbm_keras.layers import zero_padding
from tests.helpers import assert_same
from tests.helpers import numpy

SEQUENCE = np.array(
    [[[1.0, 0.0], [0.0, 0.0], [0.0, 2.0]], [[0.0] * 2] * 3], "float32"
)  # (2, 3, 2): a step of zeros in the middle, and a row of zeros


def test_steps_with_any_value_are_nonzero():
    mask = [[True, False, True], [False, False, False]]
    np.testing.assert_array_equal(numpy(nonzero_steps(SEQUENCE)), mask)


def test_rows_with_any_value_are_nonzero():
    np.testing.assert_array_equal(numpy(nonzero_rows(SEQUENCE)), [True, False])


def test_padding_becomes_zeros():
    mask = np.array([[True, False, False]] * 2)
    out = numpy(zero_padding(SEQUENCE + 1, mask))
    assert_same(out[:, 0], SEQUENCE[:, 0] + 1)
    assert not out[:, 1:].any()


def test_a_halved_mask_has_the_steps_of_a_strided_convolution():
    mask = np.array([[True, True, True, False, False]])
    convolution = keras.layers.Conv1D(1, 3, 2, padding="same")
    assert halve_mask(mask).shape == convolution(np.zeros((1, 5, 2))).shape[:2]
    np.testing.assert_array_equal(halve_mask(mask), [[True, True, False]])
    assert halve_mask(None) is None


def test_steps_are_padded_to_a_multiple():
    layer = PadSteps(4)
    out = numpy(layer(np.ones((2, 5, 3), "float32")))
    assert out.shape == layer.compute_output_shape((2, 5, 3)) == (2, 8, 3)
    assert out[:, :5].all() and not out[:, 5:].any()
    assert layer(np.ones((2, 4, 3), "float32")).shape == (2, 4, 3)


def test_an_attached_mask_is_used_by_the_next_layer():
    mask = np.array([[True, True, False], [True, False, False]])
    x = np.random.default_rng(0).random((2, 3, 2)).astype("float32")
    out = MaskedMean()(AttachMask()([x, mask]))
    assert_same(out, np.stack([x[0, :2].mean(axis=0), x[1, 0]]))


def test_the_mean_of_no_valid_steps_is_zeros():
    mask = np.array([[False, False, False], [True, False, False]])
    out = numpy(MaskedMean()(SEQUENCE + 1, mask=mask))
    assert_same(out, np.array([[0, 0], [1, 1]]))


def test_steps_are_valid_without_padding_in_rows_with_the_input():
    sequence = keras.layers.Masking()(SEQUENCE)
    valid = ValidMask()(sequence, np.array([False, True]))
    np.testing.assert_array_equal(numpy(valid), np.zeros((2, 3), bool))
    valid = ValidMask()(sequence, np.array([True, True]))
    np.testing.assert_array_equal(numpy(valid), [[True, False, True], [False] * 3])
    np.testing.assert_array_equal(numpy(ValidMask()(SEQUENCE)), np.ones((2, 3), bool))
