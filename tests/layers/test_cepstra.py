"""Cepstra and their slopes, against SciPy and lines."""

import keras
import numpy as np
from scipy import fft

from mbm_keras.layers import Cepstra
from mbm_keras.layers import WithSlopes
from tests.helpers import assert_same
from tests.helpers import numpy

RNG = np.random.default_rng(0)


def test_cepstra_are_the_first_cosines_of_the_bands():
    x = RNG.normal(size=(2, 5, 20)).astype("float32")
    right = fft.dct(x.astype("float64"), axis=-1)[..., :13] / 40
    assert_same(Cepstra()(x), right, atol=1e-6)


def test_fewer_bands_have_fewer_cepstra():
    assert Cepstra()(keras.Input((None, 8))).shape == (None, None, 8)
    assert Cepstra()(np.ones((1, 3, 8), "float32")).shape == (1, 3, 8)


def test_slopes_of_a_parabola_are_a_line_and_a_constant():
    t = np.arange(20.0)
    x = np.stack([t**2, -t], axis=-1)[None].astype("float32")
    x = np.pad(x, [[0, 0], [0, 6], [0, 0]])
    mask = np.arange(26)[None] < 20
    y = numpy(WithSlopes()(x, mask))
    assert_same(y[..., :2], x)
    assert_same(y[0, 4:16, 2:4], np.stack([6 * t[4:16], 0 * t[4:16] - 3], axis=-1))
    assert_same(y[0, 4:16, 4:], np.tile([12.0, 0.0], (12, 1)), atol=1e-3)
    assert not y[0, 20:].any()
    assert_same(WithSlopes()(x[:, :20], mask[:, :20]), y[:, :20], atol=1e-4)
